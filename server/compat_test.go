package server

// This file: what the protocols of others promise, in the letter.

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strings"
	"testing"
)

// asked is one question by each protocol: drawn from more than one answer at a temperature.
var asked = []struct {
	name, path string
	body       func(settings object) object
	answer     func(t *testing.T, g got) (text string, seed *uint64)
}{
	{"native", "/v1/run", func(o object) object {
		all := object{"prompt": "ocr", "image": uri(1)}
		maps.Copy(all, o)
		return all
	}, func(t *testing.T, g got) (string, *uint64) {
		var a struct {
			Text string
			Seed *uint64
		}
		g.decode(t, &a)
		return a.Text, a.Seed
	}},
	{"chat completions", "/v1/chat/completions", func(o object) object {
		all := object{"messages": []object{userMessage("ocr", 1)}}
		maps.Copy(all, o)
		return all
	}, func(t *testing.T, g got) (string, *uint64) {
		var a chatJSON
		g.decode(t, &a)
		return *a.Choices[0].Message.Content, a.Seed
	}},
	{"responses", "/v1/responses", func(o object) object {
		all := object{"input": input("ocr")}
		maps.Copy(all, o)
		return all
	}, func(t *testing.T, g got) (string, *uint64) {
		var a responseJSON
		g.decode(t, &a)
		return a.Output[0].Content[0].Text, a.Seed
	}},
	{"generate", "/api/generate", func(o object) object {
		return object{"model": "toy", "prompt": "ocr", "images": []string{b64(1)}, "stream": false, "options": o}
	}, func(t *testing.T, g got) (string, *uint64) {
		var a ollamaEnd
		g.decode(t, &a)
		return *a.Response, a.Seed
	}},
	{"chat", "/api/chat", func(o object) object {
		return object{"model": "toy", "stream": false, "options": o,
			"messages": []object{{"role": "user", "content": "ocr", "images": []string{b64(1)}}}}
	}, func(t *testing.T, g got) (string, *uint64) {
		var a ollamaEnd
		g.decode(t, &a)
		return a.Message.Content, a.Seed
	}},
}

// Without a seed, or with -1, each answer is drawn by another one, which the answer tells and which
// draws it again.
func TestSeeds(t *testing.T) {
	s := serve(t)
	for _, c := range asked {
		t.Run(c.name, func(t *testing.T) {
			ask := func(seed any) (string, *uint64) {
				o := object{"temperature": 50, "seed": seed}
				if seed == nil {
					delete(o, "seed")
				}
				return c.answer(t, s.post(c.path, c.body(o)))
			}
			seen := map[uint64]string{}
			for _, given := range []any{nil, nil, -1, -1, json.RawMessage("-1.0"), json.RawMessage("null")} {
				text, seed := ask(given)
				if seed == nil || *seed >= 1<<31 {
					t.Fatalf("seed %v: %v told", given, seed)
				}
				seen[*seed] = text
			}
			if len(seen) < 6 {
				t.Errorf("%d seeds in 6 answers", len(seen))
			}
			texts := map[string]bool{}
			for drawn, want := range seen {
				if text, seed := ask(drawn); text != want || *seed != drawn {
					t.Errorf("seed %d: %q, then %q", drawn, want, text)
				}
				texts[want] = true
			}
			if len(texts) < 3 {
				t.Errorf("%d answers of 6 seeds", len(texts))
			}
			if _, seed := ask(0); seed == nil || *seed != 0 {
				t.Errorf("seed 0: %v", seed)
			}
			if _, seed := c.answer(t, s.post(c.path, c.body(object{}))); seed != nil {
				t.Errorf("a greedy answer tells the seed %d", *seed)
			}
		})
	}
}

