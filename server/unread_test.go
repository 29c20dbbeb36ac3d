package server

import (
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"testing"
)

// A field that would change an answer and is not there is refused on each route, with what to do;
// one that nobody knows is named in a header.
func TestFieldsThatAreNotRead(t *testing.T) {
	s := serve(t)
	for _, c := range []struct{ path, fields, refused, ignored string }{
		{"/v1/chat/completions", `{"n_predict":5}`, "n_predict: this route calls it max_tokens", ""},
		{"/v1/chat/completions", `{"max_output_tokens":5}`, "max_output_tokens: this route calls it max_tokens", ""},
		{"/v1/chat/completions", `{"images":["QQ=="]}`, "images: this route calls it messages, with parts", ""},
		{"/v1/chat/completions", `{"guided_json":{"type":"object"}}`,
			"guided_json: this route calls it response_format", ""},
		{"/v1/chat/completions", `{"grammar":"root"}`, "grammar: give a JSON schema", ""},
		{"/v1/chat/completions", `{"mirostat":2}`, "mirostat: ", ""},
		{"/v1/chat/completions", `{"Repeat_Penalty":1.1}`, "repeat_penalty: ", ""},
		{"/v1/chat/completions", `{"modalities":["text","audio"]}`, "modalities: answers are text", ""},
		{"/v1/chat/completions", `{"function_call":{"name":"x"}}`, "function_call: give tools", ""},
		{"/v1/chat/completions", `{"function_call":"auto","best_of":1,"repeat_penalty":1.0,"modalities":["text"],
			"stop":["",null],"mirostat":0,"guided_json":null,"user":"me"}`, "", ""},
		{"/v1/chat/completions", `{"tempreature":2,"stream_options":{"a,b":1},"verbosity":"low","x":null,"é":1}`, "",
			`tempreature, stream_options.a\x2cb, verbosity, \u00e9`},
		{"/v1/chat/completions", `{"metadata":{"n_predict":5},"prediction":{"stop":"x"},"user":"me"}`, "", ""},
		{"/v1/responses", `{"max_tokens":5}`, "max_tokens: this route calls it max_output_tokens", ""},
		{"/v1/responses", `{"response_format":{"type":"json_object"}}`,
			"response_format: this route calls it text.format", ""},
		{"/v1/responses", `{"stop":["x"]}`, "stop: ", ""},
		{"/v1/responses", `{"top_k":5}`, "top_k: use /v1/chat/completions", ""},
		{"/v1/responses", `{"logprobs":true}`, "logprobs: this route calls it include", ""},
		{"/v1/responses", `{"reasoning":{"effort":"low"},"text":{"verbosity":"low"}}`, "", "reasoning, text.verbosity"},
		{"/api/generate", `{"temperature":2}`, "temperature: this route takes it in options", ""},
		{"/api/generate", `{"max_tokens":2}`, "max_tokens: this route calls it options.num_predict", ""},
		{"/api/generate", `{"options":{"max_tokens":2}}`, "options.max_tokens: this route calls it options.num_predict",
			""},
		{"/api/generate", `{"options":{"grammar":"x"}}`, "options.grammar: give a JSON schema", ""},
		{"/api/generate", `{"options":{"num_ctx":10,"tempreature":2},"width":3}`, "", "options.tempreature, width"},
		{"/api/generate", `{"messages":[{"role":"user","content":"x"}]}`, "messages: this route takes a prompt", ""},
		{"/api/chat", `{"seed":3}`, "seed: this route takes it in options", ""},
		{"/api/chat", `{"prompt":"x"}`, "prompt and images: this route takes them in messages", ""},
		{"/api/chat", `{"images":["QQ=="]}`, "prompt and images: this route takes them in messages", ""},
	} {
		t.Run(c.path+c.fields, func(t *testing.T) {
			for _, q := range asked {
				if q.path != c.path {
					continue
				}
				body := q.body(object{})
				var fields object
				if err := json.Unmarshal([]byte(c.fields), &fields); err != nil {
					t.Fatal(err)
				}
				maps.DeleteFunc(body, func(name string, _ any) bool { _, twice := fields[name]; return twice })
				text, _ := json.Marshal(body)
				sent := strings.TrimSuffix(string(text), "}") + "," +
					strings.TrimPrefix(c.fields, "{") // in their order
				g := s.do("POST", c.path, sent, "Content-Type", "application/json")
				switch {
				case c.refused != "" && (g.status != 400 || !strings.Contains(g.body, c.refused)):
					t.Errorf("%d %s", g.status, g.body)
				case c.refused == "" && (g.status != 200 || g.header.Get("Pali-Ignored") != c.ignored):
					t.Errorf("%d, ignored %q: %s", g.status, g.header.Get("Pali-Ignored"), g.body)
				}
			}
		})
	}
}

