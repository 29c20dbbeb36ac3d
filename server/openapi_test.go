package server

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// described is openapi.json as the tests need it.
type described struct {
	Paths      map[string]map[string]struct{ Responses map[string]response }
	Components struct{ Responses map[string]response }
}

type response struct {
	Ref     string `json:"$ref"`
	Content map[string]struct{ Schema json.RawMessage }
}

var description = sync.OnceValue(func() (d described) {
	if err := json.Unmarshal(openapi, &d); err != nil {
		panic(err)
	}
	return d
})

var compiler = sync.OnceValue(func() *jsonschema.Compiler {
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(openapi))
	if err != nil {
		panic(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("openapi.json", document); err != nil {
		panic(err)
	}
	return c
})

var compiling sync.Mutex

// conforms holds an answer against the description of its route: status, content type, and the
// schema of JSON.
func conforms(method, pattern string, g got) error {
	_, path, _ := strings.Cut(pattern, " ")
	path = strings.NewReplacer("{$}", "", "{model...}", "{model}").Replace(path)
	method = strings.ToLower(method)
	if method == "head" || method == "options" {
		return nil
	}
	r, ok := description().Paths[path][method].Responses[fmt.Sprint(g.status)]
	if !ok {
		return fmt.Errorf("status %d is not described", g.status)
	}
	at := fmt.Sprintf("#/paths/%s/%s/responses/%d", strings.ReplaceAll(path, "/", "~1"), method, g.status)
	if r.Ref != "" {
		at, r = r.Ref, description().Components.Responses[strings.TrimPrefix(r.Ref, "#/components/responses/")]
	}
	kind, _, _ := strings.Cut(g.header.Get("Content-Type"), ";")
	if _, ok := r.Content[kind]; !ok {
		return fmt.Errorf("%d: content %s is not described", g.status, kind)
	}
	if kind != "application/json" {
		return nil
	}
	compiling.Lock()
	defer compiling.Unlock()
	at = strings.NewReplacer("{", "%7B", "}", "%7D").Replace(at)
	schema, err := compiler().Compile("openapi.json" + at + "/content/application~1json/schema")
	if err != nil {
		return err
	}
	value, err := jsonschema.UnmarshalJSON(strings.NewReader(g.body))
	if err != nil {
		return err
	}
	return schema.Validate(value)
}

// Every route is described, and every description has its route.
func TestRoutesAreDescribed(t *testing.T) {
	s := serve(t)
	have := map[string]bool{}
	for _, r := range s.routes() {
		have[strings.NewReplacer("{$}", "", "{model...}", "{model}").Replace(r.pattern)] = true
	}
	for path, methods := range description().Paths {
		for method := range methods {
			if pattern := strings.ToUpper(method) + " " + path; !have[pattern] {
				t.Errorf("%s is described, and is not a route", pattern)
			} else {
				delete(have, pattern)
			}
		}
	}
	for pattern := range have {
		t.Errorf("%s is not described", pattern)
	}
	if g := s.get("/openapi.json"); g.status != http.StatusOK || g.body != string(openapi) {
		t.Errorf("%d", g.status)
	}
}

// An answer that is not as described is found: the test of the test.
func TestConforms(t *testing.T) {
	header := http.Header{"Content-Type": {"application/json"}}
	if err := conforms("GET", "GET /health", got{200, header, `{"status":"ok"}`}); err != nil {
		t.Error(err)
	}
	html := http.Header{"Content-Type": {"text/html"}}
	for _, g := range []got{
		{200, header, `{"status":"fine"}`}, {200, header, `{}`}, {418, header, `{}`}, {200, html, ``},
	} {
		if conforms("GET", "GET /health", g) == nil {
			t.Errorf("%+v", g)
		}
	}
}
