package server

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// streamed are requests for a stream about the n-th image, on each route that streams.
func streamed(n int, prompt string) []struct{ name, path, alive, body string } {
	asJSON := func(v any) string { b, _ := json.Marshal(v); return string(b) }
	message := object{"role": "user", "content": prompt, "images": []string{b64(n)}}
	return []struct{ name, path, alive, body string }{
		{"native", "/v1/run", " ", asJSON(object{"prompt": prompt, "image": uri(n), "stream": true})},
		{"chat completions", "/v1/chat/completions", ": waiting\n\n",
			asJSON(object{"messages": []object{userMessage(prompt, n)}, "stream": true})},
		{"responses", "/v1/responses", ": waiting\n\n", asJSON(object{"stream": true, "input": []object{{"role": "user",
			"content": []object{{"type": "input_text", "text": prompt},
				{"type": "input_image", "image_url": uri(n)}}}}})},
		{"generate", "/api/generate", " ", asJSON(object{"model": "toy", "prompt": prompt,
			"images": []string{b64(n)}})},
		{"chat", "/api/chat", " ", asJSON(object{"model": "toy", "messages": []object{message}})},
	}
}

// open sends a request and returns its response once the header is there.
func (s *running) open(path, body string) *http.Response {
	s.t.Helper()
	resp, err := http.Post(s.url+path, "application/json", strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { resp.Body.Close() })
	return resp
}

// A stream sends its header before its turn, and signs of life until the answer comes, which clients
// read as before.
func TestStreamsThatWait(t *testing.T) {
	s := serve(t, func(o *Options) { o.Quiet = 20 * time.Millisecond })
	s.upload("/v1/caption", 0)
	for _, c := range streamed(2, "what?") {
		t.Run(c.name, func(t *testing.T) {
			before := s.open("/v1/run", streamed(1, "slow 20 "+strings.Repeat("a", 30))[0].body) // for 0.8 s
			first := bufio.NewReader(before.Body)
			defer io.Copy(io.Discard, first)
			if _, err := first.ReadBytes('{'); err != nil { // it is its turn
				t.Fatal(err)
			}
			start := time.Now()
			resp := s.open(c.path, c.body)
			if took := time.Since(start); took > 300*time.Millisecond || resp.StatusCode != 200 ||
				resp.Header.Get("X-Accel-Buffering") != "no" {
				t.Errorf("a header after %v: %d %v", took, resp.StatusCode, resp.Header)
			}
			body, err := io.ReadAll(resp.Body)
			if err != nil || bytes.Count(body, []byte(c.alive)) < 5 {
				t.Errorf("%v, signs of life: %q", err, body)
			}
			var text strings.Builder
			lines := bufio.NewScanner(bytes.NewReader(body))
			for lines.Scan() { // as Ollama's client in Go does, and as readers of events do
				line := lines.Bytes()
				if c.alive != " " {
					after, ok := bytes.CutPrefix(line, []byte("data: "))
					if line = after; !ok || string(line) == "[DONE]" {
						continue
					}
				}
				var v struct {
					Text, Response, Delta string
					Message               struct{ Content string }
					Choices               []struct{ Delta struct{ Content string } }
					Timings               any
					Type                  string
				}
				json.Unmarshal(line, &v)
				if !json.Valid(line) {
					t.Errorf("line %q", line)
				}
				if v.Timings == nil && (v.Type == "" || v.Type == "response.output_text.delta") {
					text.WriteString(v.Text + v.Response + v.Delta + v.Message.Content)
				}
				for _, choice := range v.Choices {
					text.WriteString(choice.Delta.Content)
				}
			}
			if text.String() != answered(2, "what?") {
				t.Errorf("%q of %q", text.String(), body)
			}
		})
	}
	s.idle()
}

// What is known at once about a stream's request is its status; what the model says later is in the
// stream.
func TestStreamsThatFail(t *testing.T) {
	s := serve(t, func(o *Options) { o.Queue = 0 })
	s.upload("/v1/caption", 0)
	broken := func(c struct{ name, path, alive, body string }, n int) string {
		return strings.ReplaceAll(c.body, b64(n), "aGVsbG8=")
	}
	for _, c := range streamed(1, "p") {
		t.Run(c.name, func(t *testing.T) {
			if g := s.do("POST", c.path, broken(c, 1), "Content-Type", "application/json"); g.status != 400 ||
				!strings.Contains(g.body, "not an image") ||
				!strings.HasPrefix(g.header.Get("Content-Type"), "application/json") {
				t.Errorf("no image: %+v", g)
			}
		})
	}
	for _, c := range streamed(1, "fail") {
		t.Run(c.name+" fails later", func(t *testing.T) {
			resp := s.open(c.path, c.body)
			body, err := io.ReadAll(resp.Body)
			if err != nil || resp.StatusCode != 200 ||
				!strings.Contains(string(body), "the model failed on this request") ||
				strings.Contains(string(body), "/secret") {
				t.Errorf("%v: %d %s", err, resp.StatusCode, body)
			}
		})
	}
	running := s.open("/v1/run", streamed(1, "slow 20 "+strings.Repeat("a", 30))[0].body)
	for _, c := range streamed(2, "p") {
		t.Run(c.name+" when the queue is full", func(t *testing.T) {
			g := s.do("POST", c.path, c.body, "Content-Type", "application/json")
			if g.status != 503 || g.header.Get("Retry-After") == "" {
				t.Errorf("%+v", g)
			}
		})
	}
	io.Copy(io.Discard, running.Body)
}
