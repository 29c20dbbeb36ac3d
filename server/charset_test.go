package server

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"mime/multipart"
	"net/textproto"
	"strings"
	"testing"
	"unicode/utf16"
)

func utf16Of(text string, order binary.AppendByteOrder, mark bool) string {
	var b []byte
	if mark {
		b = order.AppendUint16(b, 0xfeff)
	}
	for _, u := range utf16.Encode([]rune(text)) {
		b = order.AppendUint16(b, u)
	}
	return string(b)
}

// A body in another encoding is read as what it says it is, and refused where it says nothing or
// something else: no prompt is changed.
func TestCharsets(t *testing.T) {
	s := serve(t)
	le, be := binary.LittleEndian, binary.BigEndian
	asJSON := func(prompt string) string { return `{"prompt":"` + prompt + `","image":"` + uri(1) + `"}` }
	const word = "gehören € 😀"
	for _, c := range []struct {
		name, contentType, body string
		status                  int
		want                    string
	}{
		{"UTF-8", "application/json", asJSON(word), 200, answered(1, word)},
		{"UTF-8 by name", "application/json; charset=UTF-8", asJSON(word), 200, answered(1, word)},
		{"UTF-8 in quotes", `application/json; charset="utf-8"`, asJSON(word), 200, answered(1, word)},
		{"mark", "application/json", "\xef\xbb\xbf" + asJSON(word), 200, answered(1, word)},
		{"Latin-1", "application/json", asJSON("geh\xf6ren"), 400, "byte 15 is 0xf6; send UTF-8"},
		{"Latin-1 as UTF-8", "application/json; charset=utf-8", asJSON("geh\xf6ren"), 400, "send UTF-8"},
		{"Latin-1 by name", "application/json; charset=iso-8859-1", asJSON("geh\xf6ren"), 200, answered(1, "gehören")},
		{"Windows-1252", "application/json; charset=windows-1252", asJSON("\x80 \x93a\x94"), 200, answered(1, "€ “a”")},
		{"UTF-16 with a mark", "application/json", utf16Of(asJSON(word), le, true), 200, answered(1, word)},
		{"UTF-16, the other order", "application/json; charset=utf-16", utf16Of(asJSON(word), be, true), 200,
			answered(1, word)},
		{"UTF-16LE by name", "application/json; charset=utf-16le", utf16Of(asJSON(word), le, false), 200,
			answered(1, word)},
		{"UTF-16 cut", "application/json; charset=utf-16le", utf16Of(asJSON(word), le, false) + "x", 400, "not UTF-16"},
		{"half a pair of UTF-16", "application/json; charset=utf-16be", utf16Of("{", be, false) + "\xd8\x00", 400,
			"half a character"},
		{"ASCII that is none", "application/json; charset=us-ascii", asJSON("geh\xf6ren"), 400, "send UTF-8"},
		{"another", "application/json; charset=shift_jis", asJSON("a"), 415, `\"shift_jis\"`},
		{"overlong", "application/json", asJSON("\xc0\xaf"), 400, "0xc0"},
		{"cut character", "application/json", asJSON("\xe2\x82"), 400, "0xe2"},
		{"encoded surrogate", "application/json", asJSON("\xed\xa0\x80"), 400, "0xed"},
		{"lone surrogate", "application/json", asJSON(`a\ud800b`), 400, `\\ud800 is one of a pair`},
		{"low surrogate", "application/json", asJSON(`a\uDC00`), 400, `\\uDC00`},
		{"pair in the wrong order", "application/json", asJSON(`\udc00\ud800`), 400, `\\udc00`},
		{"surrogate and another escape", "application/json", asJSON(`\ud83d\n`), 400, `\\ud83d`},
		{"pair", "application/json", asJSON(`\ud83d\ude00`), 200, answered(1, "😀")},
		{"escaped backslash", "application/json", asJSON(`\\ud800`), 200, answered(1, `\\ud800`)},
		{"the replacement character itself", "application/json", asJSON("\uFFFD" + `\ufffd`), 200,
			answered(1, "\uFFFD\uFFFD")},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := s.do("POST", "/v1/run", c.body, "Content-Type", c.contentType)
			if g.status != c.status || !strings.Contains(g.body, c.want) {
				t.Errorf("%d %s, want %q", g.status, g.body, c.want)
			}
		})
	}
	for _, path := range []string{"/v1/chat/completions", "/v1/responses", "/api/chat", "/api/generate", "/api/show"} {
		g := s.do("POST", path, "{\"model\":\"\xff\"}", "Content-Type", "application/json")
		if g.status != 400 || !strings.Contains(g.body, "0xff") {
			t.Errorf("%s: %+v", path, g)
		}
	}
}

