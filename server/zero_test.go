package server

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/pali-gguf/pali/server/engine"
)

// A server of the zero Options answers, and has no model.
func TestZeroOptions(t *testing.T) {
	s := New(Options{})
	defer s.Close()
	if err := s.Load(t.Context()); !errors.Is(err, engine.ErrNoModel) {
		t.Errorf("load: %v", err)
	}
	r := httptest.NewRequest(http.MethodPost, "http://127.0.0.1/v1/caption",
		strings.NewReader(`{"image":"`+uri(1)+`"}`))
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	if w.Code != http.StatusNotFound {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}
