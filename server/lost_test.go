package server

import (
	"fmt"
	"strings"
	"testing"

	"github.com/pali-gguf/pali/tasks"
)

// What a route's answer lost is in it, whatever the protocol: a mask that a schema asks for and that
// does not come, too.
func TestLostIsSaid(t *testing.T) {
	s := serve(t)
	const schema = `{"type":"array","items":{"type":"object","properties":{"label":{"type":"string"},` +
		`"mask":{"type":["object","null"]}},"required":["label"]}}`
	openai := `{"messages":[{"role":"user","content":[{"type":"text","text":"PROMPT"},{"type":"image_url","image_url":"` +
		uri(1) + `"}]}],"response_format":{"type":"json_schema","json_schema":{"schema":` + schema +
		`}},"stream":STREAM}`
	responses := `{"input":[{"role":"user","content":[{"type":"input_text","text":"PROMPT"},{"type":"input_image",` +
		`"image_url":"` + uri(1) + `"}]}],"text":{"format":{"type":"json_schema","name":"a","schema":` + schema +
		`}},"stream":STREAM}`
	ollama := `{"model":"toy","prompt":"PROMPT","images":["` + b64(1) + `"],"format":` + schema + `,"stream":STREAM}`
	anyJSON := `{"model":"toy","prompt":"PROMPT","images":["` + b64(1) + `"],"format":"json","stream":STREAM}`
	native := `{"image":"` + uri(1) + `","things":["cat"]}`
	for _, c := range []struct{ name, path, body, prompt, want string }{
		{"openai, no mask", "/v1/chat/completions", openai, "detect cat", `"lost":{"no_mask":1}`},
		{"openai, no decoder", "/v1/chat/completions", openai, "segment cat", `"lost":{"no_decoder":1}`},
		{"responses", "/v1/responses", responses, "segment cat", `"lost":{"no_decoder":1}`},
		{"ollama", "/api/generate", ollama, "segment cat", `"lost":{"no_decoder":1}`},
		{"any json", "/api/generate", anyJSON, "segment cat", `"lost":{"no_decoder":1}`},
		{"native", "/v1/segment", native, "", `"warnings":["1 object has no mask: there is no mask file"]`},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, stream := range []string{"false", "true"} {
				body := strings.NewReplacer("PROMPT", c.prompt, "STREAM", stream).Replace(c.body)
				g := s.do("POST", c.path, body, "Content-Type", "application/json")
				if g.status != 200 || strings.Count(g.body, c.want) != 1 {
					t.Errorf("stream %s: %d %s", stream, g.status, g.body)
				}
			}
		})
	}
	body := strings.NewReplacer("PROMPT", "detect cat", "STREAM", "false").Replace(anyJSON)
	if g := s.do("POST", "/api/generate", body); g.status != 200 || strings.Contains(g.body, "lost") {
		t.Errorf("nothing was lost: %s", g.body)
	}
}

// A drawn answer says in a header what it lost.
func TestLostHeader(t *testing.T) {
	s := serve(t)
	body, kind := form(solidPNG(colour(1)), "things", "cat")
	g, err := s.send(t.Context(), "POST", "/v1/segment", body, "Content-Type", kind, "Accept", "image/png")
	if err != nil || g.header.Get("Content-Type") != "image/png" || g.header.Get("Pali-Lost") != `{"no_decoder":1}` {
		t.Errorf("%v: %d %v", err, g.status, g.header)
	}
	for _, c := range []struct {
		name string
		lost tasks.Losses
		want string
	}{
		{"a label of another script", tasks.Losses{Unasked: map[string]int{"猫😀": 2}},
			`{"not_asked_for":{"\u732b\ud83d\ude00":2}}`},
		{"a long label", tasks.Losses{Unasked: map[string]int{strings.Repeat("x", 3000): 2, "y": 1}, CutOff: 1},
			`{"not_asked_for":{"...":3},"cut_off":1}`},
		{"a label with a line break", tasks.Losses{Unasked: map[string]int{"a\r\nb": 1}},
			`{"not_asked_for":{"a\r\nb":1}}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			if have := lostHeader(c.lost); have != c.want {
				t.Errorf("%s, want %s", have, c.want)
			}
		})
	}
}

// Objects for which a schema has no place are left out and counted: too many, or of other labels.
func TestNotTaken(t *testing.T) {
	form, err := parseSchema("format", []byte(listOf(`"label":{"type":"string"}`, `,"maxItems":1`)), false)
	if err != nil {
		t.Fatal(err)
	}
	all := []tasks.Detection{{Label: "a"}, {Label: "b"}, {Label: "c"}}
	if taken := form.take(all); len(taken) != 1 {
		t.Errorf("%+v", taken)
	}
	if taken := anyForm.take(all); len(taken) != 3 {
		t.Errorf("%+v", taken)
	}
	form, err = parseSchema("format", []byte(listOf(`"label":{"enum":["B"]}`)), false)
	if err != nil {
		t.Fatal(err)
	}
	if taken := form.take(all); len(taken) != 1 || taken[0].Label != "b" {
		t.Errorf("%+v", taken)
	}
	lost := tasks.Losses{NotTaken: 2}
	if words := fmt.Sprint(lost.Sentences(tasks.OptionNames{})); lost.IsZero() ||
		words != "[2 objects are left out: the schema has no place for them]" {
		t.Error(words)
	}
}
