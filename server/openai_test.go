package server

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

type object = map[string]any

// userMessage is a user's message with a text and images.
func userMessage(text string, images ...int) object {
	parts := []object{{"type": "text", "text": text}}
	for _, n := range images {
		parts = append(parts, object{"type": "image_url", "image_url": object{"url": uri(n)}})
	}
	return object{"role": "user", "content": parts}
}

func (s *running) chat(fields object, messages ...object) got {
	s.t.Helper()
	all := object{"model": "toy", "messages": messages}
	maps.Copy(all, fields)
	return s.post("/v1/chat/completions", all)
}

func text(t *testing.T, g got) string {
	t.Helper()
	var c chatJSON
	g.decode(t, &c)
	if len(c.Choices) != 1 || c.Object != "chat.completion" || *c.Choices[0].Finish != "stop" ||
		c.Choices[0].Message.Role != "assistant" || c.Usage.Total != c.Usage.Prompt+c.Usage.Completion {
		t.Fatalf("%s", g.body)
	}
	return *c.Choices[0].Message.Content
}

func TestModels(t *testing.T) {
	s := serve(t, func(o *Options) { o.Models = append(o.Models, toy("other")) })
	var list struct{ Data []modelJSON }
	s.get("/v1/models").decode(t, &list)
	first := modelJSON{"toy", "model", 1700000000, "pali"}
	if len(list.Data) != 2 || list.Data[0] != first || list.Data[1].ID != "other" {
		t.Errorf("%+v", list)
	}
	var one modelJSON
	s.get("/v1/models/other").decode(t, &one)
	if one.ID != "other" {
		t.Errorf("%+v", one)
	}
}

// A conversation becomes one prompt by the rule of chat.go.
func TestConversation(t *testing.T) {
	s := serve(t)
	model := object{"role": "assistant", "content": "yes"}
	parts := func(all ...object) object { return object{"role": "user", "content": all} }
	a, b := object{"type": "text", "text": "a"}, object{"type": "text", "text": "b"}
	untouched := "  exactly as it is, \t with \n é. "
	for _, c := range []struct {
		name     string
		messages []object
		want     string
	}{
		{"an image and a prompt", []object{userMessage("caption en", 1)}, answered(1, "caption en")},
		{"two images", []object{userMessage("caption en", 1, 2)},
			answered(1, "")[:7] + answered(2, "caption en")},
		{"the image of an earlier turn", []object{userMessage("caption en", 1), model, userMessage("ocr")},
			answered(1, "ocr")},
		{"the last turn's own image", []object{userMessage("caption en", 1), model, userMessage("ocr", 2)},
			answered(2, "ocr")},
		{"several texts", []object{parts(a, b, object{"type": "image_url", "image_url": uri(1)})}, answered(1, "a b")},
		{"an empty system message", []object{{"role": "system", "content": ""}, userMessage("ocr", 1)},
			answered(1, "ocr")},
		{"exactly as it is", []object{userMessage(untouched, 1)}, answered(1, untouched)},
	} {
		t.Run(c.name, func(t *testing.T) {
			if have := text(t, s.chat(nil, c.messages...)); have != c.want {
				t.Errorf("%q, want %q", have, c.want)
			}
		})
	}
}

