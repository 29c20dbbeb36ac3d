package server

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/pali-gguf/pali/server/engine"
)

// listOf is a schema of a list of objects with these properties, all of them required.
func listOf(properties string, more ...string) string {
	var names map[string]json.RawMessage
	if err := json.Unmarshal([]byte("{"+properties+"}"), &names); err != nil {
		panic(properties)
	}
	var required []string
	for name := range names {
		required = append(required, name)
	}
	r, _ := json.Marshal(required)
	return fmt.Sprintf(`{"type":"array","items":{"type":"object","properties":{%s},"required":%s,"additionalProperties":false}%s}`,
		properties, r, strings.Join(more, ""))
}

// Answers take the form of the schemas that people's programs make of their classes.
func TestSchemaForms(t *testing.T) {
	s := serve(t)
	c := colour(1)
	x, y := float64(c.G)/1023*40, float64(c.R)/1023*30 // of the corner; the other is 40,30
	const label = `"label":{"type":"string"}`
	pydantic := `{"$defs":{"Box":{"properties":{"label":{"title":"Label","type":"string"},
		"xyxy":{"items":{"type":"integer"},"title":"Xyxy","type":"array"}},"required":["label","xyxy"],"title":"Box",
		"type":"object"}},"properties":{"objects":{"items":{"$ref":"#/$defs/Box"},"title":"Objects","type":"array"}},
		"required":["objects"],"title":"Found","type":"object"}`
	for _, c := range []struct{ name, schema, want string }{
		{"whole numbers", pydantic, fmt.Sprintf(`{"objects":[{"label":"cat","xyxy":[%.0f,%.0f,40,30]}]}`, x, y)},
		{"whole numbers or none", listOf(`"xyxy":{"type":"array","items":{"type":["integer","null"]}}`),
			fmt.Sprintf(`[{"xyxy":[%.0f,%.0f,40,30]}]`, x, y)},
		{"a tuple", listOf(`"xyxy":{"type":"array","maxItems":4,"minItems":4,"prefixItems":[{"type":"integer"},
			{"type":"integer"},{"type":"number"},{"type":"integer"}]}`), fmt.Sprintf(`[{"xyxy":[%.0f,%.0f,40,30]}]`, x, y)},
		{"either kind of number", listOf(`"xyxy":{"type":"array","items":{"type":["integer","number"]}}`),
			fmt.Sprintf(`[{"xyxy":[%v,%v,40,30]}]`, x, y)},
		{"a choice of numbers",
			listOf(`"xyxy":{"type":"array","items":{"anyOf":[{"type":"integer"},{"type":"null"}]}}`),
			fmt.Sprintf(`[{"xyxy":[%.0f,%.0f,40,30]}]`, x, y)},
		{"multiples of one", listOf(`"xyxy":{"type":"array","items":{"type":"number","multipleOf":1}}`),
			fmt.Sprintf(`[{"xyxy":[%.0f,%.0f,40,30]}]`, x, y)},
		{"a box by its corners", listOf(label + `,"bbox":{"type":"object","properties":{"x1":{"type":"integer"},
			"y1":{"type":"integer"},"x2":{"type":"integer"},"y2":{"type":"integer"}},"required":["x1","y1","x2","y2"]}`),
			fmt.Sprintf(`[{"bbox":{"x1":%.0f,"x2":40,"y1":%.0f,"y2":30},"label":"cat"}]`, x, y)},
		{"corners of the object", listOf(label + `,"x_min":{"type":"integer"},"y_min":{"type":"integer"},
			"x_max":{"type":"integer"},"y_max":{"type":"integer"}`),
			fmt.Sprintf(`[{"label":"cat","x_max":40,"x_min":%.0f,"y_max":30,"y_min":%.0f}]`, x, y)},
		{"a corner and a size", listOf(`"box":{"$ref":"#/$defs/B"}`, `,"$defs":{"B":{"type":"object","properties":{
			"x":{"type":"integer"},"y":{"type":"integer"},"width":{"type":"integer"},"height":{"type":"integer"}}}}`),
			fmt.Sprintf(`[{"box":{"height":%.0f,"width":%.0f,"x":%.0f,"y":%.0f}}]`, 30-y, 40-x, x, y)},
		{"an optional list", `{"type":"object","properties":{"objects":{"anyOf":[{"type":"null"},
			{"type":"array","items":{"type":"object","properties":{"label":{"type":"string"}}}}]}},"required":["objects"]}`,
			`{"objects":[{"label":"cat"}]}`},
		{"what is not known may be null", listOf(label + `,"colour":{"type":["string","null"]}`),
			`[{"colour":null,"label":"cat"}]`},
		{"a mask that may be null", listOf(label + `,"mask":{"anyOf":[{"type":"object"},{"type":"null"}]}`),
			`[{"label":"cat","mask":null}]`},
		{"one value", listOf(label + `,"kind":{"const":"object"},"source":{"enum":["model"]}`),
			`[{"kind":"object","label":"cat","source":"model"}]`},
		{"more beside the list", `{"type":"object","properties":{"found":` + listOf(label) + `,"version":{"const":2},
			"note":{"anyOf":[{"type":"string"},{"type":"null"}]}},"required":["found","version","note"]}`,
			`{"found":[{"label":"cat"}],"note":null,"version":2}`},
		{"labels in capitals", listOf(`"label":{"enum":["CAT","Dog"]}`), `[{"label":"CAT"}]`},
		{"one label", listOf(`"label":{"const":"cat"}`), `[{"label":"cat"}]`},
		{"one at least", listOf(label, `,"minItems":1`), `[{"label":"cat"}]`},
		{"ranges", listOf(`"score":{"type":"number","minimum":0,"maximum":1},
			"xyxy":{"type":"array","items":{"type":"number","minimum":0,"maximum":10000},"minItems":4,"maxItems":4}`), ``},
	} {
		t.Run(c.name, func(t *testing.T) {
			have := text(t, s.chat(withSchema(c.schema, true), userMessage("detect cat", 1)))
			if c.want != "" && have != c.want {
				t.Errorf("%s\nwant\n%s", have, c.want)
			}
			ollama := object{"model": "toy", "prompt": "detect cat", "images": []string{b64(1)}, "stream": false,
				"format": json.RawMessage(c.schema)}
			var whole ollamaEnd
			if s.post("/api/generate", ollama).decode(t, &whole); *whole.Response != have {
				t.Errorf("as Ollama's format: %s", *whole.Response)
			}
		})
	}
}

