package server

import (
	"strings"
	"testing"
)

// A model is found by its name as clients write it, and an error repeats the name.
func TestModelNames(t *testing.T) {
	s := serve(t, func(o *Options) { o.Models = []*Model{toy("toy-F32"), toy("Toy-f32"), toy("other")} })
	for _, c := range []struct{ name, want string }{
		{"", "toy-F32"}, {"toy-F32", "toy-F32"}, {"Toy-f32", "Toy-f32"}, {"TOY-F32", "toy-F32"},
		{"toy-F32:latest", "toy-F32"},
		{"other:LATEST", "other"}, {" other\n", "other"}, {"library/other", "other"}, {"Other", "other"},
		{"registry.ollama.ai/library/other:latest", "other"}, {"other:7b", ""}, {"oth", ""}, {" ", ""}, {"a/other", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			m, err := s.model(c.name)
			switch {
			case c.want == "" && (err == nil || !strings.Contains(err.Error(), echo(c.name))):
				t.Errorf("%v, %v", m, err)
			case c.want != "" && (err != nil || m.Name != c.want):
				t.Errorf("%v, %v", m, err)
			}
		})
	}
	g := s.post("/v1/chat/completions", object{"model": strings.Repeat("x", 100000),
		"messages": []object{userMessage("ocr", 1)}})
	if g.status != 404 || g.code() != "model_not_found" || len(g.body) > 500 {
		t.Errorf("%d, %d bytes", g.status, len(g.body))
	}
}
