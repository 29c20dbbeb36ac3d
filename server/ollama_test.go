package server

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
	"time"
)

func b64(n int) string { return base64.StdEncoding.EncodeToString(plain(colour(n))) }

// pieces reads a stream of JSON lines: the text they make, and the last of them.
func pieces(t *testing.T, g got) (text string, last ollamaJSON) {
	t.Helper()
	if g.header.Get("Content-Type") != "application/x-ndjson" {
		t.Fatalf("%+v", g)
	}
	for line := range strings.Lines(g.body) {
		last = ollamaJSON{}
		if err := json.Unmarshal([]byte(line), &last); err != nil || last.Created.IsZero() {
			t.Fatalf("%v: %s", err, line)
		}
		if last.Message != nil {
			text += last.Message.Content
		} else {
			text += *last.Response
		}
	}
	return text, last
}

func TestOllama(t *testing.T) {
	s := serve(t)
	want := answered(1, "ocr é")
	generate := object{"model": "toy", "prompt": "ocr é", "images": []string{b64(1)}}
	chat := object{"model": "toy:latest", "messages": []object{{"role": "user", "content": "ocr é", "images": []string{b64(1)}}}}
	for path, body := range map[string]object{"/api/generate": generate, "/api/chat": chat} {
		have, last := pieces(t, s.post(path, body))
		if have != want || !last.Done || last.Reason != "stop" || last.Model != "toy" || last.Tokens < 10 || last.PromptTokens < 10 || last.Total <= 0 || last.Time <= 0 || (last.Message != nil) != (path == "/api/chat") {
			t.Errorf("%s: %q, %+v", path, have, last)
		}
		body["stream"], body["logprobs"], body["options"] = false, true, object{"num_predict": 5, "num_ctx": 4096, "temperature": 0.5, "seed": -1}
		var whole ollamaJSON
		g := s.post(path, body)
		g.decode(t, &whole)
		if !whole.Done || whole.Reason != "length" || whole.Tokens != 5 || len(whole.Logprobs) != 5 || g.header.Get("Content-Type") != "application/json" {
			t.Errorf("%s: %s", path, g.body)
		}
	}
	var whole ollamaJSON
	s.post("/api/generate", object{"model": "toy", "prompt": "detect cat", "images": []string{b64(1)}, "stream": false,
		"format": json.RawMessage(`{"type":"object","properties":{"objects":{"type":"array","items":{"type":"object","properties":{"label":{"type":"string"}}}}}}`)}).decode(t, &whole)
	if *whole.Response != `{"objects":[{"label":"cat"}]}` {
		t.Errorf("format: %s", *whole.Response)
	}
	s.post("/api/generate", object{"model": "toy", "prompt": "detect cat", "images": []string{b64(1)}, "stream": false, "format": "json"}).decode(t, &whole)
	if !strings.HasPrefix(*whole.Response, `{"objects":[{"label":"cat","loc":`) {
		t.Errorf("format json: %s", *whole.Response)
	}
}

func TestOllamaLists(t *testing.T) {
	s := serve(t, func(o *Options) { o.Models = append(o.Models, toy("other")) })
	if g := s.get("/"); g.body != "Ollama is running" || g.status != 200 {
		t.Errorf("%+v", g)
	}
	if g := s.do("HEAD", "/", ""); g.body != "" || g.status != 200 {
		t.Errorf("HEAD: %+v", g)
	}
	if g := s.get("/api/version"); g.body != `{"version":"1.2.3"}`+"\n" {
		t.Errorf("%+v", g)
	}
	var list struct{ Models []tagJSON }
	s.get("/api/tags").decode(t, &list)
	if len(list.Models) != 2 || list.Models[0].Name != "toy" || list.Models[0].Size != 12345 || list.Models[0].Details.Quantization != "Q8_0" || list.Models[0].Modified.Unix() != 1700000000 {
		t.Errorf("%+v", list)
	}
	var about struct {
		Capabilities []string
		Info         object `json:"model_info"`
	}
	s.post("/api/show", object{"model": "toy:latest"}).decode(t, &about)
	if len(about.Capabilities) != 2 || about.Info["gemma.block_count"] != 18. || about.Info["general.parameter_count"] != 3e9 {
		t.Errorf("%+v", about)
	}
	for _, g := range []got{s.post("/api/show", object{"model": "no"}), s.post("/api/show", object{})} {
		if g.status != 404 || !strings.HasPrefix(g.body, `{"error":"no such model`) {
			t.Errorf("%+v", g)
		}
	}
	for _, path := range []string{"/api/pull", "/api/embed", "/api/embeddings", "/api/create", "/api/push", "/api/copy"} {
		if g := s.post(path, object{}); g.status != 400 || !strings.Contains(g.body, `"error":"Pali serves`) {
			t.Errorf("%s: %+v", path, g)
		}
	}
}