// An answer ends at the server's limit where the client allows more, and says so.
func TestTokenLimits(t *testing.T) {
	s := serve(t, func(o *Options) { o.MaxTokens = 6 })
	finish := func(t *testing.T, g got) string {
		t.Helper()
		var a struct {
			Reason  string `json:"done_reason"`
			Choices []struct {
				Finish string `json:"finish_reason"`
			}
			Incomplete *struct{ Reason string } `json:"incomplete_details"`
		}
		if g.decode(t, &a); g.status != 200 {
			t.Fatalf("%d %s", g.status, g.body)
		}
		switch {
		case a.Incomplete != nil:
			return strings.Replace(a.Incomplete.Reason, "max_output_tokens", "length", 1)
		case len(a.Choices) > 0:
			return a.Choices[0].Finish
		}
		return a.Reason
	}
	for _, c := range asked[1:] {
		for _, field := range map[string][]string{
			"chat completions": {"max_tokens", "max_completion_tokens"}, "responses": {"max_output_tokens"},
			"generate": {"num_predict"}, "chat": {"num_predict"},
		}[c.name] {
			for _, n := range []any{4096, 1 << 40, -1, nil, 6, json.RawMessage("7.0")} {
				t.Run(fmt.Sprintf("%s, %s %v", c.name, field, n), func(t *testing.T) {
					g := s.post(c.path, c.body(object{field: n}))
					if have := finish(t, g); have != "length" {
						t.Errorf("%q: %s", have, g.body)
					}
					if text, _ := c.answer(t, g); len(text) != 6 {
						t.Errorf("%q: want 6 tokens", text)
					}
				})
			}
			t.Run(c.name+", fewer", func(t *testing.T) {
				if text, _ := c.answer(t, s.post(c.path, c.body(object{field: 2}))); len(text) != 2 {
					t.Errorf("%q", text)
				}
			})
		}
	}
	for _, n := range []int{0, -1, -2} { // Ollama's words for no bound
		if text, _ := asked[3].answer(t, s.post("/api/generate",
			asked[3].body(object{"num_predict": n}))); len(text) != 6 {
			t.Errorf("num_predict %d: %q", n, text)
		}
	}
	short := toy("toy")
	short.Info.MaxContext = 4 + 2 + len("ocr") + 5
	s = serve(t, func(o *Options) { o.Models = []*Model{short} })
	if g := s.chat(object{"max_tokens": 4096}, userMessage("ocr", 1)); finish(t, g) != "length" {
		t.Errorf("beyond the context: %s", g.body)
	}
}

// Fields that clients send though they change nothing are taken, on each route.
func TestHarmlessDefaults(t *testing.T) {
	s := serve(t)
	for _, c := range []struct {
		path   string
		fields string
	}{
		{"/v1/chat/completions", `{"stream":null,"n":1,"tools":[],"tool_choice":"auto","response_format":{"type":"text"},
			"user":"me","metadata":{},"stop":[],"frequency_penalty":0,"presence_penalty":0.0,"logit_bias":{},"seed":null,
			"max_tokens":null,"logprobs":false,"top_logprobs":0,"stream_options":null,"parallel_tool_calls":true,
			"temperature":null,"top_p":1,"store":false,"service_tier":"auto","modalities":["text"],"functions":null,
			"repetition_penalty":1.0,"top_k":-1,"min_p":0}`},
		{"/v1/chat/completions", `{"stop":null,"tools":null,"tool_choice":null,"response_format":null,"logit_bias":null,
			"n":null,"user":null,"logprobs":null,"top_logprobs":null,"max_completion_tokens":1024.0}`},
		{"/v1/chat/completions", `{"stop":"","stop_sequences":[],"tool_choice":"none"}`},
		{"/v1/responses", `{"stream":null,"tools":[],"tool_choice":"auto","user":"me","metadata":{},"store":true,
			"instructions":null,"previous_response_id":null,"truncation":"disabled","text":{"format":{"type":"text"}},
			"reasoning":{"effort":null},"include":null,"top_logprobs":null,"parallel_tool_calls":true}`},
		{"/api/generate", `{"system":"","template":"{{ .Prompt }}","suffix":"","context":[],"raw":true,"think":false,
			"keep_alive":"5m","format":"","logprobs":false,"top_logprobs":0,"options":{"num_ctx":4096,"num_predict":128.0,
			"num_batch":512,"num_gpu":-1,"num_thread":0,"use_mmap":true,"repeat_penalty":1.0,"repeat_last_n":64,
			"presence_penalty":0,"frequency_penalty":0,"stop":[],"mirostat":0,"mirostat_eta":0.1,"tfs_z":1,"typical_p":1,
			"num_keep":4,"top_k":-1,"seed":null,"temperature":0.0}}`},
		{"/api/generate", `{"context":null,"images":null,"think":null,"keep_alive":-1,"format":null,"options":null}`},
		{"/api/chat",
			`{"tools":[],"think":false,"keep_alive":"-1","format":"","options":{},"truncate":true,"shift":true}`},
		{"/api/chat", `{"tools":null,"think":"","keep_alive":"300","options":{"repeat_penalty":0,"stop":null}}`},
	} {
		t.Run(c.path, func(t *testing.T) {
			for _, q := range asked {
				if q.path != c.path {
					continue
				}
				body := q.body(object{})
				var fields object
				if err := json.Unmarshal([]byte(c.fields), &fields); err != nil {
					t.Fatal(err)
				}
				if fields["images"] == nil {
					delete(fields, "images")
				}
				maps.Copy(body, fields)
				want := 1
				if c.path == "/v1/responses" {
					want = 2
				}
				if have, _ := q.answer(t, s.post(c.path, body)); have != answered(want, "ocr") {
					t.Errorf("%q", have)
				}
			}
		})
	}
}

