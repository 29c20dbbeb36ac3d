package server

import (
	"encoding/base64"
	"encoding/json"
	"maps"
	"strings"
	"testing"
	"time"
)

func b64(n int) string { return base64.StdEncoding.EncodeToString(solidPNG(colour(n))) }

// pieces reads a stream of JSON lines: the text they make, and the last of them.
func pieces(t *testing.T, g got) (text string, last ollamaEnd) {
	t.Helper()
	if g.header.Get("Content-Type") != "application/x-ndjson" {
		t.Fatalf("%+v", g)
	}
	for line := range strings.Lines(g.body) {
		last = ollamaEnd{}
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
	want, images := answered(1, "ocr é"), []string{b64(1)}
	for _, c := range []struct {
		path string
		body object
	}{
		{"/api/generate", object{"model": "toy", "prompt": "ocr é", "images": images}},
		{"/api/chat", object{"model": "toy:latest",
			"messages": []object{{"role": "user", "content": "ocr é", "images": images}}}},
	} {
		t.Run(c.path, func(t *testing.T) {
			have, last := pieces(t, s.post(c.path, c.body))
			if have != want || !last.Done || last.Reason != "stop" || last.Model != "toy" || last.Tokens < 10 ||
				last.PromptTokens < 10 || last.Total <= 0 || last.Time <= 0 ||
				(last.Message != nil) != (c.path == "/api/chat") {
				t.Errorf("%q, %+v", have, last)
			}
			maps.Copy(c.body, object{"stream": false, "logprobs": true,
				"options": object{"num_predict": 5, "num_ctx": 4096, "temperature": 0.5, "seed": -1}})
			var whole ollamaEnd
			g := s.post(c.path, c.body)
			g.decode(t, &whole)
			if !whole.Done || whole.Reason != "length" || whole.Tokens != 5 || len(whole.Logprobs) != 5 ||
				g.header.Get("Content-Type") != "application/json" {
				t.Errorf("%s", g.body)
			}
		})
	}
	schema := `{"type":"object","properties":{"objects":{"type":"array","items":{"type":"object",
		"properties":{"label":{"type":"string"}}}}}}`
	body := object{"model": "toy", "prompt": "detect cat", "images": images, "stream": false,
		"format": json.RawMessage(schema)}
	var whole ollamaEnd
	s.post("/api/generate", body).decode(t, &whole)
	if *whole.Response != `{"objects":[{"label":"cat"}]}` {
		t.Errorf("format: %s", *whole.Response)
	}
	body["format"] = "json"
	s.post("/api/generate", body).decode(t, &whole)
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
	if g := s.get("/api/version"); g.body != `{"pali":"1.2.3","version":"0.17.4"}`+"\n" {
		t.Errorf("%+v", g)
	}
	var list struct{ Models []tagJSON }
	s.get("/api/tags").decode(t, &list)
	first := list.Models[0]
	if len(list.Models) != 2 || first.Name != "toy" || first.Size != 12345 || first.Details.Quantization != "Q8_0" ||
		first.Modified.Unix() != 1700000000 {
		t.Errorf("%+v", list)
	}
	var info struct {
		Capabilities []string
		Info         object `json:"model_info"`
	}
	s.post("/api/show", object{"model": "toy:latest"}).decode(t, &info)
	if len(info.Capabilities) != 2 || info.Info["gemma.block_count"] != 18. ||
		info.Info["general.parameter_count"] != 3e9 {
		t.Errorf("%+v", info)
	}
	for _, g := range []got{s.post("/api/show", object{"model": "no"}), s.post("/api/show", object{})} {
		if g.status != 404 || !strings.HasPrefix(g.body, `{"error":"no such model`) {
			t.Errorf("%+v", g)
		}
	}
	for _, path := range []string{"/api/create", "/api/push", "/api/copy", "/api/blobs/sha256:0"} {
		if g := s.post(path, object{}); g.status != 400 || !strings.Contains(g.body, `"error":"Pali serves`) {
			t.Errorf("%s: %+v", path, g)
		}
	}
}

// What is listed of a model's memory is a GPU's where its worker says that it runs on one.
func TestVRAM(t *testing.T) {
	s := serve(t, func(o *Options) { o.Models = []*Model{toy("gpu", "PALI_TOY_GPU=1"), toy("cpu")} })
	for _, c := range []struct {
		model string
		vram  int64
	}{{"gpu", 1000}, {"cpu", 0}} {
		t.Run(c.model, func(t *testing.T) {
			s.post("/api/generate", object{"model": c.model})
			var list struct{ Models []loadedJSON }
			s.get("/api/ps").decode(t, &list)
			last := list.Models[len(list.Models)-1]
			if last.Name != c.model || last.VRAM != c.vram || last.Size != 1000 {
				t.Errorf("%+v", last)
			}
		})
	}
}

// A model is loaded by an empty request, stays as long as is asked, and goes at once where that is
// nothing.
func TestKeepAlive(t *testing.T) {
	s := serve(t)
	loaded := func() []loadedJSON {
		var list struct{ Models []loadedJSON }
		s.get("/api/ps").decode(t, &list)
		return list.Models
	}
	if l := loaded(); len(l) != 0 {
		t.Fatalf("%+v", l)
	}
	expect := func(path string, body object, reason string, minTime, maxTime time.Duration) {
		t.Helper()
		body["model"] = "toy"
		var a ollamaEnd
		if s.post(path, body).decode(t, &a); !a.Done || a.Reason != reason {
			t.Errorf("%v: %+v", body, a)
		}
		for range 100 {
			if maxTime > 0 || len(loaded()) == 0 {
				break
			}
			time.Sleep(10 * time.Millisecond)
		}
		switch l := loaded(); {
		case maxTime == 0 && len(l) != 0:
			t.Errorf("%v: %+v", body, l)
		case maxTime > 0 && (len(l) != 1 || time.Until(l[0].Expires) < minTime || time.Until(l[0].Expires) > maxTime):
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
	g := s.post("/api/generate", object{"model": "toy", "keep_alive": "soon"})
	if g.status != 400 || !strings.Contains(g.body, "keep_alive") {
		t.Errorf("%+v", g)
	}
}

func TestOllamaRefused(t *testing.T) {
	s := serve(t)
	for _, c := range []struct {
		want   string
		fields object
	}{
		{"no such model", object{"model": "llama3"}},
		{"answers about images", object{"images": []string{}}},
		{"base64", object{"images": []string{"!"}}},
		{"not fetched", object{"images": []string{"http://127.0.0.1/"}}},
		{"system", object{"system": "Be brief."}},
		{"template", object{"template": "{{ .System }} {{ .Prompt }}"}},
		{"context", object{"context": []int{1, 2}}},
		{"think", object{"think": true}},
		{"stop", object{"options": object{"stop": []string{"."}}}},
		{"options.repeat_penalty", object{"options": object{"repeat_penalty": 1.1}}},
		{"options.mirostat", object{"options": object{"mirostat": 2}}},
		{"options.presence_penalty", object{"options": object{"presence_penalty": 0.5}}},
		{"response_format", object{"response_format": object{"type": "json_object"}}},
		{"found \"xml\"", object{"format": "xml"}},
		{"temperature", object{"options": object{"temperature": -1}}},
		{"detect cat", object{"format": "json"}},
		{"schema", object{"format": object{"type": "object"}}},
	} {
		t.Run(c.want, func(t *testing.T) {
			body := object{"model": "toy", "prompt": "ocr", "images": []string{b64(1)}}
			maps.Copy(body, c.fields)
			var e struct{ Error string }
			g := s.post("/api/generate", body)
			if g.decode(t, &e); g.status < 400 || g.status >= 500 || !strings.Contains(e.Error, c.want) {
				t.Errorf("%d %s", g.status, g.body)
			}
		})
	}
	system := []object{{"role": "system", "content": "x"}}
	g := s.post("/api/chat", object{"model": "toy", "messages": system})
	if g.status != 400 || !strings.Contains(g.body, "system") {
		t.Errorf("%+v", g)
	}
	g = s.post("/api/generate", object{"model": "toy", "prompt": "fault hang", "images": []string{b64(1)}})
	if g.status != 200 || !strings.Contains(g.body, `{"error":"the process`) {
		t.Errorf("lost in a stream: %+v", g)
	}
	g = s.do("POST", "/api/generate", `{"model":"toy"}`, "Content-Type", "application/x-www-form-urlencoded")
	if g.status != 200 {
		t.Errorf("as curl sends it: %+v", g)
	}
}
