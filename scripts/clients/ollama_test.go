// Package clients asks a server by the clients of others. This file: Ollama's own Go client, which
// its program is made of; clients.sh runs those in Python and JavaScript.
package clients

import (
	"bytes"
	"encoding/json"
	"errors"
	"image"
	"image/png"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ollama/ollama/api"
	"github.com/ollama/ollama/types/model"

	"github.com/pali-gguf/pali/paligemma"
	"github.com/pali-gguf/pali/server"
	"github.com/pali-gguf/pali/server/engine"
	"github.com/pali-gguf/pali/server/worker/workertest"
)

func TestMain(m *testing.M) { workertest.TestMain(m) }

// connect starts a server with a toy for a model, and returns Ollama's client for it.
func connect(t *testing.T) *api.Client {
	t.Helper()
	m := &server.Model{
		Model: engine.Model{Name: "toy", Vision: workertest.Vision, Memory: 1000,
			Start: engine.Process(workertest.Command(10 * time.Second))},
		Info: server.Info{Modified: time.Unix(1700000000, 0), Bytes: 12345,
			Digest: strings.Repeat("0123456789abcdef", 4),
			Size:   "3B", Type: "Q8_0", Parameters: 3e9, VisionParameters: 4e8, ContextLength: 8192,
			Text: paligemma.TextConfig{Architecture: "gemma", EmbeddingLength: 2048, BlockCount: 18}},
	}
	s := server.New(server.Options{Version: "1.2.3", Models: []*server.Model{m},
		Options: engine.Options{Queue: 8, KeepAlive: time.Minute}})
	h := httptest.NewServer(s)
	t.Cleanup(func() { h.Close(); s.Close() })
	base, err := url.Parse(h.URL + "/")
	if err != nil {
		t.Fatal(err)
	}
	return api.NewClient(base, http.DefaultClient)
}

// picture is a PNG of one colour, ff0000 to the toy.
func picture() api.ImageData {
	p := image.NewRGBA(image.Rect(0, 0, 40, 30))
	for i := 0; i < len(p.Pix); i += 4 {
		p.Pix[i], p.Pix[i+3] = 0xff, 0xff
	}
	var b bytes.Buffer
	png.Encode(&b, p)
	return b.Bytes()
}

