package server

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"image/png"
	"strings"
	"testing"

	"github.com/pali-gguf/pali/tasks"
)

func uri(n int) string {
	return "data:image/png;base64," + base64.StdEncoding.EncodeToString(solidPNG(colour(n)))
}

// Every task's prompt is the command line's, and JSON and forms say the same.
func TestTasks(t *testing.T) {
	s := serve(t)
	for _, c := range []struct {
		task   string
		fields []string // of a form
		json   string   // the same
		prompt string
	}{
		{"caption", nil, ``, "caption en"},
		{"caption", []string{"lang", "de"}, `,"lang":"de"`, "caption de"},
		{"describe", []string{"max_tokens", "50"}, `,"max_tokens":50`, "describe en"},
		{"ask", []string{"question", "how many?"}, `,"question":"how many?"`, "answer en how many?"},
		{"ocr", []string{"temperature", "0.5", "seed", "3", "top_p", "0.9"},
			`,"temperature":0.5,"seed":3,"top_p":0.9`, "ocr"},
		{"run", []string{"prompt", "{}"}, `,"prompt":"{}"`, "{}"},
	} {
		var a, b tasks.Response
		s.upload("/v1/"+c.task, 1, c.fields...).decode(t, &a)
		s.do("POST", "/v1/"+c.task, `{"image":"`+uri(1)+`"`+c.json+`}`, "Content-Type", "application/json").decode(t,
			&b)
		if a.Prompt != c.prompt || a.Text != answered(1, c.prompt) || b.Text != a.Text || len(a.Tokens) != len(a.Text)+
			1 {
			t.Errorf("%s: %+v, as JSON %+v", c.task, a, b)
		}
		if b.Timings.Vision != 0 || b.Timings.PrefillTokens != a.Timings.PrefillTokens ||
			a.Timings.DecodeTokens != len(a.Tokens) {
			t.Errorf("%s: %+v, then %+v: the image was known", c.task, a.Timings, b.Timings)
		}
	}
	var two tasks.Response
	s.post("/v1/caption", map[string]any{"images": []string{uri(1), uri(2)}}).decode(t, &two)
	if want := answered(1, "")[:7] + answered(2, "caption en"); two.Text != want {
		t.Errorf("two images: %q, want %q", two.Text, want)
	}
}

func TestDetect(t *testing.T) {
	s := serve(t)
	var a tasks.Response
	s.upload("/v1/detect", 1, "things", "cat", "things", "dog ; cow", "logprobs", "2", "free", "true").decode(t, &a)
	c := colour(1)
	if len(a.Objects) != 1 || a.Prompt != "detect cat ; dog ; cow" || len(a.Logprobs) != len(a.Tokens) ||
		len(a.Logprobs[0].Top) != 2 {
		t.Fatalf("%+v", a)
	}
	// The toy's answer has a thing for each ";": three parts, of which one has numbers.
	o, loc := a.Objects[0], [4]int{int(c.R), int(c.G), 1023 - int(c.B), 1023}
	if o.Label != "cat" || o.Loc != loc || o.XYXY[2] != 40 || o.Score.Score < 0.9 || len(a.Unparsed) != 2 ||
		a.Lost.Unparsed != 2 {
		t.Errorf("%+v", a)
	}
	s.upload("/v1/detect", 1, "things", "cat", "min_score", "1").decode(t, &a)
	if a.Objects == nil || len(a.Objects) != 0 {
		t.Errorf("min_score: %+v", a.Objects)
	}
	s.upload("/v1/detect", 1, "things", "cat", "strict", "true", "max_tokens", "30", "loc_divisor", "1024").decode(t,
		&a)
	if len(a.Objects) != 1 || a.Objects[0].Label != "cat" || a.Objects[0].XYXY[2] != 1023./1024*40 {
		t.Errorf("strict: %+v", a)
	}
	s.upload("/v1/segment", 1, "things", "cat").decode(t, &a)
	if len(a.Objects) != 1 || len(a.Objects[0].Seg) != 16 || a.Objects[0].Mask != nil {
		t.Errorf("segment without a mask decoder: %+v", a)
	}
	if a.Lost.NoDecoder != 1 {
		t.Errorf("no mask is said: %+v", a.Lost)
	}
	body, kind := form(solidPNG(colour(1)), "things", "cat")
	g, err := s.send(t.Context(), "POST", "/v1/detect", body,
		"Content-Type", kind, "Accept", "image/png, application/json")
	if err != nil || g.header.Get("Content-Type") != "image/png" {
		t.Fatalf("%v: %+v", err, g)
	}
	drawn, err := png.Decode(strings.NewReader(g.body))
	if err != nil || drawn.Bounds().Dx() != 40 || bytes.Equal([]byte(g.body), solidPNG(colour(1))) {
		t.Errorf("%v: %v", err, drawn.Bounds())
	}
}

