package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"runtime"
	"testing"
)

// get returns what the application answers: its status, and the JSON in it where it is OK.
func get(t *testing.T, path string) (int, map[string]string) {
	t.Helper()
	answer := httptest.NewRecorder()
	pages().ServeHTTP(answer, httptest.NewRequest(http.MethodGet, path, nil))
	found := map[string]string{}
	if answer.Code == http.StatusOK {
		if err := json.Unmarshal(answer.Body.Bytes(), &found); err != nil {
			t.Fatal(err)
		}
	}
	return answer.Code, found
}

func TestTheStartPageTellsWhichImageItRunsIn(t *testing.T) {
	t.Setenv("VARIANT", "smallest")
	_, found := get(t, "/")
	if found["step"] != "extra-other-languages" || found["variant"] != "smallest" || found["machine"] == "" {
		t.Error(found)
	}
	if "go"+found["go"] != runtime.Version() {
		t.Error(found)
	}
}

func TestWithoutAVariantItDoesNotMakeOneUp(t *testing.T) {
	t.Setenv("VARIANT", "")
	if _, found := get(t, "/"); found["variant"] != "unknown" {
		t.Error(found)
	}
}

func TestHealthIsOK(t *testing.T) {
	if code, found := get(t, "/health"); code != http.StatusOK || found["status"] != "ok" {
		t.Error(code, found)
	}
}

func TestAnUnknownPageIsNotFound(t *testing.T) {
	if code, _ := get(t, "/nowhere"); code != http.StatusNotFound {
		t.Error(code)
	}
}