// However many fields are not known, the header is short.
func TestIgnoredHeaderIsBounded(t *testing.T) {
	s := serve(t)
	var fields []string
	for i := range 1000 {
		fields = append(fields, fmt.Sprintf("%q:1", fmt.Sprint(strings.Repeat("é\r", 100), i)))
	}
	g := s.do("POST", "/api/generate", `{"model":"toy","prompt":"ocr","images":"`+b64(1)+`",`+strings.Join(fields,
		",")+"}")
	header := g.header.Get("Pali-Ignored")
	if g.status != 200 || len(header) > 8000 || !strings.HasSuffix(header, ", ...") {
		t.Errorf("%d, %d bytes: %s", g.status, len(header), header[max(0, len(header)-100):])
	}
}

// A message is understood in the forms of other clients than OpenAI's, where they have one reading.
func TestMessagesAsClientsSendThem(t *testing.T) {
	s := serve(t)
	image := func(fields object) object { fields["type"] = "image"; return fields }
	text := object{"type": "text", "text": "ocr"}
	url := object{"type": "image_url", "image_url": object{"url": uri(1)}}
	for _, c := range []struct {
		name     string
		messages []object
		want     string // in an error; "": it is answered
	}{
		{"Anthropic's image", []object{{"role": "user", "content": []object{text,
			image(object{"source": object{"type": "base64", "media_type": "image/png", "data": b64(1)}})}}}, ""},
		{"a tool's image", []object{{"role": "user", "content": []object{text,
			image(object{"data": b64(1), "mimeType": "image/png"})}}}, ""},
		{"parts without a type", []object{{"role": "user", "content": []object{{"text": "ocr"},
			{"image_url": object{"url": uri(1)}}}}}, ""},
		{"one part alone", []object{{"role": "user", "content": []object{url}}, {"role": "user", "content": text}}, ""},
		{"a system message of blanks", []object{{"role": "system", "content": " \n"},
			{"role": "user", "content": []object{text, url}}}, ""},
		{"a text of null", []object{{"role": "user", "content": []object{text, url, {"type": "text", "text": nil}}}},
			""},
		{"no role", []object{{"content": "ocr"}}, `a message has no role: want \"role\": \"user\"`},
		{"a part of nothing", []object{{"role": "user", "content": []object{{}}}},
			"messages[0].content[0].type: missing"},
		{"a role of null", []object{{"role": nil, "content": "ocr"}}, "a message has no role"},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := s.chat(nil, c.messages...)
			if c.want == "" && (g.status != 200 || !strings.Contains(g.body, `"`+answered(1, "ocr")+`"`)) ||
				c.want != "" && (g.status != 400 || !strings.Contains(g.body, c.want)) {
				t.Errorf("%d %s", g.status, g.body)
			}
		})
	}
	if g := s.post("/v1/responses", object{"input": []object{}}); !strings.Contains(g.body,
		"input: there is no message") {
		t.Error(g.body)
	}
}
