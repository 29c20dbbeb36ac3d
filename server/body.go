package server

// This file: a request's body, bounded. Before it: guard.go. After it: the routes.

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"strings"
	"time"
)

// manyBodies bounds the bodies that are in memory at a time, in the largest allowed.
const manyBodies = 16

// slowest is how long a whole body may take to come.
const slowest = 2 * time.Minute

// body reads a request's body, and counts its bytes as in use until done is called.
func (s *Server) body(w http.ResponseWriter, r *http.Request) (b []byte, done func(), err error) {
	if c := r.Header.Get("Content-Encoding"); c != "" && c != "identity" {
		return nil, nil, failuref(http.StatusUnsupportedMediaType, "encoding", "a body that is not compressed is wanted")
	}
	in := &steady{Reader: http.MaxBytesReader(w, r.Body, s.MaxBody), server: s, control: http.NewResponseController(w), end: time.Now().Add(slowest)}
	done = func() { s.bodies.Add(-in.read) }
	b, err = io.ReadAll(in)
	in.control.SetReadDeadline(time.Time{})
	if err != nil {
		done()
		var large *http.MaxBytesError
		var f *failure
		if !errors.As(err, &large) && !errors.As(err, &f) {
			err = failuref(http.StatusRequestTimeout, "body", "the body did not come, or not in time")
		}
		return nil, nil, err
	}
	return b, done, nil
}

// steady reads a body as long as it gets on and there is memory for it.
type steady struct {
	io.Reader
	server  *Server
	control *http.ResponseController
	end     time.Time
	read    int64
}

func (r *steady) Read(b []byte) (int, error) {
	r.control.SetReadDeadline(earlier(time.Now().Add(patience), r.end))
	n, err := r.Reader.Read(b)
	r.read += int64(n)
	if r.server.bodies.Add(int64(n)) > manyBodies*r.server.MaxBody {
		return n, &failure{http.StatusServiceUnavailable, "queue_full", "too many requests are being read", time.Second}
	}
	return n, err
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// decodeJSON reads one JSON value from a body. A field that v does not have is an error if all are to be known.
func decodeJSON(b []byte, v any, known bool) error {
	d := json.NewDecoder(bytes.NewReader(b))
	if known {
		d.DisallowUnknownFields()
	}
	if err := d.Decode(v); err != nil {
		var typed *json.UnmarshalTypeError
		var f *failure
		switch {
		case errors.As(err, &f):
			return f
		case errors.As(err, &typed):
			return invalid("%s: a %s is no %s", typed.Field, typed.Value, typed.Type.Kind())
		case strings.HasPrefix(err.Error(), "json: unknown field"):
			return invalid("%s", strings.TrimPrefix(err.Error(), "json: "))
		}
		return invalid("the body is no JSON")
	}
	if _, err := d.Token(); err != io.EOF {
		return invalid("the body is more than one JSON value")
	}
	return nil
}

// contentType returns the media type of a request: JSON, or a form with files. Curl's name for any text is taken for JSON where no browser sent it; all
// else that a page of another site may send unasked is refused.
func contentType(r *http.Request) (media string, parameters map[string]string, err error) {
	media, parameters, err = mime.ParseMediaType(r.Header.Get("Content-Type"))
	browser := r.Header.Get("Origin") != "" || r.Header.Get("Sec-Fetch-Site") != ""
	switch {
	case r.Header.Get("Content-Type") == "" || media == "application/x-www-form-urlencoded" && !browser:
		return "application/json", nil, nil
	case err == nil && (media == "application/json" || media == "multipart/form-data"):
		return media, parameters, nil
	}
	return "", nil, failuref(http.StatusUnsupportedMediaType, "content_type", "the body's Content-Type: want application/json, or multipart/form-data on routes of /v1 that say so")
}

// readJSON reads a request's JSON body. known: as decodeJSON.
func (s *Server) readJSON(w http.ResponseWriter, r *http.Request, v any, known bool) (done func(), err error) {
	media, _, err := contentType(r)
	if err != nil {
		return nil, err
	}
	if media != "application/json" {
		return nil, failuref(http.StatusUnsupportedMediaType, "content_type", "the body's Content-Type: want application/json")
	}
	b, done, err := s.body(w, r)
	if err != nil {
		return nil, err
	}
	if err := decodeJSON(b, v, known); err != nil {
		done()
		return nil, err
	}
	return done, nil
}

// maxParts bounds the parts of a form.
const maxParts = 64

// readForm takes a form apart: the texts of its fields, and the bytes of its files.
func readForm(b []byte, boundary string) (texts map[string][]string, files [][]byte, err error) {
	texts = map[string][]string{}
	form := multipart.NewReader(bytes.NewReader(b), boundary)
	for n := 0; ; n++ {
		part, err := form.NextPart()
		if err == io.EOF {
			return texts, files, nil
		}
		if err != nil || n == maxParts {
			return nil, nil, invalid("the body is no form of at most %d parts", maxParts)
		}
		data, err := io.ReadAll(part)
		if err != nil {
			return nil, nil, invalid("the body is no form")
		}
		if name := part.FormName(); part.FileName() != "" || name == "image" {
			files = append(files, data)
		} else {
			texts[name] = append(texts[name], string(data))
		}
	}
}
