package main

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/fstest"
)

func TestFilesAndWhatIsNone(t *testing.T) {
	site := site(fstest.MapFS{
		"index.html":        {Data: []byte("page")},
		"health":            {Data: []byte("{}")},
		"assets/index-1.js": {Data: []byte("code")},
	})
	for path, expected := range map[string]struct {
		code        int
		body, cache string
	}{
		"/":                  {200, "page", "no-cache"},
		"/some/where":        {200, "page", "no-cache"},
		"/assets/index-1.js": {200, "code", "public, max-age=31536000, immutable"},
		"/assets/index-2.js": {404, "404 page not found\n", ""},
		"/assets/":           {404, "404 page not found\n", ""},
		"/health":            {200, "{}", "no-cache"},
	} {
		answer := httptest.NewRecorder()
		site.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, path, nil))
		if answer.Code != expected.code || answer.Body.String() != expected.body ||
			answer.Header().Get("Cache-Control") != expected.cache {
			t.Error(path, answer.Code, answer.Body, answer.Header())
		}
	}
}
