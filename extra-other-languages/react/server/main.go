// A web server for one site, which is compiled into it: the files in dist, and nothing beside.
package main

import (
	"context"
	"embed"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"log"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

const address = ":8000"

//go:embed dist
var dist embed.FS

func main() {
	health := flag.Bool("health", false, "ask the server that runs here, and tell by the exit code")
	flag.Parse()
	run := serve
	if *health {
		run = probe
	}
	if err := run(); err != nil {
		log.Fatal(err)
	}
}

// serve answers until SIGTERM or Ctrl-C, then lets what it is answering end, for four seconds at most.
func serve() error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	files, err := fs.Sub(dist, "dist")
	if err != nil {
		return err
	}
	// A client that sends nothing may not hold a connection for ever.
	server := &http.Server{Addr: address, Handler: site(files), ReadHeaderTimeout: 5 * time.Second}
	failed := make(chan error, 1)
	go func() { failed <- server.ListenAndServe() }()
	fmt.Println("listening on", address)
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	ending, cancel := context.WithTimeout(context.Background(), 4*time.Second)
	defer cancel()
	if err := server.Shutdown(ending); errors.Is(err, context.DeadlineExceeded) {
		return server.Close()
	} else {
		return err
	}
}

// probe is the health check of an image that has no shell, and no other program to ask with.
func probe() error {
	client := http.Client{Timeout: 2 * time.Second}
	answer, err := client.Get("http://127.0.0.1" + address + "/health")
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return errors.New(answer.Status)
	}
	return nil
}

// site does what nginx.conf says: assets for ever, the rest asked for each time, and the start page at any other address.
func site(files fs.FS) http.Handler {
	server := http.FileServerFS(files)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := strings.TrimPrefix(r.URL.Path, "/")
		found, err := fs.Stat(files, name)
		there := err == nil && !found.IsDir()
		switch asset := strings.HasPrefix(name, "assets/"); {
		case asset && there:
			w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
		case asset:
			http.NotFound(w, r)
			return
		default:
			w.Header().Set("Cache-Control", "no-cache")
			if !there {
				r.URL.Path = "/"
			}
		}
		if name == "health" {
			w.Header().Set("Content-Type", "application/json")
		}
		server.ServeHTTP(w, r)
	})
}
