package server

// This file: the images that clients send or name: base64, data URIs, addresses.

import (
	"context"
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"

	"github.com/pali-gguf/pali/runner"
	"github.com/pali-gguf/pali/server/engine"
)

// imageText is an image as a client gives it, and the field that it is in.
type imageText struct{ field, text string }

// imageReader reads images. Safe for concurrent use.
type imageReader struct {
	fetcher *fetcher // nil: images by address are refused
}

// readAll reads images, each as read does. Of too many it reads one more than the engine allows,
// which refuses them.
func (ir *imageReader) readAll(ctx context.Context, texts []imageText) (all []*engine.Image, err error) {
	for _, t := range texts[:min(len(texts), runner.MaxImages+1)] {
		data, err := ir.read(ctx, t)
		if err != nil {
			return nil, err
		}
		all = append(all, &engine.Image{Data: data, Name: t.field})
	}
	return all, nil
}

// read returns the bytes of the image that t gives: a data URI, base64 alone, or, if that is
// allowed, an address.
func (ir *imageReader) read(ctx context.Context, t imageText) ([]byte, error) {
	text := strings.TrimSpace(t.text)
	scheme, rest, hasScheme := strings.Cut(text[:min(len(text), maxHead)], ":")
	switch scheme = strings.ToLower(scheme); {
	case text == "":
		return nil, invalid("%s: an empty text: want the image as base64, or as a data URI", t.field)
	case hasScheme && (scheme == "http" || scheme == "https"):
		if ir.fetcher == nil {
			return nil, unsupported("%s: images by address are not fetched here: send the image itself, as a data URI "+
				"or base64, or have addresses allowed where the server is started", t.field)
		}
		return ir.fetcher.fetch(ctx, text)
	case hasScheme && (scheme == "file" || len(scheme) == 1 && strings.HasPrefix(rest, `\`)):
		return nil, pathProblem(t.field, text)
	case hasScheme && scheme != "data":
		return nil, invalid("%s: found %s: want the image as base64, or as a data URI, data:image/png;base64,...",
			t.field, echo(text))
	}
	head := text[:min(len(text), maxHead)]
	if at := strings.Index(strings.ToLower(head), "base64,"); at >= 0 {
		text = text[at+len("base64,"):]
	} else if hasScheme {
		return nil, invalid("%s: a data URI without base64: want data:image/png;base64,...", t.field)
	}
	return fromBase64(t.field, text)
}

// maxHead bounds what comes before the data in a data URI, in bytes.
const maxHead = 256

// fromBase64 decodes base64 of the usual alphabet or the one for addresses, with or without
// padding, with or without white space, as an address may escape it, or as Python prints bytes.
func fromBase64(field, text string) ([]byte, error) {
	if len(text) > 3 && text[:2] == "b'" && text[len(text)-1] == '\'' {
		text = text[2 : len(text)-1]
	}
	if strings.Contains(text, "%") {
		if plain, err := url.PathUnescape(text); err == nil {
			text = plain
		}
	}
	digits := make([]byte, 0, len(text))
	for i := range len(text) {
		switch c := text[i]; c {
		case '-':
			digits = append(digits, '+')
		case '_':
			digits = append(digits, '/')
		case ' ', '\t', '\r', '\n':
		default:
			digits = append(digits, c)
		}
	}
	n := len(digits)
	for n > 0 && digits[n-1] == '=' {
		n--
	}
	data := make([]byte, base64.RawStdEncoding.DecodedLen(n))
	at, err := base64.RawStdEncoding.Decode(data, digits[:n])
	switch looksLikePath := isPath(text); {
	case looksLikePath && (err != nil || !strings.HasPrefix(http.DetectContentType(data), "image/")):
		return nil, pathProblem(field, text)
	case err != nil:
		return nil, base64Problem(field, text)
	}
	return data[:at], nil
}

// isPath reports whether a text looks like the path of a file.
func isPath(text string) bool {
	return len(text) < 4096 && (strings.HasPrefix(text, "/") || strings.HasPrefix(text, "~") ||
		strings.ContainsAny(text, `.\`))
}

func pathProblem(field, text string) error {
	return invalid("%s: found the path %s: the server reads no files of a client: send the image itself, as base64 "+
		"or a data URI", field, echo(text))
}

// base64Problem says what of a text is not base64.
func base64Problem(field, text string) error {
	for i, r := range strings.TrimRight(text, "= \t\r\n") {
		if strings.ContainsRune("+/-_ \t\r\n", r) || r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' &&
			r <= 'z' {
			continue
		}
		return invalid("%s: not base64: byte %d of %d is %q: want the image as base64, or as a data URI",
			field, i+1, len(text), r)
	}
	return invalid("%s: %d bytes of base64 that were cut off", field, len(text))
}
