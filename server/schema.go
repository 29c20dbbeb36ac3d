package server

// This file: answers as JSON, where a client gives a schema: boxes and masks.
//
// The schema is one of an object with a list of objects, {"objects": [{...}]}, whatever the list is
// called, or of the list alone. The properties of its items choose what is reported of each object:
// by the names of tasks.Detection's JSON, or the box by the names of its corners (schema_box.go).
// Others can only be answered where the schema takes null, or one value.
//
// What no answer could fit is refused before the model is asked: the form is tried on examples.

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/pali-gguf/pali/server/engine"
	"github.com/pali-gguf/pali/tasks"
)

// objectForm is the form of an answer that is JSON.
type objectForm struct {
	field  string             // of the request, that the schema is in
	name   string             // of the list; "": the answer is the list
	tool   string             // the function whose arguments the answer is; "": none
	strict bool               // the answer is constrained to objects
	schema *jsonschema.Schema // nil: none was given
	list   *jsonschema.Schema
	items  *jsonschema.Schema
}

// ownFields are the fields of tasks.Detection.
var ownFields = []string{"label", "score", "score_box", "score_label", "xyxy", "loc", "seg", "mask", "area", "polygons"}

// maskFields are those that only an object with a mask has.
var maskFields = []string{"seg", "mask", "area", "polygons"}

// anyForm is the form where JSON is wanted and no schema given.
var anyForm = &objectForm{name: "objects"}

// maxSchema is the largest schema in bytes.
const maxSchema = 64 << 10

// noRefs is a loader that refuses all references of a schema to others.
type noRefs struct{}

func (noRefs) Load(string) (any, error) {
	return nil, errors.New("a schema may refer to itself only")
}

// parseSchema reads the schema of a field. If strict is set the answer is constrained to the form.
func parseSchema(field string, raw json.RawMessage, strict bool) (*objectForm, error) {
	if len(raw) > maxSchema {
		return nil, invalid("%s: a schema of %d bytes: at most %d", field, len(raw), maxSchema)
	}
	if jsonKind(raw) != "object" {
		return nil, wrongKind(field, "a JSON schema, as {\"type\": \"object\", ...}", raw)
	}
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		return nil, invalid("%s: the schema is not JSON", field)
	}
	c := jsonschema.NewCompiler()
	c.UseLoader(noRefs{})
	if err := c.AddResource("schema:///", document); err != nil {
		return nil, invalid("%s: the schema cannot be read", field)
	}
	f := &objectForm{field: field, strict: strict}
	if f.schema, err = c.Compile("schema:///"); err != nil {
		return nil, invalid("%s: the schema is not valid, or refers to another", field)
	}
	if costs(f.schema, map[*jsonschema.Schema]int{}) > maxCost {
		return nil, invalid("%s: the schema branches too often", field)
	}
	return f, f.choose()
}

// choose finds the list in the schema, and checks what its items require.
func (f *objectForm) choose() error {
	root := direct(f.schema)
	if f.items = itemsOf(root); f.items != nil {
		f.list = root
		return f.checkItems()
	}
	for _, name := range slices.Sorted(maps.Keys(root.Properties)) {
		p := direct(root.Properties[name])
		if items := itemsOf(p); items != nil && f.items == nil {
			f.name, f.list, f.items = name, p, items
			continue
		}
		if _, ok := filler(root.Properties[name]); !ok && slices.Contains(root.Required, name) {
			return unsupported("%s: the schema requires %s, which is not known here: want a list of objects, "+
				"or an object with one such list", f.field, echo(name))
		}
	}
	if f.items == nil {
		return unsupported("%s: the schema: want a list of objects, or an object with one such list", f.field)
	}
	return f.checkItems()
}

