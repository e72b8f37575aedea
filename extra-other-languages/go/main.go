// A web application small enough to look through: it tells you which image it runs in.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log"
	"net/http"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"syscall"
	"time"
)

const address = ":8000"

// What uname(1) calls the processors that this is compiled for.
var machines = map[string]string{"amd64": "x86_64", "arm64": "aarch64"}

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
	// A client that sends nothing may not hold a connection for ever.
	server := &http.Server{Addr: address, Handler: pages(), ReadHeaderTimeout: 5 * time.Second}
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

func pages() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) { tell(w, image()) })
	mux.HandleFunc("GET /health", func(w http.ResponseWriter, _ *http.Request) { tell(w, map[string]string{"status": "ok"}) })
	return mux
}

// image says which image this is. The variant comes from compose.yaml, the rest from the program itself.
func image() map[string]string {
	variant := os.Getenv("VARIANT")
	if variant == "" {
		variant = "unknown"
	}
	return map[string]string{
		"step":    "extra-other-languages",
		"variant": variant,
		"go":      strings.TrimPrefix(runtime.Version(), "go"),
		"machine": machines[runtime.GOARCH],
	}
}

func tell(w http.ResponseWriter, what any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(what) // the client may have gone
}
