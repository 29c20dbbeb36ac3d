package server

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/pali-gguf/pali/mmproj/imageproc"
	"github.com/pali-gguf/pali/paligemma"
	"github.com/pali-gguf/pali/server/engine"
	"github.com/pali-gguf/pali/server/worker"
	"github.com/pali-gguf/pali/server/worker/workertest"
)

// TestMain makes the test binary the worker when it is started as one.
func TestMain(m *testing.M) { workertest.TestMain(m) }

// toy is a model whose worker is this test binary. A worker that hangs is lost after two seconds: on a
// busy machine one that does not hang can seem to for more than half a second.
func toy(name string, env ...string) *Model {
	return &Model{
		Model: engine.Model{Name: name, Vision: workertest.Vision, Memory: 1000,
			Start: engine.Process(workertest.Command(2*time.Second, env...))},
		Info: Info{Size: "3B", Type: "Q8_0", Parameters: 3e9, VisionParameters: 4e8, Bytes: 12345,
			Digest: strings.Repeat("0123456789abcdef", 4), ContextLength: 8192,
			Text: paligemma.TextConfig{Architecture: "gemma", BlockCount: 18, EmbeddingLength: 2048, HeadCount: 8,
				HeadCountKV: 1, KeyLength: 256, FeedForwardLength: 16384, VocabSize: 257152},
			Modified: time.Unix(1700000000, 0)},
	}
}

// running is a server on a port of this machine.
type running struct {
	*Server
	url string
	t   testing.TB
}

// serve starts a server whose options change may change.
func serve(t testing.TB, change ...func(o *Options)) *running {
	t.Helper()
	o := Options{Version: "1.2.3", Models: []*Model{toy("toy")}, MaxBody: 1 << 20,
		Options: engine.Options{Parallel: 1, Queue: 32, KeepAlive: time.Minute, ImageCache: 1 << 20, MaxTokens: 1024,
			Timeout: time.Minute, Limits: imageproc.DefaultLimits}}
	for _, c := range change {
		c(&o)
	}
	s := New(o)
	h := httptest.NewUnstartedServer(s)
	h.Config.ReadHeaderTimeout = 2 * time.Second
	h.Start()
	t.Cleanup(func() { h.CloseClientConnections(); h.Close(); s.Close() })
	return &running{s, h.URL, t}
}

// colour is the n-th image's, another for each.
func colour(n int) color.RGBA {
	return color.RGBA{uint8(n * 37), uint8(n*101 + 7), uint8(n >> 3), 0xff}
}

// solidPNG is an image of one colour.
func solidPNG(c color.RGBA) []byte {
	p := image.NewRGBA(image.Rect(0, 0, 40, 30))
	for i := 0; i < len(p.Pix); i += 4 {
		p.Pix[i], p.Pix[i+1], p.Pix[i+2], p.Pix[i+3] = c.R, c.G, c.B, 0xff
	}
	var b bytes.Buffer
	png.Encode(&b, p)
	return b.Bytes()
}

// answered is what the toy answers to a prompt about the n-th image.
func answered(n int, prompt string) string {
	c := colour(n)
	return fmt.Sprintf("%02x%02x%02x %s", c.R, c.G, c.B, prompt)
}

// form is a form with an image and fields, name and value in turn.
func form(img []byte, fields ...string) (body io.Reader, contentType string) {
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	if img != nil {
		part, _ := w.CreateFormFile("image", "p.png")
		part.Write(img)
	}
	for i := 0; i < len(fields); i += 2 {
		w.WriteField(fields[i], fields[i+1])
	}
	w.Close()
	return &b, w.FormDataContentType()
}

// got is a response.
type got struct {
	status int
	header http.Header
	body   string
}

func (g got) decode(t testing.TB, v any) {
	t.Helper()
	if err := json.Unmarshal([]byte(g.body), v); err != nil {
		t.Fatalf("%v: %d %s", err, g.status, g.body)
	}
}

// code is an error's.
func (g got) code() string {
	var e errorJSON
	json.Unmarshal([]byte(g.body), &e)
	return e.Error.Code
}

// send sends a request. header are names and values in turn.
func (s *running) send(ctx context.Context, method, path string, body io.Reader, header ...string) (got, error) {
	r, err := http.NewRequestWithContext(ctx, method, s.url+path, body)
	if err != nil {
		return got{}, err
	}
	for i := 0; i < len(header); i += 2 {
		if header[i] == "Host" {
			r.Host = header[i+1]
		} else {
			r.Header.Set(header[i], header[i+1])
		}
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return got{}, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	g := got{resp.StatusCode, resp.Header, string(b)}
	if _, pattern := s.mux.Handler(r); pattern != "" && err == nil {
		if wrong := conforms(method, pattern, g); wrong != nil {
			s.t.Errorf("%s: %v: %s", pattern, wrong, g.body[:min(len(g.body), 500)])
		}
	}
	return g, err
}

func (s *running) do(method, path, body string, header ...string) got {
	s.t.Helper()
	g, err := s.send(context.Background(), method, path, strings.NewReader(body), header...)
	if err != nil {
		s.t.Fatal(err)
	}
	return g
}

func (s *running) get(path string) got { s.t.Helper(); return s.do("GET", path, "") }

// post sends JSON.
func (s *running) post(path string, v any) got {
	s.t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		s.t.Fatal(err)
	}
	return s.do("POST", path, string(b), "Content-Type", "application/json")
}

// upload sends a form with the n-th image.
func (s *running) upload(path string, n int, fields ...string) got {
	s.t.Helper()
	body, kind := form(solidPNG(colour(n)), fields...)
	g, err := s.send(context.Background(), "POST", path, body, "Content-Type", kind)
	if err != nil {
		s.t.Fatal(err)
	}
	return g
}

// metric returns a value of /metrics, 0 if it is not there. name has the labels, if it has any.
func (s *running) metric(name string) float64 {
	s.t.Helper()
	for line := range strings.Lines(s.get("/metrics").body) {
		if text, ok := strings.CutPrefix(strings.TrimSpace(line), "pali_"+name+" "); ok {
			v, err := strconv.ParseFloat(text, 64)
			if err != nil {
				s.t.Fatal(err)
			}
			return v
		}
	}
	return 0
}

// faults returns how many workers were lost, for all causes.
func (s *running) faults() (n float64) {
	s.t.Helper()
	for _, cause := range []string{worker.Crash, worker.Hang, worker.Protocol, worker.Load} {
		n += s.metric(fmt.Sprintf("worker_faults_total{cause=%q}", cause))
	}
	return n
}
