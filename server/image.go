package server

// This file: the images that clients send or name: base64, data URIs, addresses.

import (
	"context"
	"encoding/base64"
	"strings"

	"github.com/pali-gguf/pali/runner"
	"github.com/pali-gguf/pali/server/engine"
)

// imageReader reads images. Safe for concurrent use.
type imageReader struct {
	fetcher *fetcher // nil: images by address are refused
}

// readAll reads images, each as read does. Of too many it reads one more than the engine allows,
// which refuses them.
func (ir *imageReader) readAll(ctx context.Context, texts []string) (all []*engine.Image, err error) {
	for _, text := range texts[:min(len(texts), runner.MaxImages+1)] {
		data, err := ir.read(ctx, text)
		if err != nil {
			return nil, err
		}
		all = append(all, &engine.Image{Data: data})
	}
	return all, nil
}

// read returns the bytes of the image that a text gives: a data URI, base64 alone, or, if that is
// allowed, an address.
func (ir *imageReader) read(ctx context.Context, text string) ([]byte, error) {
	switch scheme, _, _ := strings.Cut(text, ":"); {
	case strings.EqualFold(scheme, "http"), strings.EqualFold(scheme, "https"):
		if ir.fetcher == nil {
			return nil, unsupported("images by address are not fetched here: send the image itself, as a data URI")
		}
		return ir.fetcher.fetch(ctx, text)
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

// fromBase64 decodes base64 of the usual alphabet or the one for addresses, with or without
// padding.
func fromBase64(text string) ([]byte, error) {
	text = strings.NewReplacer("-", "+", "_", "/", "\n", "", "\r", "").Replace(text)
	data, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(text, "="))
	if err != nil {
		return nil, invalid("an image that is not base64")
	}
	return data, nil
}