// What "ollama ls", "ps", "show" and "--version" read is there: the program panics on a digest of
// less than 12 characters, and on numbers of a projector that are missing.
func TestOllamaLists(t *testing.T) {
	c, ctx := connect(t), t.Context()
	if err := c.Heartbeat(ctx); err != nil {
		t.Fatal(err)
	}
	if v, err := c.Version(ctx); err != nil || v != "0.17.4" {
		t.Errorf("version %q, %v", v, err)
	}
	if s, err := c.CloudStatusExperimental(ctx); err != nil || !s.Cloud.Disabled {
		t.Errorf("%+v, %v", s, err)
	}
	l, err := c.List(ctx)
	if err != nil || len(l.Models) != 1 {
		t.Fatalf("%+v, %v", l, err)
	}
	if m := l.Models[0]; m.Name != "toy" || m.Model != "toy" || m.Digest[:12] != "0123456789ab" || m.Size != 12345 ||
		m.ModifiedAt.Unix() != 1700000000 || m.Details.QuantizationLevel != "Q8_0" || m.Details.Family != "gemma" {
		t.Errorf("%+v", m)
	}
	for _, q := range []api.ShowRequest{{Model: "toy"}, {Name: "toy:latest"}} {
		info, err := c.Show(ctx, &q)
		if err != nil {
			t.Fatal(err)
		}
		arch, _ := info.ModelInfo["general.architecture"].(string)
		if info.ModelInfo[arch+".context_length"] != 8192. || info.ModelInfo[arch+".embedding_length"] != 2048. ||
			!slices.Contains(info.Capabilities, model.CapabilityVision) || info.ModifiedAt.IsZero() {
			t.Errorf("%+v", info)
		}
		projector := info.ProjectorInfo
		arch, _ = projector["general.architecture"].(string)
		for _, key := range []string{"general.parameter_count", arch + ".vision.embedding_length",
			arch + ".vision.projection_dim"} {
			if _, ok := projector[key].(float64); !ok {
				t.Errorf("the projector's %s is %v", key, projector[key])
			}
		}
	}
	load := &api.GenerateRequest{Model: "toy", KeepAlive: &api.Duration{Duration: -1}}
	if err := c.Generate(ctx, load, func(r api.GenerateResponse) error {
		if !r.Done || r.DoneReason != "load" {
			t.Errorf("%+v", r)
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
	ps, err := c.ListRunning(ctx)
	if err != nil || len(ps.Models) != 1 {
		t.Fatalf("%+v, %v", ps, err)
	}
	if m := ps.Models[0]; m.Digest[:12] != "0123456789ab" || m.Size != 1000 || m.SizeVRAM != 0 ||
		m.ContextLength != 8192 ||
		time.Until(m.ExpiresAt) < 24*time.Hour {
		t.Errorf("%+v", m)
	}
}

// An answer has all that "ollama run --verbose" prints.
func TestOllamaAnswers(t *testing.T) {
	c, ctx := connect(t), t.Context()
	var text string
	var last api.GenerateResponse
	ask := &api.GenerateRequest{Model: "toy", Prompt: "ocr\n", Images: []api.ImageData{picture()}, Logprobs: true,
		Options: map[string]any{"num_ctx": 4096, "num_predict": -1, "stop": []string{}, "temperature": 0.0}}
	if err := c.Generate(ctx, ask, func(r api.GenerateResponse) error {
		text, last = text+r.Response, r
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if text != "ff0000 ocr" || !last.Done || last.DoneReason != "stop" || last.EvalCount == 0 ||
		last.PromptEvalCount == 0 || last.TotalDuration == 0 || last.EvalDuration == 0 {
		t.Errorf("%q, %+v", text, last)
	}
	stream := false
	chat := &api.ChatRequest{Model: "toy", Stream: &stream, Think: &api.ThinkValue{Value: false},
		Messages: []api.Message{{Role: "user", Content: "ocr", Images: []api.ImageData{picture()}}},
		Options:  map[string]any{"num_predict": 3, "seed": 7.0}}
	if err := c.Chat(ctx, chat, func(r api.ChatResponse) error {
		if r.Message.Content != "ff0" || r.DoneReason != "length" || r.EvalCount != 3 {
			t.Errorf("%+v", r)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

// A tool is called with the objects that are found.
func TestOllamaTool(t *testing.T) {
	c, ctx := connect(t), t.Context()
	var tools api.Tools
	if err := json.Unmarshal([]byte(`[{"type":"function","function":{"name":"found","parameters":{"type":"object",
		"properties":{"objects":{"type":"array","items":{"type":"object","properties":{"label":{"type":"string"}}}}}}}}]`),
		&tools); err != nil {
		t.Fatal(err)
	}
	chat := &api.ChatRequest{Model: "toy", Tools: tools,
		Messages: []api.Message{{Role: "user", Content: "detect cat", Images: []api.ImageData{picture()}}}}
	calls := 0
	if err := c.Chat(ctx, chat, func(r api.ChatResponse) error {
		for _, call := range r.Message.ToolCalls {
			calls++
			if objects, _ := call.Function.Arguments.Get("objects"); call.Function.Name != "found" || objects == nil {
				t.Errorf("%+v", call)
			}
		}
		return nil
	}); err != nil || calls != 1 {
		t.Errorf("%d calls, %v", calls, err)
	}
}

// What Pali does not do is refused in words, and a model that is here needs no fetching.
func TestOllamaRefusals(t *testing.T) {
	c, ctx := connect(t), t.Context()
	nothing := func(api.ProgressResponse) error { return nil }
	for _, f := range []struct {
		name string
		do   func() error
		want string
	}{
		{"pull", func() error { return c.Pull(ctx, &api.PullRequest{Model: "llama3"}, nothing) }, "fetches none"},
		{"push", func() error { return c.Push(ctx, &api.PushRequest{Model: "toy"}, nothing) }, "not supported"},
		{"create", func() error { return c.Create(ctx, &api.CreateRequest{Model: "a", From: "toy"}, nothing) },
			"not supported"},
		{"blob", func() error { return c.CreateBlob(ctx, "sha256:00", strings.NewReader("a")) }, "not supported"},
		{"copy", func() error { return c.Copy(ctx, &api.CopyRequest{Source: "toy", Destination: "b"}) },
			"not supported"},
		{"delete", func() error { return c.Delete(ctx, &api.DeleteRequest{Model: "toy"}) }, "not supported"},
		{"embed", func() error {
			_, err := c.Embed(ctx, &api.EmbedRequest{Model: "toy", Input: "a"})
			return err
		}, "no embeddings"},
		{"embeddings", func() error {
			_, err := c.Embeddings(ctx, &api.EmbeddingRequest{Model: "toy", Prompt: "a"})
			return err
		}, "no embeddings"},
	} {
		t.Run(f.name, func(t *testing.T) {
			err := f.do()
			var status api.StatusError
			if !errors.As(err, &status) || status.StatusCode != 400 || !strings.Contains(status.ErrorMessage, f.want) {
				t.Errorf("%v", err)
			}
		})
	}
	_, err := c.Show(ctx, &api.ShowRequest{Model: "llama3"})
	if status := (api.StatusError{}); !errors.As(err, &status) || status.StatusCode != 404 {
		t.Errorf("an unknown model: %v", err)
	}
	done := ""
	if err := c.Pull(ctx, &api.PullRequest{Model: "toy"}, func(r api.ProgressResponse) error {
		done = r.Status
		return nil
	}); err != nil || done != "success" {
		t.Errorf("a model that is here: %q, %v", done, err)
	}
}
