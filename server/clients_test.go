package server

// This file: what clients that are no libraries ask first, request by request, and that they find
// the fields which they read: docs/clients.md.

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"
)

// call is a request of a client, and what the client reads of the answer.
type call struct {
	method, path, body string
	read               func(v object) error
}

// at returns the value at a path of keys and indexes.
func at(v any, path ...any) any {
	for _, step := range path {
		switch step := step.(type) {
		case string:
			fields, _ := v.(object)
			v = fields[step]
		case int:
			all, _ := v.([]any)
			if step >= len(all) {
				return nil
			}
			v = all[step]
		}
	}
	return v
}

// want returns an error unless v has value at the path.
func want(v object, value any, path ...any) error {
	if have := at(v, path...); have != value {
		return fmt.Errorf("%v: %v, want %v", path, have, value)
	}
	return nil
}

func TestClientsFirstCalls(t *testing.T) {
	s := serve(t)
	picture := `{"type":"image_url","image_url":{"url":"` + uri(1) + `"}}`
	answer := answered(1, "caption en")
	newEnough := func(v object) error { // by Copilot's comparison, and Open WebUI's
		version, _ := v["version"].(string)
		if !regexp.MustCompile(`^\d+(\.\d+)+$`).MatchString(version) {
			return fmt.Errorf("version %q", version)
		}
		var major, minor int
		fmt.Sscanf(version, "%d.%d", &major, &minor)
		if major == 0 && minor <= 6 {
			return fmt.Errorf("version %s is below 0.6.4", version)
		}
		return nil
	}
	tags := func(v object) error { return want(v, "toy", "models", 0, "model") }
	show := func(v object) error {
		arch, _ := at(v, "model_info", "general.architecture").(string)
		if _, ok := at(v, "model_info", "general.basename").(string); !ok {
			return fmt.Errorf("no general.basename: %v", v)
		}
		if n, _ := at(v, "model_info", arch+".context_length").(float64); n != 8192 {
			return fmt.Errorf("%s.context_length: %v", arch, n)
		}
		if family, _ := at(v, "details", "family").(string); family == "" {
			return fmt.Errorf("no family: %v", v)
		}
		return want(v, "vision", "capabilities", 1)
	}
	chat := func(v object) error { return want(v, answer, "choices", 0, "message", "content") }
	ollama := func(v object) error {
		for _, name := range []string{"total_duration", "load_duration", "prompt_eval_count", "prompt_eval_duration",
			"eval_count", "eval_duration"} {
			if _, ok := v[name].(float64); !ok {
				return fmt.Errorf("no %s: %v", name, v)
			}
		}
		if err := want(v, "stop", "done_reason"); err != nil {
			return err
		}
		return want(v, answer, "message", "content")
	}
	ps := func(v object) error {
		expires, _ := at(v, "models", 0, "expires_at").(string)
		if _, err := time.Parse(time.RFC3339Nano, expires); err != nil {
			return err
		}
		return want(v, 8192., "models", 0, "context_length")
	}
	for _, c := range []struct {
		client string
		calls  []call
	}{
		{"VS Code", []call{
			{"GET", "/api/version", "", newEnough},
			{"GET", "/api/tags", "", tags},
			{"POST", "/api/show", `{"model":"toy"}`, show},
			{"POST", "/v1/chat/completions", `{"model":"toy","n":1,"temperature":0,"top_p":1,"max_tokens":4096,"stream":false,
				"messages":[{"role":"user","content":[{"type":"text","text":"caption en"},` + picture + `]}]}`, chat},
		}},
		{"Open WebUI", []call{
			{"GET", "/api/version", "", newEnough},
			{"GET", "/api/tags", "", tags},
			{"POST", "/api/chat", `{"model":"toy","stream":false,"options":{"temperature":0,"num_ctx":2048,"num_predict":-1,
				"stop":[],"repeat_last_n":64,"use_mmap":true},"keep_alive":-1,
				"messages":[{"role":"user","content":"caption en","images":["` + b64(1) + `"]}]}`, ollama},
			{"GET", "/api/ps", "", ps},
			{"POST", "/api/show", `{"model":"toy","name":"toy"}`, show},
			{"GET", "/v1/models", "", func(v object) error { return want(v, "toy", "data", 0, "id") }},
			{"POST", "/api/generate", `{"model":"toy","keep_alive":0,"prompt":""}`,
				func(v object) error { return want(v, "unload", "done_reason") }},
		}},
		{"LangChain, ChatOllama", []call{
			{"GET", "/api/tags", "", tags},
			{"POST", "/api/chat", `{"model":"toy","messages":[{"role":"user","content":"\ncaption en","images":["` +
				b64(1) +
				`"]}],"tools":[],"stream":false,"format":"","options":{},"keep_alive":null,"think":null}`, ollama},
			{"POST", "/api/chat", `{"model":"toy","messages":[{"role":"user","content":"\ndetect cat","images":["` +
				b64(1) +
				`"]}],"tools":[],"stream":false,"format":` + listOf(`"label":{"type":"string"}`) + `,"options":{}}`,
				func(v object) error { return want(v, `[{"label":"cat"}]`, "message", "content") }},
		}},
		{"LiteLLM, ollama_chat", []call{
			{"POST", "/api/show", `{"name":"toy"}`, show},
			{"POST", "/api/chat", `{"model":"toy","messages":[{"role":"user","content":"caption en","images":["` +
				b64(1) +
				`"]}],"options":{"num_predict":2048,"repeat_penalty":0,"temperature":0.0},"stream":false}`, ollama},
		}},
		{"AI SDK, openai-compatible", []call{
			{"POST", "/v1/chat/completions", `{"model":"toy","messages":[{"role":"user","content":[
				{"type":"text","text":"caption en"},` + picture + `]}]}`, chat},
			{"POST", "/v1/chat/completions", `{"model":"toy","response_format":{"type":"json_schema","json_schema":{"strict":true,
				"name":"response","schema":` + listOf(`"label":{"type":"string"}`) + `}},"messages":[{"role":"user","content":[
				{"type":"text","text":"detect cat"},` + picture + `]}]}`,
				func(v object) error { return want(v, `[{"label":"cat"}]`, "choices", 0, "message", "content") }},
		}},
		{"AI SDK, ollama-ai-provider", []call{
			{"POST", "/api/chat", `{"model":"toy","messages":[{"role":"user","content":"caption en","images":["` +
				b64(1) +
				`"]}],"temperature":0,"think":false,"stream":false}`, ollama},
		}},
	} {
		t.Run(c.client, func(t *testing.T) {
			for _, q := range c.calls {
				g := s.do(q.method, q.path, q.body, "Content-Type", "application/json", "User-Agent", c.client)
				var v object
				if err := json.Unmarshal([]byte(g.body), &v); err != nil || g.status != 200 {
					t.Fatalf("%s %s: %d %s", q.method, q.path, g.status, strings.TrimSpace(g.body))
				}
				if err := q.read(v); err != nil {
					t.Errorf("%s %s: %v", q.method, q.path, err)
				}
			}
		})
	}
}