// An image is found however a client puts it.
func TestImagesAsClientsSendThem(t *testing.T) {
	s := serve(t)
	plain, want := b64(1), answered(1, "ocr")
	lines := ""
	for i := 0; i < len(plain); i += 76 {
		lines += plain[i:min(i+76, len(plain))] + "\r\n"
	}
	urlSafe := strings.NewReplacer("+", "-", "/", "_", "=", "").Replace(plain)
	for _, c := range []struct{ name, image string }{
		{"base64", plain}, {"without padding", strings.TrimRight(plain, "=")}, {"for addresses", urlSafe},
		{"in lines", lines}, {"indented", "\n\t " + strings.ReplaceAll(lines, "\r\n", "\n\t ")},
		{"a data URI", uri(1)}, {"a data URI in capitals",
			strings.Replace(uri(1), "data:image/png;base64", "DATA:image/PNG;BASE64", 1)},
		{"a data URI with a parameter", strings.Replace(uri(1), ";base64", ";name=a.png;base64", 1)},
		{"a data URI without a type", "data:;base64," + plain},
		{"a data URI escaped", "data:image/png;base64," +
			strings.NewReplacer("+", "%2B", "/", "%2F", "=", "%3D").Replace(plain)},
		{"a data URI without its name", "image/png;base64," + plain}, {"Python's bytes", "b'" + plain + "'"},
	} {
		t.Run(c.name, func(t *testing.T) {
			part := func(v any) object { return object{"type": "image_url", "image_url": v} }
			words := object{"type": "text", "text": "ocr"}
			for name, g := range map[string]got{
				"native":         s.post("/v1/run", object{"prompt": "ocr", "image": c.image}),
				"native, a list": s.post("/v1/run", object{"prompt": "ocr", "images": []string{c.image}}),
				"native, a text": s.post("/v1/run", object{"prompt": "ocr", "images": c.image}),
				"generate": s.post("/api/generate",
					object{"model": "toy", "prompt": "ocr", "images": []string{c.image}, "stream": false}),
				"generate, alone": s.post("/api/generate",
					object{"model": "toy", "prompt": "ocr", "images": c.image, "stream": false}),
				"chat": s.post("/api/chat", object{"model": "toy", "stream": false,
					"messages": []object{{"role": "user", "content": "ocr", "images": []string{c.image}}}}),
				"OpenAI's parts at Ollama's route": s.post("/api/chat",
					object{"model": "toy", "stream": false, "messages": []object{
						{"role": "user", "content": []object{words, part(object{"url": c.image})}}}}),
				"Ollama's images at OpenAI's route": s.chat(nil,
					object{"role": "user", "content": "ocr", "images": []string{c.image}}),
				"generate, image": s.post("/api/generate",
					object{"model": "toy", "prompt": "ocr", "image": c.image, "stream": false}),
				"chat, image": s.post("/api/chat", object{"model": "toy", "stream": false,
					"messages": []object{{"role": "user", "content": "ocr", "image": c.image}}}),
				"completions": s.chat(nil,
					object{"role": "user", "content": []object{words, part(object{"url": c.image})}}),
				"completions, a text": s.chat(nil, object{"role": "user", "content": []any{"ocr", part(c.image)}}),
				"completions, another name": s.chat(nil, object{"role": "user", "content": []object{words,
					{"type": "image", "image": c.image}}}),
			} {
				if g.status != 200 || !strings.Contains(g.body, `"`+want+`"`) {
					t.Errorf("%s: %d %s", name, g.status, g.body[:min(len(g.body), 300)])
				}
			}
		})
	}
}

// What is not an image is refused with its field, what it is, and what is wanted.
func TestImagesRefused(t *testing.T) {
	s := serve(t)
	for _, c := range []struct{ name, image, want string }{
		{"a path", "/home/me/cat.png", "found the path"},
		{"a path without an ending", "/home/me/cat", "found the path"},
		{"a path at home", "~/cat.jpg", "found the path"},
		{"a path here", "./cat.png", "found the path"},
		{"a name", "cat.jpeg", "found the path"},
		{"Windows' path", `C:\Users\me\cat.png`, "found the path"},
		{"Windows' relative path", `pictures\cat.png`, "found the path"},
		{"a file's address", "file:///home/me/cat.png", "found the path"},
		{"an address", "https://example.org/cat.png", "images by address are not fetched here"},
		{"another address", "ftp://example.org/cat.png", `found \"ftp://example.org/cat.png\"`},
		{"a browser's address", "blob:http://localhost/1234", "found"},
		{"nothing", " ", "an empty text"},
		{"not base64", "aGVsbG8!aGVsbG8=", "byte 8 of 16 is '!'"},
		{"cut off", b64(1)[:101], "cut off"},
		{"no image", "aGVsbG8=", "not an image"},
		{"a data URI of a text", "data:text/plain,hello", "a data URI without base64"},
	} {
		t.Run(c.name, func(t *testing.T) {
			for field, g := range map[string]got{
				"images[1]": s.post("/api/generate",
					object{"model": "toy", "prompt": "ocr", "images": []string{b64(1), c.image}}),
				"image": s.post("/v1/run", object{"prompt": "ocr", "image": c.image}),
				"messages[0].images[0]": s.post("/api/chat", object{"model": "toy",
					"messages": []object{{"role": "user", "content": "ocr", "images": []string{c.image}}}}),
				"messages[0].content[1].image_url": s.chat(nil, object{"role": "user", "content": []object{
					{"type": "text", "text": "ocr"}, {"type": "image_url", "image_url": object{"url": c.image}}}}),
			} {
				named := strings.Contains(g.body, field+": ") || c.name == "no image"
				if g.status != http.StatusBadRequest || !strings.Contains(g.body, c.want) || !named ||
					len(g.body) > 500 {
					t.Errorf("%s: %d %s", field, g.status, g.body)
				}
			}
		})
	}
}