// What the model cannot do gets an error that says so.
func TestChatRefused(t *testing.T) {
	s := serve(t)
	ocr := []object{userMessage("ocr", 1)}
	user := func(content any) object { return object{"role": "user", "content": content} }
	address := object{"type": "image_url", "image_url": object{"url": "http://127.0.0.1/"}}
	for _, c := range []struct {
		name     string
		fields   object
		messages []object
		status   int
		want     string
	}{
		{"no messages", nil, nil, 400, "no message"},
		{"no image", nil, []object{userMessage("hello")}, 400, "answers about images only"},
		{"system", nil, []object{{"role": "system", "content": "Be brief."}, userMessage("ocr", 1)}, 400,
			"system message"},
		{"developer", nil, []object{{"role": "developer", "content": "Be brief."}, userMessage("ocr", 1)},
			400, "developer message"},
		{"tool's message", nil, []object{{"role": "tool", "content": "x"}, userMessage("ocr", 1)}, 400, "role"},
		{"the model last", nil, []object{userMessage("ocr", 1), {"role": "assistant", "content": "x"}}, 400,
			"want the user's"},
		{"audio", nil, []object{user([]object{{"type": "input_audio"}})}, 400, "neither text nor an image"},
		{"content", nil, []object{user(3)}, 400, "content"},
		{"address", nil, []object{user([]object{address})}, 400, "not fetched"},
		{"no address", nil, []object{user([]object{{"type": "image_url"}})}, 400, "data URI"},
		{"model", object{"model": "gpt-4o"}, ocr, 404, "no such model"},
		{"n", object{"n": 2}, ocr, 400, "n: one"},
		{"tools", object{"tools": []object{{"type": "function"}}}, ocr, 400, "tools"},
		{"stop", object{"stop": "."}, ocr, 400, "stop"},
		{"penalty", object{"presence_penalty": 1}, ocr, 400, "penalty"},
		{"bias", object{"logit_bias": object{"5": 100}}, ocr, 400, "logit_bias"},
		{"top_logprobs", object{"top_logprobs": 3}, ocr, 400, "requires logprobs: true"},
		{"format", object{"response_format": object{"type": "grammar"}}, ocr, 400, "response_format"},
		{"no tokens", object{"max_tokens": 0}, ocr, 400, "max_tokens 0: want 1 or more"},
		{"fewer tokens than none", object{"max_completion_tokens": -2}, ocr, 400, "max_completion_tokens -2: want 1"},
		{"JSON of a text", withJSON, []object{userMessage("caption en", 1)}, 400, "detect cat"},
		{"JSON of nothing", withJSON, []object{userMessage("detect ", 1)}, 400, "detect cat"},
		{"worker lost", nil, []object{userMessage("fault kill", 1)}, 503, "worker_lost"},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := s.chat(c.fields, c.messages...)
			var e errorJSON
			g.decode(t, &e)
			if g.status != c.status || !strings.Contains(g.body, c.want) || e.Error.Message == "" ||
				e.Error.Type == "" {
				t.Errorf("%d %s", g.status, g.body)
			}
		})
	}
	ignored := object{"n": 1, "stop": nil, "tools": []object{}, "presence_penalty": 0, "user": "me", "store": false,
		"max_completion_tokens": 50}
	if have := text(t, s.chat(ignored, userMessage("ocr", 1))); have != answered(1, "ocr") {
		t.Errorf("%q", have)
	}
}

// chunks reads a stream of server-sent events to its end.
func chunks(t *testing.T, g got) (all []string) {
	t.Helper()
	if g.header.Get("Content-Type") != "text/event-stream" {
		t.Fatalf("%+v", g)
	}
	for _, event := range strings.Split(strings.TrimSuffix(g.body, "\n\n"), "\n\n") {
		_, data, ok := strings.Cut("\n"+event, "\ndata: ")
		if !ok || strings.Contains(data, "\n") {
			t.Fatalf("%q", event)
		}
		all = append(all, data)
	}
	return all
}

func TestChatStream(t *testing.T) {
	s := serve(t)
	fields := object{"stream": true, "stream_options": object{"include_usage": true}, "logprobs": true,
		"top_logprobs": 2}
	g := s.chat(fields, userMessage("what é", 1))
	all := chunks(t, g)
	have, tokens := "", 0
	for i, data := range all[:len(all)-1] {
		var c chatJSON
		if err := json.Unmarshal([]byte(data), &c); err != nil || c.Object != "chat.completion.chunk" {
			t.Fatalf("%v: %s", err, data)
		}
		switch {
		case i == len(all)-2:
			if c.Usage == nil || len(c.Choices) != 0 {
				t.Errorf("usage: %s", data)
			}
		case i == len(all)-3:
			if *c.Choices[0].Finish != "stop" || c.Timings == nil {
				t.Errorf("the end: %s", data)
			}
		default:
			d := c.Choices[0].Delta
			have += *d.Content
			tokens += len(c.Choices[0].Logprobs.Content)
			if (d.Role == "assistant") != (i == 0) || len(c.Choices[0].Logprobs.Content[0].Top) != 2 {
				t.Errorf("%s", data)
			}
		}
	}
	if have != answered(1, "what é") || all[len(all)-1] != "[DONE]" || tokens != len([]rune(have)) {
		t.Errorf("%q, %d tokens, %s", have, tokens, all[len(all)-1])
	}
	all = chunks(t, s.chat(object{"stream": true}, userMessage("fault hang", 1)))
	if !strings.Contains(all[len(all)-1], "worker_lost") {
		t.Errorf("%s", all)
	}
	var whole chatJSON
	s.chat(object{"logprobs": true, "max_tokens": 4}, userMessage("x", 1)).decode(t, &whole)
	if c := whole.Choices[0]; *c.Finish != "length" || len(c.Logprobs.Content) != 4 || len(*c.Message.Content) != 4 {
		t.Errorf("%+v", whole)
	}
}

