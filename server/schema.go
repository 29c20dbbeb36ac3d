package server

// This file: answers as JSON, where a client gives a schema: boxes and masks.
//
// The schema is one of an object with a list of objects, {"objects": [{...}]}, whatever the list is
// called, or of the list alone. The properties of its items choose what is reported of each object,
// by the names of tasks.Detection's JSON; a required one that has another name cannot be answered.

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/pali-gguf/pali/server/engine"
	"github.com/pali-gguf/pali/tasks"
)

// objectForm is the form of an answer that is JSON.
type objectForm struct {
	list   string   // the name of the list; "": the answer is the list
	fields []string // of each object
	strict bool
	schema *jsonschema.Schema // nil: none was given
}

// ownFields are the fields of tasks.Detection.
var ownFields = []string{"label", "score", "score_box", "score_label", "xyxy", "loc", "seg", "mask", "area", "polygons"}

// anyForm is the form where JSON is wanted and no schema given.
var anyForm = &objectForm{list: "objects", fields: ownFields}

// maxSchema is the largest schema in bytes.
const maxSchema = 64 << 10

// noRefs is a loader that refuses all references of a schema to others.
type noRefs struct{}

func (noRefs) Load(string) (any, error) {
	return nil, errors.New("a schema may refer to itself only")
}

// parseSchema reads a schema. If strict is set the answer is constrained to the form.
func parseSchema(raw json.RawMessage, strict bool) (*objectForm, error) {
	if len(raw) > maxSchema {
		return nil, invalid("a schema of %d bytes: at most %d", len(raw), maxSchema)
	}
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		return nil, invalid("the schema is not JSON")
	}
	c := jsonschema.NewCompiler()
	c.UseLoader(noRefs{})
	if err := c.AddResource("schema:///", document); err != nil {
		return nil, invalid("the schema cannot be read")
	}
	f := &objectForm{strict: strict}
	if f.schema, err = c.Compile("schema:///"); err != nil {
		return nil, invalid("the schema is not valid, or refers to another")
	}
	return f, f.choose(f.schema)
}

var errForm = unsupported("the schema: want a list of objects, or an object with one such list")

// choose finds the list in a schema, and the fields of its items.
func (f *objectForm) choose(s *jsonschema.Schema) error {
	s = direct(s)
	if items := itemsOf(s); items != nil {
		return f.chooseFields(items)
	}
	for name, p := range s.Properties {
		if items := itemsOf(direct(p)); items != nil && f.list == "" {
			f.list = name
			if err := f.chooseFields(items); err != nil {
				return err
			}
		} else if slices.Contains(s.Required, name) {
			return errForm
		}
	}
	if f.list == "" {
		return errForm
	}
	return nil
}

// direct follows references, and the one part of an allOf.
func direct(s *jsonschema.Schema) *jsonschema.Schema {
	for range 32 {
		switch {
		case s.Ref != nil:
			s = s.Ref
		case len(s.AllOf) == 1 && len(s.Properties) == 0:
			s = s.AllOf[0]
		default:
			return s
		}
	}
	return s
}

// itemsOf returns the schema of a list's items, nil if they are not objects.
func itemsOf(s *jsonschema.Schema) *jsonschema.Schema {
	items := s.Items2020
	if old, ok := s.Items.(*jsonschema.Schema); ok && items == nil {
		items = old
	}
	if items == nil {
		return nil
	}
	if items = direct(items); len(items.Properties) == 0 {
		return nil
	}
	return items
}

func (f *objectForm) chooseFields(items *jsonschema.Schema) error {
	for name := range items.Properties {
		if slices.Contains(ownFields, name) {
			f.fields = append(f.fields, name)
		}
	}
	for _, name := range items.Required {
		if !slices.Contains(f.fields, name) {
			return unsupported("the schema requires a property of each object that is not known here: want some of %s",
				strings.Join(ownFields, ", "))
		}
	}
	if len(f.fields) == 0 {
		return unsupported("the schema has no property of an object that is known here: want some of %s",
			strings.Join(ownFields, ", "))
	}
	return nil
}

// check refuses a request that does not ask for objects which the form can hold. hasMasks says
// whether the model has a mask decoder. If the form is strict it constrains the answer of q.
func (f *objectForm) check(q *engine.Request, hasMasks bool) error {
	p := tasks.Parse(q.Prompt)
	if !p.Boxes() || len(p.Labels) == 0 || len(q.Images) > 1 {
		return unsupported(`JSON answers prompts like "detect cat ; dog" and "segment cat" about one image; ` +
			`any other answer is text`)
	}
	for _, name := range []string{"mask", "area", "polygons"} {
		if f.schema != nil && slices.Contains(f.fields, name) && (!p.Masks() || !hasMasks) {
			return unsupported("masks: they come with \"segment\", from a model that has a mask decoder")
		}
	}
	if f.strict {
		q.Strict = &engine.Strict{Labels: p.Labels, Masks: p.Masks()}
	}
	return nil
}

// write returns the objects in the form.
func (f *objectForm) write(objects []tasks.Detection) (string, error) {
	all := []map[string]json.RawMessage{}
	for _, o := range objects {
		var fields map[string]json.RawMessage
		if err := json.Unmarshal(encodeJSON(o), &fields); err != nil {
			return "", err
		}
		for name := range fields {
			if !slices.Contains(f.fields, name) {
				delete(fields, name)
			}
		}
		all = append(all, fields)
	}
	var whole any = all
	if f.list != "" {
		whole = map[string]any{f.list: all}
	}
	text := bytes.TrimSpace(encodeJSON(whole))
	if f.schema == nil {
		return string(text), nil
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return "", err
	}
	if f.schema.Validate(value) != nil {
		return "", failuref(500, "schema", "what the model found does not fit the schema")
	}
	return string(text), nil
}
