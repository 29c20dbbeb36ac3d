package server

import (
	"net/http"
	"strings"
	"testing"
)

// What cannot be read is said in a client's words: which field, what was found, what is wanted.
func TestWords(t *testing.T) {
	s := serve(t)
	long := strings.Repeat("9", 100_000)
	for _, c := range []struct{ name, path, body, want string }{
		{"a list for an object", "/v1/chat/completions", `[]`, "the body: want an object, found a list"},
		{"a text for an object", "/api/chat", `"hello"`, "the body: want an object, found a text"},
		{"a list for a text", "/api/generate", `{"model":["toy"]}`, "model: want a text, found a list"},
		{"a number for a text", "/api/generate", `{"prompt":5}`, "prompt: want a text, found a number"},
		{"an object for a list", "/api/chat", `{"messages":{"role":"user"}}`, "messages: want a list, found an object"},
		{"a text for a list of messages", "/v1/chat/completions", `{"messages":"ocr"}`,
			"messages: want a list, found a text"},
		{"within a list", "/api/chat", `{"messages":[{"role":"user","content":"a"}, {"role":{}}]}`,
			"messages[1].role: want a text, found an object"},
		{"a text within a list", "/v1/chat/completions", `{"messages":[ "ocr"]}`,
			"messages[0]: want an object, found a text\",\"type"},
		{"after nested values", "/api/generate", `{"images":["a",["b"],{"c":[1]}],"options":{"top_k":true}}`,
			"options.top_k: want a whole number, found a truth value"},
		{"a list for an image", "/api/generate", `{"images":["a",["b"]]}`,
			"images[1]: want an image in base64, found a list"},
		{"a number in a native list", "/v1/detect", `{"things":["a",5]}`, "things[1]: want a text, found the number 5"},
		{"an option", "/api/generate", `{"options":{"num_ctx":1,"top_p":true}}`,
			"options.top_p: want a number, found a truth value"},
		{"a quoted number", "/api/generate", `{"options":{"temperature":"0.5"}}`,
			"options.temperature: want a number, found a text: write it without quotes"},
		{"a quoted truth value", "/api/chat", `{"stream":"false"}`,
			"stream: want true or false, found a text: write it without quotes"},
		{"a part", "/v1/chat/completions", `{"max_tokens":1.5}`,
			"max_tokens: want a whole number, found the number 1.5"},
		{"a quoted whole number", "/v1/chat/completions", `{"seed":"7"}`,
			"seed: want a whole number, found a text: write it without quotes"},
		{"options as a list", "/api/generate", `{"options":[]}`, "options: want an object, found a list"},
		{"a text of a native list", "/v1/detect", `{"things":{"a":1}}`, "things: want a list, found an object"},
		{"not an image", "/api/generate", `{"model":"toy","prompt":"a","images":["aGk="]}`,
			"images[0]: not an image that is known here"},
		{"the second is not an image", "/v1/run", `{"prompt":"a","images":["` + b64(1) + `","aGk="]}`,
			"images[1]: not an image that is known here"},
		{"a native truth value", "/v1/run", `{"stream":1}`, "stream: want true or false, found a number"},
		{"an unknown native field", "/v1/run", `{"promt":"a"}`, `unknown field \"promt\": GET /openapi.json lists`},
		{"a long unknown field", "/v1/run", `{"` + strings.Repeat("a", 1000) + `":1}`, `aaa\"...`},
		{"a long number", "/v1/run", `{"logprobs":` + long + `}`,
			"logprobs: want a whole number, found the number 999"},
		{"an input", "/v1/responses", `{"input":5}`, "input: want a text or a list of messages, found the number 5"},
		{"a content", "/v1/chat/completions", `{"messages":[{"role":"user","content":5}]}`,
			"messages[0].content: want a text or a list of parts, found the number 5"},
		{"a content of Ollama's", "/api/chat", `{"model":"toy","messages":[{"role":"user","content":true}]}`,
			"messages[0].content: want a text or a list of parts, found a truth value"},
		{"a part of a content", "/v1/chat/completions", `{"messages":[{"role":"user","content":[5]}]}`,
			"messages[0].content[0]: want a part, as {"},
		{"keep_alive", "/api/generate", `{"keep_alive":[]}`,
			"keep_alive: want a duration, as \\\"5m\\\", or a number of seconds"},

		{"nothing", "/api/generate", ``, "the body is not JSON: it is empty"},
		{"cmd.exe's quotes", "/api/generate", `{'model':'demo'}`, "line 1, column 2 it has ' and wants"},
		{"no quotes", "/api/generate", `{model:demo}`, "line 1, column 2 it has a name without quotes"},
		{"a word processor's quotes", "/api/generate", `{“model”:1}`, "column 2 it has the quote “"},
		{"escaped quotes", "/api/generate", `{\"model\":1}`, "column 2 it has \\\\ before a quote"},
		{"Python's words", "/api/generate", "{\"stream\":\n False}", "line 2, column 2 it has a word of Python"},
		{"no number", "/api/generate", `{"options":{"top_p": NaN}}`, "column 22 it has a word that JSON does not know"},
		{"a comma too many", "/api/generate", `{"model":"a",}`, "column 14 it has } after a comma"},
		{"a comma too few", "/api/generate", `{"model":"a" "prompt":"b"}`, "column 14 a comma is missing"},
		{"a line break in a text", "/api/generate", "{\"prompt\":\"a\nb\"}", "control character 0x0a"},
		{"cut off", "/api/generate", `{"model":"a`, "ends after 11 bytes"},
		{"a form", "/api/generate", `model=toy`, `it begins with \"model=toy\" and wants {`},
		{"a page", "/v1/run", `<html>`, `it begins with \"<html>\" and wants {`},
		{"two values", "/v1/run", `{} {}`, "more than one JSON value"},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := s.do("POST", c.path, c.body, "Content-Type", "application/json")
			if g.status != http.StatusBadRequest || !strings.Contains(g.body, c.want) || len(g.body) > 400 {
				t.Errorf("%d %s\nwant %s", g.status, g.body[:min(len(g.body), 1000)], c.want)
			}
			for _, word := range []string{"slice", "struct", "float64", "int64", "map[", "Unmarshal"} {
				if strings.Contains(g.body, word) {
					t.Errorf("a word of Go: %s", g.body)
				}
			}
		})
	}
}