// withSchema asks for an answer of this schema.
func withSchema(schema string, strict bool) object {
	return object{"response_format": object{"type": "json_schema",
		"json_schema": object{"name": "x", "strict": strict, "schema": json.RawMessage(schema)}}}
}

var withJSON = object{"response_format": object{"type": "json_object"}}

// A schema gets objects with the fields that it names.
func TestSchemas(t *testing.T) {
	s := serve(t)
	c := colour(1)
	box := fmt.Sprintf(`[%v,%v,40,30]`, float64(c.G)/1023*40, float64(c.R)/1023*30)
	loc := fmt.Sprintf(`[%d,%d,1023,1023]`, c.R, c.G)
	for _, c := range []struct{ name, schema, want string }{
		{"required fields", `{"type":"object","properties":{"objects":{"type":"array","items":{"type":"object",
			"properties":{"label":{"type":"string"},"xyxy":{"type":"array","items":{"type":"number"},"minItems":4}},
			"required":["label","xyxy"],"additionalProperties":false}}},"required":["objects"],"additionalProperties":false}`,
			`{"objects":[{"label":"cat","xyxy":` + box + `}]}`},
		{"a list alone", `{"type":"array","items":{"properties":{"loc":{}}}}`, `[{"loc":` + loc + `}]`},
		{"a reference", `{"$defs":{"Box":{"type":"object","properties":{"loc":{"type":"array"}},"required":["loc"]}},
			"properties":{"found":{"items":{"$ref":"#/$defs/Box"}}}}`, `{"found":[{"loc":` + loc + `}]}`},
		{"allOf", `{"$ref":"#/$defs/A","$defs":{
			"A":{"properties":{"found":{"type":"array","items":{"allOf":[{"$ref":"#/$defs/B"}]}}}},
			"B":{"properties":{"label":{},"colour":{}}}}}`, `{"found":[{"label":"cat"}]}`},
		{"an enum", `{"properties":{"objects":{"items":{
			"properties":{"label":{"enum":["cat","dog"]}},"required":["label"]}}}}`, `{"objects":[{"label":"cat"}]}`},
	} {
		for _, strict := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, strict %v", c.name, strict), func(t *testing.T) {
				if have := text(t, s.chat(withSchema(c.schema, strict), userMessage("detect cat", 1))); have != c.want {
					t.Errorf("%s\nwant\n%s", have, c.want)
				}
			})
		}
	}
	have := text(t, s.chat(withJSON, userMessage("detect cat", 1)))
	if !strings.HasPrefix(have, `{"objects":[{"label":"cat","loc":`) {
		t.Errorf("json_object: %s", have)
	}
	stream := object{"stream": true, "response_format": object{"type": "json_object"}}
	all := chunks(t, s.chat(stream, userMessage("detect cat", 1)))
	if !strings.Contains(all[0], `\"label\":\"cat\"`) || len(all) != 3 {
		t.Errorf("%s", all)
	}
}

// What a schema asks for and no object has is refused.
func TestSchemasRefused(t *testing.T) {
	s := serve(t)
	items := func(item string) string { return `{"properties":{"objects":{"items":` + item + `}}}` }
	for _, c := range []struct{ name, schema, want string }{
		{"no list", `{"type":"object"}`, "want a list of objects"},
		{"a list of texts", items(`{"type":"string"}`), "want a list of objects"},
		{"another required property", `{"properties":{"a":{"items":{"properties":{"label":{}}}},"why":{}},
			"required":["why"]}`, "want a list of objects"},
		{"no known field", items(`{"properties":{"colour":{}}}`), "no property of an object"},
		{"an unknown field is required", items(`{"properties":{"label":{},"colour":{}},"required":["colour"]}`),
			"requires a property"},
		{"masks", items(`{"properties":{"mask":{}}}`), "masks: they come"},
		{"another label", items(`{"properties":{"label":{"enum":["dog"]}},"required":["label"]}`), "does not fit"},
		{"a file", `{"$ref":"file:///etc/passwd"}`, "refers to another"},
		{"an address", `{"$ref":"http://127.0.0.1:1/x"}`, "refers to another"},
		{"an unknown type", `{"type":"nothing"}`, "not valid"},
		{"itself", `{"$ref":"#"}`, "want a list of objects"},
		{"too large", `{"properties":{"` + strings.Repeat("a", maxSchema) + `":{}}}`, "at most"},
		{"a number", `3`, ""},
		{"patterns",
			`{"pattern":"(a+)+$","properties":{"objects":{"items":{"properties":{"label":{"pattern":"(?<=a)b"}}}}}}`,
			"not valid"},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := s.chat(withSchema(c.schema, false), userMessage("detect cat", 1))
			refused := g.status == 400 || g.status == 500 && g.code() == "schema"
			if !refused || !strings.Contains(g.body, c.want) {
				t.Errorf("%d %s, want %q", g.status, g.body, c.want)
			}
		})
	}
}