// checkItems refuses items that require what no object has, or want nothing that one has.
func (f *objectForm) checkItems() error {
	known := false
	for name, p := range f.items.Properties {
		if slices.Contains(ownFields, name) || cornersOf(f.items)[name] != nil || cornersOf(direct(p)) != nil {
			known = true
		} else if _, ok := filler(p); !ok && slices.Contains(f.items.Required, name) {
			return unsupported("%s: the schema requires a property of each object that is not known here, %s: "+
				"want some of %s", f.field, echo(name), strings.Join(ownFields, ", "))
		}
	}
	if !known {
		return unsupported("%s: the schema has no property of an object that is known here: want some of %s",
			f.field, strings.Join(ownFields, ", "))
	}
	for _, name := range f.items.Required {
		if f.items.Properties[name] == nil && !slices.Contains(ownFields, name) {
			return unsupported("%s: the schema requires a property of each object that is not known here, %s: "+
				"want some of %s", f.field, echo(name), strings.Join(ownFields, ", "))
		}
	}
	return nil
}

// check refuses a request that does not ask for objects which the form can hold. hasMasks says
// whether the model has a mask decoder. Where the form constrains labels, or is strict, the answer
// of q is constrained, to all labels of the prompt: if those that the form lacks could not come the
// model would give their objects other labels.
func (f *objectForm) check(q *engine.Request, hasMasks bool) error {
	p := tasks.Parse(q.Prompt)
	if !p.Boxes() || len(p.Labels) == 0 || len(q.Images) > 1 {
		return unsupported(`JSON answers prompts like "detect cat ; dog" and "segment cat" about one image; ` +
			`any other answer is text`)
	}
	needsMasks := false
	if f.schema != nil {
		if needsMasks = f.needsMasks(); needsMasks && !(p.Masks() && hasMasks) {
			return unsupported("%s: masks: they come with \"segment\", from a model that has a mask decoder", f.field)
		}
		labels := f.labels(p.Labels)
		if len(labels) == 0 {
			return unsupported("%s: what the prompt asks for does not fit the labels of the schema: %s is not one of "+
				"them",
				f.field, echo(p.Labels[0]))
		}
		if err := f.try(labels[0], p.Masks() && hasMasks); err != nil {
			return err
		}
	}
	if f.strict || needsMasks || f.constrainsLabels() {
		q.Strict = &engine.Strict{Labels: p.Labels, Masks: p.Masks()}
	}
	return nil
}

// needsMasks reports whether each item must have a field that comes of a mask, or has no other.
func (f *objectForm) needsMasks() bool {
	others := 0
	for name, p := range f.items.Properties {
		_, fills := filler(p)
		switch isMask := slices.Contains(maskFields, name); {
		case isMask && !fills && slices.Contains(f.items.Required, name):
			return true
		case !isMask && (slices.Contains(ownFields, name) || cornersOf(f.items) != nil || cornersOf(direct(p)) != nil):
			others++
		}
	}
	return others == 0
}

// labels returns those of all that the items' schema takes.
func (f *objectForm) labels(all []string) (fit []string) {
	s := f.items.Properties["label"]
	for _, l := range all {
		if s == nil || s.Validate(fitTo(l, s)) == nil {
			fit = append(fit, l)
		}
	}
	return fit
}

// constrainsLabels reports whether the items' schema takes certain labels only.
func (f *objectForm) constrainsLabels() bool {
	return f.schema != nil && len(f.labels([]string{"\u2400 no label"})) == 0
}

// try fails where none of some examples of objects with this label fits the schema.
func (f *objectForm) try(label string, hasMasks bool) (err error) {
	n := 1
	if least := f.list.MinItems; least != nil {
		n = max(1, min(*least, maxExamples))
	}
	for _, e := range examples {
		objects := make([]tasks.Detection, n)
		for i := range objects {
			objects[i] = e.object(label, i, hasMasks)
		}
		if err = f.schema.Validate(f.value(objects)); err == nil {
			return nil
		}
	}
	return unsupported("%s: the schema cannot hold an object: %s", f.field, misfit(err))
}

// misfit is the innermost reason why a value does not fit a schema.
func misfit(err error) string {
	lines := strings.Split(err.Error(), "\n")
	return shorten(strings.TrimPrefix(strings.TrimSpace(lines[len(lines)-1]), "- "), 200)
}