// What no answer can fit is refused before the model is asked, and by a status after which clients
// do not ask again.
func TestSchemasThatHoldNothing(t *testing.T) {
	s := serve(t)
	const label = `"label":{"type":"string"}`
	deep := `{"$defs":{"a0":{"properties":{"label":{}}}`
	for i := range 40 {
		deep += fmt.Sprintf(`,"a%d":{"anyOf":[{"$ref":"#/$defs/a%d"},{"$ref":"#/$defs/a%[2]d"}]}`, i+1, i)
	}
	deep += `},"type":"array","items":{"$ref":"#/$defs/a40"}}`
	for _, c := range []struct{ name, schema, want string }{
		{"a text for a box", listOf(`"xyxy":{"type":"string"}`), "got array, want string"},
		{"five numbers", listOf(`"xyxy":{"type":"array","minItems":5}`), "the schema cannot hold an object"},
		{"three numbers", listOf(`"xyxy":{"type":"array","maxItems":3}`), "the schema cannot hold an object"},
		{"shares of the image", listOf(`"xyxy":{"type":"array","items":{"type":"number","minimum":0,"maximum":1}}`),
			"the schema cannot hold an object"},
		{"a number for a label", listOf(`"label":{"type":"integer"}`), "does not fit the labels"},
		{"other labels", listOf(`"label":{"enum":["dog","bird"]}`), "does not fit the labels"},
		{"another label", listOf(`"label":{"const":"dog"}`), "does not fit the labels"},
		{"a pattern", listOf(`"label":{"pattern":"^[A-Z]+$"}`), "does not fit the labels"},
		{"more than at most", listOf(label, `,"minItems":3,"maxItems":2`), "the schema cannot hold an object"},
		{"no room", listOf(label, `,"maxItems":0`), "the schema cannot hold an object"},
		{"a list of one object in another", `{"type":"array","items":` + listOf(label) + `}`, "want a list of objects"},
		{"no object may be", listOf(label, `,"not":{}`), "the schema cannot hold an object"},
		{"a mask without one", listOf(label + `,"mask":{"type":"object"}`), "masks: they come"},
		{"a schema that grows", deep, "branches too often"},
		{"no schema", `null`, "want a JSON schema"},
	} {
		t.Run(c.name, func(t *testing.T) {
			answers := s.metric("answers_total")
			g := s.chat(withSchema(c.schema, false), userMessage("detect cat", 1))
			if g.status != 400 || !strings.Contains(g.body, c.want) ||
				!strings.Contains(g.body, "response_format.json_schema.schema: ") {
				t.Errorf("%d %s, want %q", g.status, g.body, c.want)
			}
			if s.metric("answers_total") != answers {
				t.Error("the model was asked")
			}
		})
	}
}

// What depends on the answer is refused after it, with what does not fit.
func TestSchemaMisfit(t *testing.T) {
	s := serve(t)
	schema := listOf(`"xyxy":{"type":"array","items":{"type":"number","minimum":35}}`)
	g := s.chat(withSchema(schema, false), userMessage("detect cat", 1))
	if g.status != 422 || g.code() != "schema" || !strings.Contains(g.body, "minimum") {
		t.Errorf("%d %s", g.status, g.body)
	}
}