// Slashes at the end of a route, doubled ones, and HEAD mean the route.
func TestPaths(t *testing.T) {
	s := serve(t)
	for _, c := range []struct {
		method, path string
		status       int
		want         string
	}{
		{"GET", "/v1/models/", 200, `"object":"list"`},
		{"GET", "//v1//models", 200, `"object":"list"`},
		{"GET", "/v1/models/toy/", 200, `"id":"toy"`},
		{"GET", "/api/tags/", 200, `"models"`},
		{"GET", "/api//tags", 200, `"models"`},
		{"GET", "/api/ps/?a=b", 200, `"models"`},
		{"GET", "/api/version//", 200, `"version"`},
		{"GET", "/health/", 503, "loading"},
		{"GET", "//", 200, "Ollama is running"},
		{"HEAD", "/api/tags/", 200, ""}, {"HEAD", "/api/version", 200, ""}, {"HEAD", "//", 200, ""},
		{"HEAD", "/v1/models/", 200, ""},
		{"OPTIONS", "/api/chat/", 204, ""}, {"OPTIONS", "/v1/models", 204, ""},
		{"POST", "/api/show/", 200, `"capabilities"`},
		{"POST", "//api//show", 200, `"capabilities"`},
		{"DELETE", "/api/delete/", 400, "not supported"},
		{"POST", "/v1/completions", 400, "use /v1/chat/completions"},
		{"POST", "/v1/embeddings/", 400, "no embeddings"},
		{"POST", "/chat/completions", 400, "there is no message"},
		{"POST", "/responses/", 400, "input: want a text"},
		{"GET", "/models/", 200, `"object":"list"`},
		{"POST", "/v1/v1/chat/completions", 404, "did you mean /v1/chat/completions?"},
		{"POST", "/v1/api/chat", 404, "did you mean /api/chat?"},
		{"GET", "/api/models", 404, "did you mean /v1/models?"},
		{"GET", "/tags", 404, "did you mean /api/tags?"},
		{"GET", "/nothing", 404, "no such route: GET /openapi.json lists all"},
		{"GET", "/api/chat/", 405, "this route takes POST"},
	} {
		t.Run(c.method+" "+c.path, func(t *testing.T) {
			r, err := http.NewRequest(c.method, s.url, strings.NewReader(`{"model":"toy"}`))
			if err != nil {
				t.Fatal(err)
			}
			if c.method == "GET" || c.method == "HEAD" || c.method == "OPTIONS" {
				r.Body = http.NoBody
				r.ContentLength = 0
			}
			r.URL.Path, r.URL.RawQuery, _ = strings.Cut(c.path, "?")
			r.Header.Set("Content-Type", "application/json")
			resp, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			b, err := io.ReadAll(resp.Body)
			if err != nil || resp.StatusCode != c.status || !strings.Contains(string(b), c.want) {
				t.Errorf("%d %s, %v", resp.StatusCode, b, err)
			}
		})
	}
}

// OpenAI's client in a browser asks whether it may send headers of its own.
func TestPreflight(t *testing.T) {
	s := serve(t, func(o *Options) { o.Origins = []string{"https://example.org"} })
	const wanted = "authorization,content-type,x-stainless-lang,x-stainless-os"
	for _, c := range []struct{ origin, want string }{{"https://example.org", wanted}, {"https://example.com", ""}} {
		g := s.do("OPTIONS", "/v1/chat/completions/", "", "Origin", c.origin, "Access-Control-Request-Method", "POST",
			"Access-Control-Request-Headers", wanted)
		if have := g.header.Get("Access-Control-Allow-Headers"); have != c.want {
			t.Errorf("%s: %d, %q", c.origin, g.status, have)
		}
	}
}