// A model is loaded by an empty request, stays as long as is asked, and goes at once where that is
// nothing.
func TestKeepAlive(t *testing.T) {
	s := serve(t)
	loaded := func() []tagJSON {
		var list struct{ Models []tagJSON }
		s.get("/api/ps").decode(t, &list)
		return list.Models
	}
	if l := loaded(); len(l) != 0 {
		t.Fatalf("%+v", l)
	}
	expect := func(path string, body object, reason string, least, most time.Duration) {
		t.Helper()
		body["model"] = "toy"
		var a ollamaJSON
		if s.post(path, body).decode(t, &a); !a.Done || a.Reason != reason {
			t.Errorf("%v: %+v", body, a)
		}
		for range 100 {
			if most > 0 || len(loaded()) == 0 {
				break
			}
			time.Sleep(10 * time.Millisecond)
		}
		switch l := loaded(); {
		case most == 0 && len(l) != 0:
			t.Errorf("%v: %+v", body, l)
		case most > 0 && (len(l) != 1 || time.Until(*l[0].Expires) < least || time.Until(*l[0].Expires) > most):
			t.Errorf("%v: %+v", body, l)
		}
	}
	hour := 50 * time.Minute
	expect("/api/generate", object{}, "load", 50*time.Second, time.Minute)
	expect("/api/chat", object{"keep_alive": "1h"}, "load", hour, time.Hour)
	expect("/api/generate", object{"keep_alive": -1}, "load", 24*hour, 1000000*time.Hour)
	expect("/api/generate", object{"keep_alive": 0}, "unload", 0, 0)
	ask := object{"prompt": "ocr", "images": []string{b64(1)}, "stream": false, "keep_alive": 3600}
	expect("/api/generate", ask, "stop", hour, time.Hour)
	ask["keep_alive"] = "0s"
	expect("/api/generate", ask, "stop", 0, 0)
	expect("/api/generate", object{"keep_alive": "100ms"}, "load", 0, 0) // it goes by itself
	if g := s.post("/api/generate", object{"model": "toy", "keep_alive": "soon"}); g.status != 400 || !strings.Contains(g.body, "keep_alive") {
		t.Errorf("%+v", g)
	}
}

func TestOllamaRefused(t *testing.T) {
	s := serve(t)
	for want, fields := range map[string]object{
		"no such model":        {"model": "llama3"},
		"answers about images": {"images": []string{}},
		"base64":               {"images": []string{"!"}},
		"not fetched":          {"images": []string{"http://127.0.0.1/"}},
		"system":               {"system": "Be brief."},
		"template":             {"template": "{{ .Prompt }}"},
		"context":              {"context": []int{1, 2}},
		"think":                {"think": true},
		"stop":                 {"options": object{"stop": []string{"."}}},
		"penalties":            {"options": object{"repeat_penalty": 1.1}},
		"1 to 1024":            {"options": object{"num_predict": 5000}},
		"temperature":          {"options": object{"temperature": -1}},
		"detect cat":           {"format": "json"},
		"schema":               {"format": object{"type": "object"}},
	} {
		body := object{"model": "toy", "prompt": "ocr", "images": []string{b64(1)}}
		for k, v := range fields {
			body[k] = v
		}
		var e struct{ Error string }
		g := s.post("/api/generate", body)
		if g.decode(t, &e); g.status < 400 || g.status >= 500 || !strings.Contains(e.Error, want) {
			t.Errorf("%v: %d %s", fields, g.status, g.body)
		}
	}
	if g := s.post("/api/chat", object{"model": "toy", "messages": []object{{"role": "system", "content": "x"}}}); g.status != 400 || !strings.Contains(g.body, "system") {
		t.Errorf("%+v", g)
	}
	if g := s.post("/api/generate", object{"model": "toy", "prompt": "fault hang", "images": []string{b64(1)}}); g.status != 200 || !strings.Contains(g.body, `{"error":"the process`) {
		t.Errorf("lost in a stream: %+v", g)
	}
	if g := s.do("POST", "/api/generate", `{"model":"toy"}`, "Content-Type", "application/x-www-form-urlencoded"); g.status != 200 {
		t.Errorf("as curl sends it: %+v", g)
	}
}