// The texts of a form are in the charset of their part, of the form, or of its field _charset_.
func TestFormCharsets(t *testing.T) {
	s := serve(t)
	for _, c := range []struct {
		name, part, form, field, prompt string
		status                          int
		want                            string
	}{
		{"UTF-8", "", "", "", "gehören", 200, answered(1, "gehören")},
		{"UTF-8 with a mark", "", "", "", "\xef\xbb\xbfgehören", 200, answered(1, "gehören")},
		{"Latin-1", "", "", "", "geh\xf6ren", 400, `\"prompt\" is not UTF-8: byte 4 is 0xf6`},
		{"part", "text/plain; charset=iso-8859-1", "", "", "geh\xf6ren", 200, answered(1, "gehören")},
		{"form", "", "latin1", "", "geh\xf6ren", 200, answered(1, "gehören")},
		{"field", "", "", "windows-1252", "\x80", 200, answered(1, "€")},
		{"part before field", "text/plain; charset=utf-8", "", "windows-1252", "€", 200, answered(1, "€")},
		{"unknown", "text/plain; charset=koi8-r", "", "", "a", 415, "koi8-r"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var b bytes.Buffer
			w := multipart.NewWriter(&b)
			part, _ := w.CreateFormFile("image", "p.png")
			part.Write(solidPNG(colour(1)))
			header := textproto.MIMEHeader{"Content-Disposition": {`form-data; name="prompt"`}}
			if c.part != "" {
				header.Set("Content-Type", c.part)
			}
			part, _ = w.CreatePart(header)
			part.Write([]byte(c.prompt))
			if c.field != "" {
				w.WriteField("_charset_", c.field)
			}
			w.Close()
			kind := w.FormDataContentType()
			if c.form != "" {
				kind += "; charset=" + c.form
			}
			g := s.do("POST", "/v1/run", b.String(), "Content-Type", kind)
			if g.status != c.status || !strings.Contains(g.body, c.want) {
				t.Errorf("%d %s, want %q", g.status, g.body, c.want)
			}
		})
	}
}

