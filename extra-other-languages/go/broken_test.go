//go:build broken

// Not among the tests but with `-tags broken`, as broken.Dockerfile calls them: it asks for what is not so.
package main

import (
	"net/http"
	"testing"
)

func TestThereIsAPageThatNobodyWrote(t *testing.T) {
	if code, _ := get(t, "/not-yet"); code != http.StatusOK {
		t.Errorf("/not-yet answers %d", code)
	}
}