// An enum has the answer constrained to the labels of the prompt: all of them, that no object is given
// the label of another. Those that it lacks are left out afterwards.
func TestSchemaLabels(t *testing.T) {
	for _, c := range []struct {
		name, schema string
		want         string // the labels of engine.Strict, "" where the answer is free
	}{
		{"any label", listOf(`"label":{"type":"string"}`), ""},
		{"all of them", listOf(`"label":{"enum":["cat","dog","bird"]}`), "cat dog"},
		{"one of them", listOf(`"label":{"enum":["dog","bird"]}`), "cat dog"},
		{"by a reference", listOf(`"label":{"$ref":"#/$defs/L"}`, `,"$defs":{"L":{"enum":["Cat"]}}`), "cat dog"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, err := parseSchema("format", []byte(c.schema), false)
			if err != nil {
				t.Fatal(err)
			}
			q := engine.Request{Prompt: "detect cat ; dog", Images: make([]*engine.Image, 1)}
			if err := f.check(&q, false); err != nil {
				t.Fatal(err)
			}
			have := ""
			if q.Strict != nil {
				have = strings.Join(q.Strict.Labels, " ")
			}
			if have != c.want {
				t.Errorf("%q, want %q", have, c.want)
			}
		})
	}
}

// A function that a client makes the model call gets the objects as its arguments.
func TestTools(t *testing.T) {
	s := serve(t)
	tool := func(name string) object {
		return object{"type": "function", "function": object{"name": name, "parameters": json.RawMessage(
			`{"type":"object","properties":{"objects":` + listOf(`"label":{"type":"string"}`) + `}}`)}}
	}
	named := object{"type": "function", "function": object{"name": "b"}}
	const want = `{"objects":[{"label":"cat"}]}`
	for _, c := range []struct {
		name   string
		fields object
		called string
	}{
		{"named", object{"tools": []object{tool("a"), tool("b")}, "tool_choice": named}, "b"},
		{"the only one", object{"tools": []object{tool("a")}, "tool_choice": "required"}, "a"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var whole chatJSON
			g := s.chat(c.fields, userMessage("detect cat", 1))
			g.decode(t, &whole)
			m := whole.Choices[0].Message
			if len(m.ToolCalls) != 1 || m.Content != nil || *whole.Choices[0].Finish != "tool_calls" ||
				m.ToolCalls[0].Function.Name != c.called || m.ToolCalls[0].Function.Arguments != want {
				t.Errorf("%s", g.body)
			}
			c.fields["stream"] = true
			all := chunks(t, s.chat(c.fields, userMessage("detect cat", 1)))
			var first chatJSON
			if err := json.Unmarshal([]byte(all[0]), &first); err != nil {
				t.Fatal(err)
			}
			if call := first.Choices[0].Delta.ToolCalls; len(call) != 1 || *call[0].Index != 0 || call[0].ID == "" ||
				call[0].Function.Arguments != want || !strings.Contains(all[1], "tool_calls") {
				t.Errorf("%s", all)
			}
		})
	}
	for _, c := range []struct {
		name   string
		fields object
		want   string
	}{
		{"the model's choice", object{"tools": []object{tool("a")}}, "chooses none"},
		{"auto", object{"tools": []object{tool("a")}, "tool_choice": "auto"}, "chooses none"},
		{"one of two", object{"tools": []object{tool("a"), tool("b")}, "tool_choice": "required"}, "give one function"},
		{"none of that name", object{"tools": []object{tool("a")}, "tool_choice": named}, "give one function"},
		{"with a format", object{"tools": []object{tool("b")}, "tool_choice": named,
			"response_format": object{"type": "json_object"}}, "not both"},
		{"a list for parameters", object{"tool_choice": named,
			"tools": []object{{"type": "function", "function": object{
				"name": "b", "parameters": json.RawMessage(listOf(`"label":{}`))}}}}, "want an object, which has the list"},
		{"without parameters", object{"tools": []object{{"type": "function", "function": object{"name": "b"}}},
			"tool_choice": named}, "the parameters of the function b: want a JSON schema"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if g := s.chat(c.fields, userMessage("detect cat", 1)); g.status != 400 ||
				!strings.Contains(g.body, c.want) {
				t.Errorf("%d %s", g.status, g.body)
			}
		})
	}
	none := object{"tools": []object{tool("a")}, "tool_choice": "none"}
	if have := text(t, s.chat(none, userMessage("ocr", 1))); have != answered(1, "ocr") {
		t.Errorf("tools that may not be called: %q", have)
	}
}