// A field that is there twice is refused, and named; what may be there twice is not.
func TestTwice(t *testing.T) {
	s := serve(t)
	image := `"image":"` + uri(1) + `"`
	message := `"messages":[{"role":"user","content":[{"type":"text","text":"ocr"},
		{"type":"image_url","image_url":{"url":"` + uri(1) + `"}}]}]`
	var many strings.Builder
	for i := range 100_001 {
		fmt.Fprintf(&many, `,"%x":0`, i)
	}
	for _, c := range []struct {
		name, path, body string
		status           int
		want             string
	}{
		{"once", "/v1/run", `{"prompt":"a",` + image + `}`, 200, ""},
		{"twice", "/v1/run", `{"prompt":"a",` + image + `,"prompt":"a"}`, 400, `\"prompt\" is there twice`},
		{"another case", "/v1/run", `{"prompt":"a",` + image + `,"Prompt":"b"}`, 400, `\"Prompt\" is there twice`},
		{"escaped", "/v1/run", `{"prompt":"a",` + image + `,"pr\u006fmpt":"b"}`, 400, `\"prompt\" is there twice`},
		{"blanks", "/v1/run", `{ "prompt" : "a" , ` + image + ` , "prompt" : "b" }`, 400, `\"prompt\" is there twice`},
		{"deep", "/v1/chat/completions", `{` + message + `,"stream_options":{"x":1,"x":2}}`, 400,
			`\"x\" is there twice`},
		{"deep, another case", "/v1/chat/completions", `{` + message +
			`,"stream_options":{"Include_Usage":true,"include_usage":false}}`,
			400, `\"include_usage\" is there twice`},
		{"an option, another case", "/api/generate", `{"model":"toy","options":{"Seed":1,"seed":2}}`, 400,
			`\"seed\" is there twice`},
		{"in a list, another case", "/api/chat",
			`{"model":"toy","messages":[{"Role":"user","role":"system","content":"a"}]}`, 400,
			`\"role\" is there twice`},
		{"a name of a schema twice", "/api/generate", `{"model":"toy","format":{"properties":{"a":{},"a":{}}}}`, 400,
			`\"a\" is there twice`},
		{"names of a schema in two cases", "/api/generate", `{"model":"toy","prompt":"ocr","images":"` + b64(1) +
			`","stream":false,"x":{"properties":{"Label":{},"label":[{"A":1,"a":2}]}}}`, 200, "ocr"},
		{"deep, another case", "/v1/chat/completions", `{` + message + `,"metadata":{"x":1,"X":2}}`, 200, ""},
		{"in a list", "/api/chat", `{"model":"toy","messages":[{"role":"user","role":"user"}]}`, 400, `\"role\"`},
		{"in several objects", "/v1/chat/completions", `{` + message + `,"x":[{"a":1},{"a":1}]}`, 200, ""},
		{"a text like a field", "/v1/run", `{"prompt":"\"prompt\":",` + image + `}`, 200, ""},
		{"a value equal to a name", "/v1/run", `{"prompt":"prompt",` + image + `}`, 200, ""},
		{"many", "/v1/chat/completions", `{"model":"toy"` + many.String() + `}`, 400, "more than 100000 fields"},
		{"long", "/v1/run", `{"` + strings.Repeat("a", 5000) + `":1,"` + strings.Repeat("a", 5000) + `":1}`, 400, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := s.do("POST", c.path, c.body, "Content-Type", "application/json")
			if g.status != c.status || !strings.Contains(g.body, c.want) || g.status != 200 && len(g.body) > 2000 {
				t.Errorf("%d %s, want %q", g.status, g.body[:min(len(g.body), 500)], c.want)
			}
		})
	}
}

// No error repeats megabytes of what was sent.
func TestShortErrors(t *testing.T) {
	s := serve(t, func(o *Options) { o.MaxBody = 16 << 20 })
	long := strings.Repeat("1", 10<<20)
	for _, c := range []struct{ name, path, body string }{
		{"a number for a number", "/v1/run", `{"max_tokens":` + long + `}`},
		{"a number for a text", "/v1/run", `{"prompt":` + long + `}`},
		{"a number of a form", "/api/generate", `{"options":{"top_k":` + long + `}}`},
		{"a name", "/v1/run", `{"` + long + `":1}`},
		{"a language", "/v1/caption", `{"lang":"` + long + `","image":"` + uri(1) + `"}`},
		{"a resize", "/v1/caption", `{"resize":"` + long + `","image":"` + uri(1) + `"}`},
		{"a model", "/v1/caption", `{"model":"` + long + `","image":"` + uri(1) + `"}`},
		{"a role", "/v1/chat/completions", `{"messages":[{"role":"` + long + `"}]}`},
		{"a duration", "/api/generate", `{"model":"toy","keep_alive":"` + long + `"}`},
		{"a format", "/api/generate", `{"model":"toy","prompt":"ocr","images":["` + b64(1) + `"],"format":"` + long +
			`"}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := s.do("POST", c.path, c.body, "Content-Type", "application/json")
			if g.status < 400 || g.status >= 500 || len(g.body) > 2000 {
				t.Errorf("%d, %d bytes: %s", g.status, len(g.body), g.body[:min(len(g.body), 300)])
			}
		})
	}
}

// A native route reads no query, and says so.
func TestQuery(t *testing.T) {
	s := serve(t)
	body := `{"image":"` + uri(1) + `"}`
	if g := s.do("POST", "/v1/caption?lang=de", body, "Content-Type", "application/json"); g.status != 400 ||
		!strings.Contains(g.body, "into the body") {
		t.Errorf("%+v", g)
	}
	if g := s.do("POST", "/api/show?x=1", `{"model":"toy"}`, "Content-Type", "application/json"); g.status != 200 {
		t.Errorf("%+v", g)
	}
}
