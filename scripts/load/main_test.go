package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
)

func TestLoad(t *testing.T) {
	folder := t.TempDir()
	answers := filepath.Join(folder, "answers.jsonl")
	for path, text := range map[string]string{
		answers: `{"image":"a.png","prefix":"caption en","answer":"right"}
{"image":"b.jpg","prefix":"caption en","answer":"not asked"}
`,
		filepath.Join(folder, "a.png"): "an image",
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		name   string
		answer func(n int64) (status int, text string) // to the n-th request
		want   string                                  // of the error; "" is none
	}{
		{"as known", func(int64) (int, string) { return 200, "right" }, ""},
		{"a full queue", func(n int64) (int, string) {
			if n%3 == 0 {
				return 503, ""
			}
			return 200, "right"
		}, ""},
		{"others", func(int64) (int, string) { return 200, "wrong" }, "0.0 % of the answers"},
		{"a failure", func(n int64) (int, string) {
			if n == 7 {
				return 500, ""
			}
			return 200, "right"
		}, "1 requests failed"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var n atomic.Int64
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/health" {
					return
				}
				if r.URL.Path != "/v1/run" || r.FormValue("prompt") != "caption en" {
					t.Errorf("%s %q", r.URL.Path, r.FormValue("prompt"))
				}
				status, text := c.answer(n.Add(1))
				w.WriteHeader(status)
				json.NewEncoder(w).Encode(map[string]string{"text": text})
			}))
			defer s.Close()
			var out bytes.Buffer
			err := run([]string{"--clients", "4", "--asks", "5", "--answers", answers, s.URL}, &out)
			if c.want == "" && (err != nil || !strings.HasPrefix(out.String(), "20 answers to 4 clients")) {
				t.Errorf("%v, %q", err, out.String())
			}
			if c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("have %v, want %q", err, c.want)
			}
		})
	}
}