// write returns the objects in the form.
func (f *objectForm) write(objects []tasks.Detection) (string, error) {
	if f.schema == nil {
		all := []map[string]any{}
		for _, o := range objects {
			fields := fieldsOf(o)
			maps.DeleteFunc(fields, func(name string, _ any) bool { return !slices.Contains(ownFields, name) })
			all = append(all, fields)
		}
		return string(bytes.TrimSpace(encodeJSON(map[string]any{f.name: all}))), nil
	}
	value := f.value(objects)
	if err := f.schema.Validate(value); err != nil {
		return "", failuref(http.StatusUnprocessableEntity, "schema",
			"%s: what the model found does not fit the schema: %s",
			f.field, misfit(err))
	}
	return string(bytes.TrimSpace(encodeJSON(value))), nil
}

// want is what a client that gives the form wants of the answer to q.
func (f *objectForm) want(q *engine.Request) tasks.Want {
	w := tasks.Want{Prompt: tasks.Parse(q.Prompt), MaxTokens: q.MaxTokens, Strict: q.Strict != nil}
	w.Masks = w.Prompt.Masks()
	if f.schema != nil {
		w.Masks = slices.ContainsFunc(maskFields, func(name string) bool { return f.items.Properties[name] != nil })
	}
	return w
}

// take returns those of objects whose labels the form takes, and no more than it has room for.
func (f *objectForm) take(objects []tasks.Detection) (taken []tasks.Detection) {
	if f.schema == nil {
		return objects
	}
	for _, o := range objects {
		if len(f.labels([]string{o.Label})) > 0 {
			taken = append(taken, o)
		}
	}
	if most := f.list.MaxItems; most != nil {
		return best(taken, *most)
	}
	return taken
}

// best returns the n objects with the best scores, in their order.
func best(objects []tasks.Detection, n int) []tasks.Detection {
	if len(objects) <= n {
		return objects
	}
	scores := make([]float64, len(objects))
	for i, o := range objects {
		scores[i] = o.Score.Score
	}
	slices.Sort(scores)
	least := scores[len(scores)-max(n, 1)]
	var kept []tasks.Detection
	for _, o := range objects {
		if len(kept) < n && o.Score.Score >= least {
			kept = append(kept, o)
		}
	}
	return kept
}

// value returns the objects as the schema wants them.
func (f *objectForm) value(objects []tasks.Detection) any {
	all := []any{}
	for _, o := range objects {
		all = append(all, f.item(fieldsOf(o)))
	}
	if f.name == "" {
		return all
	}
	root := direct(f.schema)
	whole := map[string]any{f.name: all}
	for name, p := range root.Properties {
		if v, ok := filler(p); ok && name != f.name && slices.Contains(root.Required, name) {
			whole[name] = v
		}
	}
	return whole
}

// item returns the object with these fields as the schema wants it.
func (f *objectForm) item(fields map[string]any) map[string]any {
	out := map[string]any{}
	xyxy, _ := fields["xyxy"].([]any)
	names := slices.Collect(maps.Keys(f.items.Properties))
	for _, name := range f.items.Required {
		if f.items.Properties[name] == nil {
			names = append(names, name)
		}
	}
	corners := cornersOf(f.items)
	for _, name := range names {
		p := f.items.Properties[name]
		v, known := fields[name]
		if at := cornersOf(direct(p)); at != nil {
			v, known = boxBy(at, xyxy), true
		} else if corner := corners[name]; corner != nil {
			v, known = corner(xyxy), true
		}
		if known {
			out[name] = fitTo(v, p)
		} else if v, ok := filler(p); ok && slices.Contains(f.items.Required, name) {
			out[name] = v
		}
	}
	return out
}

// fieldsOf returns an object's JSON, its numbers as json.Number.
func fieldsOf(o tasks.Detection) map[string]any {
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(encodeJSON(o)))
	fields, ok := v.(map[string]any)
	if err != nil || !ok {
		return map[string]any{}
	}
	return fields
}
