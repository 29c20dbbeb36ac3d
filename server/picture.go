package server

// This file: a request's images. Before it: base64, data URIs, addresses, uploaded files. After it: pixels for the worker.

import (
	"context"
	"encoding/base64"
	"strings"

	"github.com/pali-gguf/pali/mmproj/imageproc"
	"github.com/pali-gguf/pali/server/worker"
)

// image is an image of a question: the file's bytes, and what became of them.
type picture struct {
	data          []byte
	key           key
	width, height int // as it is seen
	worker.Image
}

// image reads an image as a text gives it: a data URI, base64 alone, or, if that is allowed, an address.
func (s *Server) picture(ctx context.Context, text string) (*picture, error) {
	switch scheme, _, _ := strings.Cut(text, ":"); {
	case strings.EqualFold(scheme, "http"), strings.EqualFold(scheme, "https"):
		if !s.URLs {
			return nil, unsupported("images by address are not fetched here: send the image itself, as a data URI (--allow-urls lets the server fetch public ones)")
		}
		data, err := s.fetcher.fetch(ctx, text)
		return &picture{data: data}, err
	case strings.EqualFold(scheme, "data"):
		_, after, ok := strings.Cut(text, ",")
		if !ok || !strings.HasSuffix(text[:len(text)-len(after)-1], ";base64") {
			return nil, invalid("a data URI of an image: want data:image/png;base64,...")
		}
		return fromBase64(after)
	case strings.Contains(text[:min(len(text), 32)], ":"):
		return nil, invalid("an image's address: want a data URI")
	}
	return fromBase64(text)
}

// fromBase64 reads base64 of the usual alphabet or the one for addresses, with or without padding.
func fromBase64(text string) (*picture, error) {
	text = strings.TrimRight(strings.NewReplacer("-", "+", "_", "/", "\n", "", "\r", "").Replace(text), "=")
	data, err := base64.RawStdEncoding.DecodeString(text)
	if err != nil {
		return nil, invalid("an image that is no base64")
	}
	return &picture{data: data}, nil
}

// prepare looks up what is kept of an image, else decodes and resizes it. At most as many are decoded at a time as there are processors.
func (s *Server) prepare(ctx context.Context, m *Model, p *picture, how imageproc.Resize) error {
	p.key = keyOf(m, p.data, how)
	if e := s.images.get(p.key); e != nil {
		p.width, p.height, p.Rows = e.width, e.height, e.rows
		s.metrics.image(true)
		return nil
	}
	decoded, err := s.decode(ctx, p.data)
	if err != nil {
		return err
	}
	defer func() { <-s.decoders }()
	p.width, p.height = decoded.Width, decoded.Height
	p.Pixels = imageproc.Preprocess(decoded, m.Vision.ImageSize, how)
	s.metrics.image(false)
	return nil
}

// decode decodes an image. Where it succeeds the caller gives the decoder back, when the image is no longer needed.
func (s *Server) decode(ctx context.Context, data []byte) (*imageproc.Image, error) {
	select {
	case s.decoders <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	decoded, err := imageproc.Decode(data, s.Limits)
	if err != nil {
		<-s.decoders
		return nil, invalid("%v", err)
	}
	return decoded, nil
}

// keep remembers an image that the worker has encoded.
func (s *Server) keep(p *picture) {
	if p.Pixels != nil && p.Rows != nil {
		s.images.put(&encoded{p.key, p.width, p.height, p.Rows})
	}
}