// TestStrict checks which answers are kept to the form of objects, and what is said of lost ones.
func TestStrict(t *testing.T) {
	s := serve(t)
	for _, c := range []struct {
		name, path, fields, lost string
		parts                    int // of the answer that are not objects
	}{
		{"by default", "/v1/detect", `"things":["cat","dog"]`, `{"no_area":1}`, 0},
		{"free", "/v1/detect", `"things":["cat","dog"],"free":true`, `{"not_objects":1}`, 1},
		{"not strict", "/v1/detect", `"things":["cat","dog"],"strict":false`, `{"not_objects":1}`, 1},
		{"strict", "/v1/detect", `"things":["cat","dog"],"strict":true`, `{"no_area":1}`, 0},
		{"not free", "/v1/detect", `"things":["cat","dog"],"free":false`, `{"no_area":1}`, 0},
		{"both", "/v1/detect", `"things":["cat","dog"],"free":true,"strict":false`, `{"not_objects":1}`, 1},
		{"masks", "/v1/segment", `"things":["cat"]`, `{"no_decoder":1}`, 0},
		{"a high score", "/v1/detect", `"things":["cat"],"min_score":1`, `{"low_score":1}`, 0},
		{"cut off", "/v1/detect", `"things":["cat"],"free":true,"max_tokens":5`, `{"cut_off":1}`, 0},
		{"text cut off", "/v1/caption", `"max_tokens":5`, `{"cut_off":1}`, 0},
		{"nothing lost", "/v1/detect", `"things":["cat"]`, ``, 0},
		{"a prompt of one's own", "/v1/run", `"prompt":"detect cat ; dog"`, ``, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := s.do("POST", c.path, `{"image":"`+uri(1)+`",`+c.fields+`}`, "Content-Type", "application/json")
			var a struct {
				Lost     json.RawMessage
				Unparsed []string
			}
			if g.decode(t, &a); string(a.Lost) != c.lost || len(a.Unparsed) != c.parts {
				t.Errorf("%s", g.body)
			}
		})
	}
}

// A streamed answer is the same text in pieces, then the answer.
func TestStream(t *testing.T) {
	s := serve(t)
	g := s.upload("/v1/ask", 3, "question", "é?", "stream", "true")
	all := strings.Split(strings.TrimSpace(g.body), "\n")
	text := ""
	for _, line := range all[:len(all)-1] {
		var piece struct{ Text string }
		if err := json.Unmarshal([]byte(line), &piece); err != nil {
			t.Fatal(err)
		}
		text += piece.Text
	}
	var a tasks.Response
	err := json.Unmarshal([]byte(all[len(all)-1]), &a)
	if err != nil || a.Text != text || text != answered(3, "answer en é?") || len(all) < 10 {
		t.Errorf("%v: %q, streamed %q", err, a.Text, text)
	}
	g = s.upload("/v1/run", 3, "prompt", "fault hang", "stream", "true")
	if g.status != 200 || !strings.Contains(g.body, "worker_lost") {
		t.Errorf("a worker lost in a stream: %+v", g)
	}
}

