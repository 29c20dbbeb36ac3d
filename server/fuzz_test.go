package server

import (
	"encoding/json"
	"net/http/httptest"
	"testing"
	"unicode/utf8"

	"github.com/pali-gguf/pali/server/engine"
)

// No body of OpenAI's or Ollama's routes makes more than an error.
func FuzzRequests(f *testing.F) {
	s := New(Options{Models: []*Model{toy("toy")}, Options: engine.Options{Parallel: 1, Queue: 1, MaxTokens: 1024}})
	r := httptest.NewRequest("POST", "/", nil)
	for _, body := range []string{
		`{"messages":[{"role":"user","content":[{"type":"text","text":"detect cat"},
			{"type":"image_url","image_url":{"url":"data:image/png;base64,aGk="}}]}],
			"response_format":{"type":"json_schema","json_schema":{
				"schema":{"type":"array","items":{"properties":{"label":{}}}}}}}`,
		`{"input":[{"role":"user","content":[{"type":"input_text","text":"ocr"},{"type":"input_image","image_url":"aGk="}]}],
			"text":{"format":{"type":"json_object"}}}`,
		`{"model":"toy","prompt":"ocr","images":["aGk="],"format":{"$ref":"#/$defs/a","$defs":{"a":{"$ref":"#"}}},
			"keep_alive":"5m","options":{"num_predict":-1}}`,
		`{"messages":[{"role":"system","content":""}],"format":"json","keep_alive":-1}`,
	} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		check := func(c *chat, err error) {
			if err == nil {
				_, err = s.conversation(t.Context(), c)
			}
			if err != nil && (asFailure(err).status < 400 || !utf8.ValidString(asFailure(err).text)) {
				t.Errorf("%v", err)
			}
		}
		if json.Valid(body) {
			if sent, err := checkDocument(body); err == nil {
				for _, table := range []*fieldTable{chatFields, responsesFields, ollamaFields} {
					table.judge(sent)
				}
			}
		}
		var o chatRequest
		if decodeJSON(body, &o, false) == nil {
			check(o.chat(r))
		}
		var p responsesRequest
		if decodeJSON(body, &p, false) == nil {
			check(p.chat(r))
		}
		var l ollamaRequest
		if decodeJSON(body, &l, false) == nil {
			images, err := parseImages("images", l.Images)
			check(&chat{}, err)
			check(l.chat(r, []message{{role: "user", texts: []string{l.Prompt}, images: images}}))
		}
		_, _ = parseSchema("format", body, true)
		for at := range min(len(body), 64) {
			_, _ = fieldAt(body, int64(at)), syntaxProblem(body, at)
		}
	})
}

// A form says what its JSON says: whatever its fields are, the JSON that is made of them can be
// read again.
func FuzzForm(f *testing.F) {
	f.Add([]byte("--x\r\nContent-Disposition: form-data; name=\"things\"\r\n\r\ncat\r\n"+
		"--x\r\nContent-Disposition: form-data; name=\"seed\"\r\n\r\n3\r\n--x--\r\n"), "x")
	f.Add([]byte("--x\r\nContent-Disposition: form-data; name=\"image\"; filename=\"a\"\r\n\r\ncat\r\n--x--\r\n"), "x")
	f.Fuzz(func(t *testing.T, body []byte, boundary string) {
		fields, files, err := readForm(body, boundary, "")
		size := 0
		for _, data := range files {
			size += len(data)
		}
		if err != nil || size > len(body) {
			return
		}
		if b, err := formJSON(fields); err == nil && !json.Valid(b) {
			t.Errorf("%q", b)
		}
	})
}
