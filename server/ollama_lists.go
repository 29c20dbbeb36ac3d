package server

// This file: Ollama's routes beside those for answers: what programs look at first, and what Pali
// does not do.

import (
	"cmp"
	"net/http"
	"time"
)

// notImplemented refuses the routes of what Pali does not do.
func notImplemented(http.ResponseWriter, *http.Request) error {
	return unsupported(
		"Pali serves the models it was started with, and answers about images: this route is not supported")
}

// noEmbeddings refuses to make embeddings.
func noEmbeddings(http.ResponseWriter, *http.Request) error {
	return unsupported("PaliGemma makes no embeddings of texts: Pali serves answers about images")
}

// pull reports that a model of this server is there, and fetches no other.
func (s *Server) pull(w http.ResponseWriter, _ *http.Request, q *pullRequest) error {
	if _, err := s.namedModel(cmp.Or(q.Model, q.Name)); err != nil {
		return unsupported("Pali serves the models it was started with, and fetches none: GET /api/tags lists them")
	}
	success := map[string]string{"status": "success"}
	if q.Stream != nil && !*q.Stream {
		writeJSON(w, http.StatusOK, success)
		return nil
	}
	return newNDJSON(w, true).send(success)
}

type pullRequest struct {
	Model, Name string
	Stream      *bool
}

// ollamaRoot answers with what programs expect that look for Ollama.
func ollamaRoot(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Write([]byte("Ollama is running"))
}

// spokenVersion is the version of Ollama whose protocol this is: clients ask for one that is new
// enough.
const spokenVersion = "0.17.4"

func (s *Server) version(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, map[string]string{"version": spokenVersion, "pali": s.Version})
}

// status says that there is no cloud behind this server.
func status(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, map[string]any{"cloud": map[string]any{"disabled": true, "source": "none"}})
}

// tagJSON is a model in a list.
type tagJSON struct {
	Name     string      `json:"name"`
	Model    string      `json:"model"`
	Modified *time.Time  `json:"modified_at,omitempty"`
	Size     int64       `json:"size"`
	Digest   string      `json:"digest"`
	Details  detailsJSON `json:"details"`
}

// loadedJSON is a model that is loaded.
type loadedJSON struct {
	tagJSON
	Expires time.Time `json:"expires_at"`
	VRAM    int64     `json:"size_vram"` // bytes of its memory that are a GPU's
	Context int       `json:"context_length"`
}

type detailsJSON struct {
	Parent       string   `json:"parent_model"`
	Format       string   `json:"format"`
	Family       string   `json:"family"`
	Families     []string `json:"families"`
	Parameters   string   `json:"parameter_size"`
	Quantization string   `json:"quantization_level"`
}

func (m *Model) details() detailsJSON {
	a := m.Info.Text.Architecture
	return detailsJSON{"", "gguf", a, []string{a, "clip"}, m.Info.Size, m.Info.Type}
}

func (m *Model) tag(size int64) tagJSON {
	return tagJSON{Name: m.Name, Model: m.Name, Size: size, Digest: m.Info.Digest, Details: m.details()}
}

func (s *Server) tags(w http.ResponseWriter, _ *http.Request) {
	all := []tagJSON{}
	for _, m := range s.Models {
		t := m.tag(m.Info.Bytes)
		t.Modified = &m.Info.Modified
		all = append(all, t)
	}
	writeJSON(w, http.StatusOK, map[string]any{"models": all})
}

// farFuture is when a worker expires that stays for ever.
const farFuture = 100 * 365 * 24 * time.Hour

func (s *Server) ps(w http.ResponseWriter, _ *http.Request) {
	all, loaded := []loadedJSON{}, s.engine.Loaded()
	for _, m := range s.Models {
		l, ok := loaded[&m.Model]
		if !ok {
			continue
		}
		if l.Expires.IsZero() {
			l.Expires = time.Now().Add(farFuture)
		}
		a := loadedJSON{m.tag(m.Memory), l.Expires, 0, cmp.Or(m.Info.MaxContext, m.Info.ContextLength)}
		if l.GPU {
			a.VRAM = m.Memory
		}
		all = append(all, a)
	}
	writeJSON(w, http.StatusOK, map[string]any{"models": all})
}

// showRequest has the name of a model in one of two fields.
type showRequest struct{ Model, Name string }

func (s *Server) show(w http.ResponseWriter, _ *http.Request, q *showRequest) error {
	m, err := s.namedModel(cmp.Or(q.Model, q.Name))
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, map[string]any{
		"modelfile": "FROM " + m.Name, "parameters": "", "template": template, "license": "",
		"modified_at": m.Info.Modified, "details": m.details(),
		"capabilities":   []string{"completion", "vision"},
		"model_info":     m.textInfo(),
		"projector_info": m.visionInfo(),
	})
	return nil
}

// textInfo describes the decoder in the keys of its file.
func (m *Model) textInfo() map[string]any {
	a := m.Info.Text
	of := func(key string) string { return a.Architecture + "." + key }
	return map[string]any{
		"general.architecture": a.Architecture, "general.basename": m.Name, "general.size_label": m.Info.Size,
		"general.parameter_count": m.Info.Parameters,
		of("context_length"):      m.Info.ContextLength, of("embedding_length"): a.EmbeddingLength,
		of("block_count"): a.BlockCount, of("feed_forward_length"): a.FeedForwardLength, of("vocab_size"): a.VocabSize,
		of("attention.head_count"): a.HeadCount, of("attention.head_count_kv"): a.HeadCountKV,
		of("attention.key_length"): a.KeyLength, of("attention.value_length"): a.KeyLength,
		"clip.vision.image_size": m.Vision.ImageSize,
	}
}

// visionInfo describes the vision encoder in the keys of its file.
func (m *Model) visionInfo() map[string]any {
	v := m.Vision
	return map[string]any{
		"general.architecture": "clip", "general.parameter_count": m.Info.VisionParameters,
		"clip.has_vision_encoder": true, "clip.vision.image_size": v.ImageSize, "clip.vision.patch_size": v.PatchSize,
		"clip.vision.embedding_length": v.EmbeddingLength, "clip.vision.feed_forward_length": v.FeedForwardLength,
		"clip.vision.block_count": v.BlockCount, "clip.vision.attention.head_count": v.HeadCount,
		"clip.vision.projection_dim": v.ProjectionDim,
	}
}