// input is the input of a response: a text and the second image.
func input(text string) []object {
	return []object{{"role": "user", "content": []object{
		{"type": "input_text", "text": text}, {"type": "input_image", "image_url": uri(2)}}}}
}

func TestResponses(t *testing.T) {
	s := serve(t)
	var r responseJSON
	g := s.post("/v1/responses", object{"model": "toy", "input": input("ocr é"), "metadata": object{"a": "b"},
		"store": false, "top_logprobs": 1, "include": []string{"message.output_text.logprobs"}})
	g.decode(t, &r)
	part := r.Output[0].Content[0]
	if g.status != 200 || r.Status != "completed" || part.Text != answered(2, "ocr é") || len(part.Logprobs) < 10 ||
		string(r.Metadata) != `{"a":"b"}` || r.Usage.Input < 10 {
		t.Errorf("%d %s", g.status, g.body)
	}
	s.post("/v1/responses", object{"input": input("ocr é"), "max_output_tokens": 3}).decode(t, &r)
	if r.Status != "incomplete" || r.Incomplete.Reason != "max_output_tokens" {
		t.Errorf("%+v", r)
	}
	schema := json.RawMessage(`{"type":"array","items":{"properties":{"label":{}}}}`)
	format := object{"type": "json_schema", "name": "x", "schema": schema}
	s.post("/v1/responses", object{"input": input("detect cat"), "text": object{"format": format}}).decode(t, &r)
	if r.Output[0].Content[0].Text != `[{"label":"cat"}]` {
		t.Errorf("%+v", r.Output)
	}
}

func TestResponsesStream(t *testing.T) {
	s := serve(t)
	g := s.post("/v1/responses", object{"input": input("ocr é"), "stream": true})
	have, kinds := "", []string{}
	for i, data := range chunks(t, g) {
		var e struct {
			Type, Delta, Text string
			Number            int `json:"sequence_number"`
		}
		err := json.Unmarshal([]byte(data), &e)
		if err != nil || e.Number != i || !strings.Contains(g.body, "event: "+e.Type+"\n") {
			t.Fatalf("%v: %s", err, data)
		}
		have += e.Delta
		kinds = append(kinds, strings.TrimPrefix(e.Type, "response."))
	}
	want := "created in_progress output_item.added content_part.added output_text.delta " +
		"output_text.done content_part.done output_item.done completed"
	if have != answered(2, "ocr é") || strings.Join(slices.Compact(kinds), " ") != want {
		t.Errorf("%q, %v", have, kinds)
	}
	all := chunks(t, s.post("/v1/responses", object{"input": input("empty"), "stream": true}))
	if len(all) != 8 || !strings.Contains(all[0], `"output":[]`) || !strings.Contains(all[7], `"text":""`) {
		t.Errorf("an empty answer: %s", all)
	}
	all = chunks(t, s.post("/v1/responses", object{"stream": true, "input": input("fault hang")}))
	if last := all[len(all)-1]; !strings.Contains(last, `"type":"error"`) || !strings.Contains(last, "worker_lost") {
		t.Errorf("%s", last)
	}
}

func TestResponsesRefused(t *testing.T) {
	s := serve(t)
	for _, c := range []struct {
		want string
		body object
	}{
		{"answers about images", object{"input": "hello"}},
		{"instructions", object{"input": input("ocr"), "instructions": "Be brief."}},
		{"answers are not stored", object{"input": input("ocr"), "previous_response_id": "resp_1"}},
		{"templates", object{"input": input("ocr"), "prompt": object{"id": "x"}}},
		{"tools", object{"input": input("ocr"), "tools": []object{{"type": "web_search"}}}},
		{"background", object{"input": input("ocr"), "background": true}},
		{"not a message", object{"input": []object{{"type": "function_call_output"}}}},
		{"want a text or a list", object{"input": 3}},
		{"text.format.type", object{"input": input("ocr"), "text": object{"format": object{"type": "x"}}}},
	} {
		t.Run(c.want, func(t *testing.T) {
			if g := s.post("/v1/responses", c.body); g.status != 400 || !strings.Contains(g.body, c.want) {
				t.Errorf("%d %s", g.status, g.body)
			}
		})
	}
}