// What cannot be asked is refused with its reason.
func TestRefused(t *testing.T) {
	s := serve(t)
	one, long := uri(1), strings.Repeat("a", 8193)
	img := `"image":"` + one + `"`
	for _, c := range []struct {
		name, path, body string
		status           int
		want             string
	}{
		{"no JSON", "/v1/caption", `{`, 400, "not JSON"},
		{"two values", "/v1/caption", `{} {}`, 400, "more than one"},
		{"nothing", "/v1/caption", ``, 400, "not JSON"},
		{"unknown field", "/v1/caption", `{"pictures":[]}`, 400, `unknown field \"pictures\"`},
		{"wrong type", "/v1/caption", `{"max_tokens":"many"}`, 400, "max_tokens: want a whole number, found a text"},
		{"no image", "/v1/caption", `{}`, 400, "no image"},
		{"no base64", "/v1/caption", `{"image":"!!"}`, 400, "base64"},
		{"no image file", "/v1/caption", `{"image":"SGVsbG8="}`, 400, "not an image"},
		{"data URI of text", "/v1/caption", `{"image":"data:text/plain,hello"}`, 400, "data URI"},
		{"address", "/v1/caption", `{"image":"https://example.org/a.png"}`, 400, "not fetched"},
		{"file", "/v1/caption", `{"image":"file:///etc/passwd"}`, 400, "reads no files"},
		{"17 images", "/v1/caption", `{"images":["` + strings.Repeat(one+`","`, 16) + one + `"]}`, 400, "at most 16"},
		{"no such model", "/v1/caption", `{"model":"gpt-4o",` + img + `}`, 404, "/v1/models"},
		{"language", "/v1/caption", `{"lang":"xx",` + img + `}`, 400, "language"},
		{"no question", "/v1/ask", `{` + img + `}`, 400, "no question"},
		{"nothing to detect", "/v1/detect", `{"things":[" ; "],` + img + `}`, 400, "nothing to detect"},
		{"objects in two", "/v1/detect", `{"things":["cat"],"images":["` + one + `","` + one + `"]}`, 400,
			"found in one"},
		{"stream of objects", "/v1/detect", `{"things":["cat"],"stream":true,` + img + `}`, 400, "complete"},
		{"too many tokens", "/v1/caption", `{"max_tokens":1025,` + img + `}`, 400, "1 to 1024"},
		{"no tokens", "/v1/caption", `{"max_tokens":0,` + img + `}`, 400, "1 to 1024"},
		{"temperature", "/v1/caption", `{"temperature":-1,` + img + `}`, 400, "temperature"},
		{"top_p", "/v1/caption", `{"top_p":2,` + img + `}`, 400, "top_p"},
		{"min_p", "/v1/caption", `{"min_p":2,` + img + `}`, 400, "min_p"},
		{"logprobs", "/v1/caption", `{"logprobs":101,` + img + `}`, 400, "logprobs 101"},
		{"resize", "/v1/caption", `{"resize":"nearest",` + img + `}`, 400, "antialias"},
		{"divisor", "/v1/detect", `{"things":["cat"],"loc_divisor":1000,` + img + `}`, 400, "1023"},
		{"score", "/v1/detect", `{"things":["cat"],"min_score":2,` + img + `}`, 400, "min_score"},
		{"prompt too long", "/v1/run", `{"prompt":"` + long + `",` + img + `}`, 400, "8193 bytes"},
		{"strict in 5 tokens", "/v1/detect", `{"things":["cat"],"strict":true,"max_tokens":5,` + img + `}`, 400,
			"strict"},
		{"default in 5 tokens", "/v1/segment", `{"things":["cat"],"max_tokens":24,` + img + `}`, 400,
			`an object may take 25 in the strict form: allow more with max_tokens, or any form with \"free\": true`},
		{"strict and free", "/v1/detect", `{"things":["cat"],"strict":true,"free":true,` + img + `}`, 400,
			"want one of the two"},
		{"things for a caption", "/v1/caption", `{"things":["cat"],` + img + `}`, 400, "things does nothing"},
		{"a language for ocr", "/v1/ocr", `{"lang":"de",` + img + `}`, 400, "lang does nothing"},
		{"a prompt for detect", "/v1/detect", `{"things":["cat"],"prompt":"x",` + img + `}`, 400,
			"prompt does nothing"},
		{"strict for a prompt", "/v1/run", `{"prompt":"detect cat","strict":true,` + img + `}`, 400,
			"strict does nothing"},
		{"refused by worker", "/v1/run", `{"prompt":"refuse",` + img + `}`, 400, "this cannot be asked"},
		{"the model fails", "/v1/run", `{"prompt":"fail",` + img + `}`, 500, "the model failed on this request"},
		{"the worker is lost", "/v1/run", `{"prompt":"fault abort",` + img + `}`, 503, "worker_lost"},
		{"deep", "/v1/run", strings.Repeat("[", 10000), 400, "not JSON"},
		{"a million keys", "/v1/run", `{` + strings.Repeat(`"a":1,`, 1e5) + `"a":1}`, 400, "unknown field"},
		{"no UTF-8", "/v1/run", "{\"prompt\":\"\xff\"," + img + "}", 400, "byte 12 is 0xff; send UTF-8"},
		{"a field twice", "/v1/run", `{"prompt":"a","prompt":"b",` + img + `}`, 400, `\"prompt\" is there twice`},
		{"larger than allowed", "/v1/run", strings.Repeat(" ", 1<<20) + `{}`, 413, "too_large"},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := s.do("POST", c.path, c.body, "Content-Type", "application/json")
			if g.status != c.status || !strings.Contains(g.body, c.want) || strings.Contains(g.body, "/secret") {
				t.Errorf("%d %s", g.status, g.body[:min(len(g.body), 300)])
			}
			if g.status == 503 && g.header.Get("Retry-After") != "1" {
				t.Errorf("Retry-After %q", g.header.Get("Retry-After"))
			}
		})
	}
	if g := s.upload("/v1/caption", 1); g.status != 200 {
		t.Errorf("after all of it: %+v", g)
	}
}
