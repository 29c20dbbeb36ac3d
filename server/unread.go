package server

// This file: fields that clients of other protocols send and no route here reads. What would change
// an answer is refused; what changes none is ignored; what is not known is ignored, and named in the
// header Pali-Ignored of the answer.

import (
	"bytes"
	"encoding/json"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// fieldReader is a request of which clients send more fields than are read.
type fieldReader interface{ fields() *fieldTable }

// fieldTable says what becomes of a request's fields, each by its path: "seed", "options.seed".
type fieldTable struct {
	read     map[string]bool // by routes; true: with all that is in it
	refused  map[string]unreadField
	harmless []string // fields that change no answer
}

// unreadField is a field that would change an answer, and that is not there.
type unreadField struct {
	hint    string // what to do
	neutral []any  // values that change nothing, besides null, false, 0 and what is empty
}

// newFieldTable makes the table of a request of type T.
func newFieldTable[T any](refused map[string]unreadField, harmless ...string) *fieldTable {
	t := &fieldTable{map[string]bool{}, refused, harmless}
	t.add(reflect.TypeFor[T](), "")
	return t
}

// add adds the fields of a struct whose path is outer.
func (t *fieldTable) add(s reflect.Type, outer string) {
	for i := range s.NumField() {
		name, _, _ := strings.Cut(s.Field(i).Tag.Get("json"), ",")
		kind := s.Field(i).Type
		path := join(outer, name)
		nests := kind.Kind() == reflect.Struct && outer == ""
		if t.read[path] = !nests; nests {
			t.add(kind, path)
		}
	}
}

func join(outer, name string) string {
	if outer == "" {
		return name
	}
	return outer + "." + name
}

// judge returns the paths of the fields that nobody knows, or why one is refused.
func (t *fieldTable) judge(sent []sentField) (ignored []string, err error) {
	for _, f := range sent {
		path := join(f.outer, f.name)
		whole, outerRead := t.read[f.outer]
		_, read := t.read[path]
		if read || f.outer != "" && (whole || !outerRead) {
			continue
		}
		entry, known := t.refused[path]
		switch {
		case !known && slices.Contains(t.harmless, path) || f.isNeutral(entry.neutral):
		case known:
			return nil, unsupported("not supported: %s: %s", path, entry.hint)
		default:
			ignored = append(ignored, path)
		}
	}
	return ignored, nil
}

// isNeutral reports whether a field's value says nothing, or is one of neutral.
func (f *sentField) isNeutral(neutral []any) bool {
	var v any
	if json.NewDecoder(bytes.NewReader(f.value)).Decode(&v) != nil {
		return false
	}
	return isNothing(v) || slices.ContainsFunc(neutral, func(n any) bool { return reflect.DeepEqual(v, n) })
}

// isNothing reports whether a value of JSON is null, false, 0, empty, or a list of such values.
func isNothing(v any) bool {
	switch v := v.(type) {
	case []any:
		return !slices.ContainsFunc(v, func(one any) bool { return !isNothing(one) })
	case map[string]any:
		return len(v) == 0
	}
	return v == nil || v == false || v == 0. || v == ""
}

// maxIgnored bounds the names in a header.
const maxIgnored = 20

// setIgnored names fields that were ignored, if there are any, in a header.
func setIgnored(h http.Header, paths []string) {
	if len(paths) == 0 {
		return
	}
	var names []string
	for _, path := range paths[:min(len(paths), maxIgnored)] {
		name := strings.Trim(strconv.QuoteToASCII(shorten(path, maxEcho)), `"`)
		names = append(names, strings.ReplaceAll(name, ",", `\x2c`))
	}
	if len(paths) > maxIgnored {
		names = append(names, "...")
	}
	h.Set("Pali-Ignored", strings.Join(names, ", "))
}

// merged returns all entries of tables; of two with one name the later.
func merged(tables ...map[string]unreadField) map[string]unreadField {
	all := map[string]unreadField{}
	for _, t := range tables {
		maps.Copy(all, t)
	}
	return all
}

// Hints of several fields.
const (
	noPenalties = "there are no penalties; leave it out, or say 0"
	noFactors   = "there are no penalties; leave it out, or say 1"
	leaveOut    = "leave it out"
)

// samplers are fields of drawing tokens, on all routes.
var samplers = map[string]unreadField{
	"stop":               {hint: "PaliGemma ends its answers itself; leave it out"},
	"stop_token_ids":     {hint: "PaliGemma ends its answers itself; leave it out"},
	"presence_penalty":   {hint: noPenalties},
	"frequency_penalty":  {hint: noPenalties},
	"repetition_penalty": {noFactors, []any{1.}},
	"repeat_penalty":     {noFactors, []any{1.}},
	"length_penalty":     {noFactors, []any{1.}},
	"dry_multiplier":     {hint: noPenalties},
	"logit_bias":         {hint: leaveOut},
	"bad_words":          {hint: leaveOut},
	"mirostat":           {hint: "leave it out, or say 0"},
	"typical_p":          {"leave it out, or say 1", []any{1.}},
	"tfs_z":              {"leave it out, or say 1", []any{1.}},
	"top_a":              {hint: leaveOut},
	"dynatemp_range":     {hint: leaveOut},
	"xtc_probability":    {hint: leaveOut},
	"min_tokens":         {hint: leaveOut},
	"ignore_eos":         {hint: leaveOut},
	"use_beam_search":    {hint: "answers are drawn token by token; leave it out"},
	"grammar":            {hint: "give a JSON schema"},
}

// otherServers are fields that servers of OpenAI's protocol have beside OpenAI's own.
var otherServers = map[string]unreadField{
	"n":                      {"one answer is given to a request; leave it out, or say 1", []any{1.}},
	"best_of":                {"one answer is given to a request; leave it out, or say 1", []any{1.}},
	"audio":                  {hint: "answers are text"},
	"modalities":             {"answers are text", []any{[]any{"text"}}},
	"echo":                   {hint: leaveOut},
	"continue_final_message": {hint: leaveOut},
	"chat_template":          {hint: "a prompt reaches the model as it is"},
	"system":                 {hint: "PaliGemma takes no system message, it would be ignored"},
	"options":                {hint: "this route takes them beside the messages, as max_tokens and temperature"},
	"guided_choice":          {hint: "give a JSON schema"},
	"guided_regex":           {hint: "give a JSON schema"},
	"guided_grammar":         {hint: "give a JSON schema"},
}

// called returns entries for other names of what a route calls name.
func called(name string, others ...string) map[string]unreadField {
	all := map[string]unreadField{}
	for _, other := range others {
		all[other] = unreadField{hint: "this route calls it " + name}
	}
	return all
}

// inOptions returns entries of Ollama's options as they are at the wrong place, beside them.
func inOptions(names ...string) map[string]unreadField {
	all := map[string]unreadField{}
	for _, name := range names {
		all[name] = unreadField{hint: "this route takes it in options"}
	}
	return all
}

var chatFields = newFieldTable[chatRequest](merged(samplers, otherServers,
	called("max_tokens", "num_predict", "n_predict", "max_output_tokens", "max_new_tokens"),
	called("response_format", "format", "json_schema", "guided_json", "structured_outputs"),
	called("messages", "prompt", "input"),
	called("messages, with parts of type image_url", "image", "images"),
	map[string]unreadField{
		"functions":     {hint: "give tools and name one in tool_choice"},
		"function_call": {"give tools and name one in tool_choice", []any{"none", "auto"}},
	}),
	"user", "metadata", "store", "service_tier", "parallel_tool_calls", "prediction", "safety_identifier",
	"prompt_cache_key", "keep_alive", "cache_prompt", "id_slot", "timings_per_token",
	"stream_options.include_obfuscation")

var responsesFields = newFieldTable[responsesRequest](merged(samplers, otherServers,
	called("max_output_tokens", "max_tokens", "max_completion_tokens", "num_predict", "n_predict"),
	called("text.format", "response_format", "format", "json_schema", "guided_json"),
	called("input", "messages"),
	called("input, with parts of type input_image", "image", "images"),
	called(`include: ["message.output_text.logprobs"]`, "logprobs"),
	map[string]unreadField{
		"top_k":                {hint: "use /v1/chat/completions", neutral: []any{-1.}},
		"min_p":                {hint: "use /v1/chat/completions"},
		"instructions":         {hint: "PaliGemma takes none, they would be ignored; put everything into the input"},
		"previous_response_id": {hint: "answers are not stored; send the messages again"},
		"conversation":         {hint: "answers are not stored; send the messages again"},
		"prompt":               {hint: "templates are not stored; put the prompt into the input"},
		"tools":                {hint: "PaliGemma calls none"},
		"background":           {hint: "answers are not stored"},
	}),
	"user", "store", "service_tier", "parallel_tool_calls", "safety_identifier", "prompt_cache_key", "truncation",
	"tool_choice", "max_tool_calls", "stream_options")

var ollamaFields = newFieldTable[ollamaRequest](merged(samplers, under("options", samplers),
	map[string]unreadField{
		"system":   {hint: "PaliGemma takes no system message, it would be ignored; put everything into the prompt"},
		"template": {"a prompt reaches the model as it is", []any{template}},
		"suffix":   {hint: "PaliGemma inserts no text"},
		"context":  {hint: "answers are not continued; send the image again"},
		"think":    {hint: "PaliGemma answers at once; leave it out, or say false"},
	},
	inOptions("temperature", "top_k", "top_p", "min_p", "seed", "num_predict"),
	called("options.num_predict", "max_tokens", "max_completion_tokens", "n_predict", "options.max_tokens"),
	called("format", "response_format")),
	"raw", "truncate", "shift", "user", "options.num_ctx", "options.num_batch", "options.num_gpu", "options.main_gpu",
	"options.num_thread", "options.use_mmap", "options.use_mlock", "options.numa", "options.low_vram",
	"options.f16_kv", "options.vocab_only", "options.num_keep", "options.repeat_last_n", "options.mirostat_tau",
	"options.mirostat_eta", "options.penalize_newline")

// under returns a table's entries with the path outer before them.
func under(outer string, table map[string]unreadField) map[string]unreadField {
	all := map[string]unreadField{}
	for name, entry := range table {
		all[join(outer, name)] = entry
	}
	return all
}

func (*chatRequest) fields() *fieldTable      { return chatFields }
func (*responsesRequest) fields() *fieldTable { return responsesFields }
func (*ollamaRequest) fields() *fieldTable    { return ollamaFields }
