package server

// This file: a request's body, bounded, as JSON or a form, in UTF-8.

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"os"
	"sync/atomic"
	"time"
)

const (
	// maxBodies bounds the memory of all bodies at a time, in bodies of the largest size.
	maxBodies = 16
	// bodyTimeout is how long a body may take to arrive.
	bodyTimeout = 2 * time.Minute
	// maxParts bounds the parts of a form.
	maxParts = 64
)

// bodies reads bodies. Safe for concurrent use.
type bodies struct {
	max   int64        // bytes of a body
	bytes atomic.Int64 // of those in memory
}

// read reads a body. Its bytes count as in memory until done is called. The connection ends after a
// body that is refused unread.
func (b *bodies) read(w http.ResponseWriter, r *http.Request) (body []byte, done func(), err error) {
	if c := r.Header.Get("Content-Encoding"); c != "" && c != "identity" {
		w.Header().Set("Connection", "close")
		return nil, nil, failuref(http.StatusUnsupportedMediaType, "encoding",
			"want a body that is not compressed")
	}
	if r.ContentLength > b.max {
		w.Header().Set("Connection", "close")
		return nil, nil, &http.MaxBytesError{Limit: b.max}
	}
	in := &deadlineReader{Reader: http.MaxBytesReader(w, r.Body, b.max), bodies: b,
		control: http.NewResponseController(w), end: time.Now().Add(bodyTimeout)}
	done = func() { b.bytes.Add(-in.read) }
	body, err = io.ReadAll(in)
	in.control.SetReadDeadline(time.Time{})
	if err != nil {
		done()
		w.Header().Set("Connection", "close")
		return nil, nil, unread(r, err)
	}
	return body, done, nil
}

// unread returns the failure for err, with which the reading of a body ended.
func unread(r *http.Request, err error) error {
	var large *http.MaxBytesError
	var f *failure
	switch {
	case errors.As(err, &large), errors.As(err, &f):
		return err
	case errors.Is(err, os.ErrDeadlineExceeded):
		return failuref(http.StatusRequestTimeout, "body", "the body did not arrive in time")
	case r.Context().Err() != nil:
		return r.Context().Err()
	case errors.Is(err, io.ErrUnexpectedEOF) && r.ContentLength >= 0:
		return invalid("the body ends before the %d bytes of its Content-Length", r.ContentLength)
	case errors.Is(err, io.ErrUnexpectedEOF):
		return invalid("the body ends before its last chunk")
	}
	return invalid("the body's chunks are malformed (Transfer-Encoding: chunked)")
}

// deadlineReader reads a body as long as it makes progress and there is memory for it.
type deadlineReader struct {
	io.Reader
	bodies  *bodies
	control *http.ResponseController
	end     time.Time
	read    int64
}

func (r *deadlineReader) Read(b []byte) (int, error) {
	deadline := time.Now().Add(idleTimeout)
	if r.end.Before(deadline) {
		deadline = r.end
	}
	r.control.SetReadDeadline(deadline)
	n, err := r.Reader.Read(b)
	r.read += int64(n)
	if r.bodies.bytes.Add(int64(n)) > maxBodies*r.bodies.max {
		return n, unavailable("queue_full", "too many requests are being read", time.Second)
	}
	return n, err
}

// defaulter is a request whose fields have other defaults than zero.
type defaulter interface{ setDefaults() }

// formTaker is a request that may come as a form too.
type formTaker interface {
	// takeForm returns the JSON that says the same as the fields of a form, and keeps its files.
	takeForm(fields map[string][]string, files [][]byte) ([]byte, error)
}

// decode reads a body into v, a pointer to a request. If strictFields is set a field that v does
// not have is an error. The body counts as in memory until done is called.
func (b *bodies) decode(w http.ResponseWriter, r *http.Request, v any, strictFields bool) (done func(), err error) {
	media, parameters, err := contentType(r)
	if err != nil {
		return nil, err
	}
	taker, takesForms := v.(formTaker)
	isForm := media == "multipart/form-data"
	if isForm && !takesForms {
		return nil, failuref(http.StatusUnsupportedMediaType, "content_type",
			"the body's Content-Type: want application/json")
	}
	if d, ok := v.(defaulter); ok {
		d.setDefaults()
	}
	body, done, err := b.read(w, r)
	if err != nil {
		return nil, err
	}
	if isForm {
		body, err = formToJSON(taker, body, parameters)
	} else {
		body, err = toUTF8(body, parameters["charset"], "the body")
	}
	if err == nil {
		err = decodeJSON(body, v, strictFields)
	}
	var sent []sentField
	if err == nil {
		sent, err = checkDocument(body)
	}
	if reads, ok := v.(fieldReader); ok && err == nil {
		var ignored []string
		ignored, err = reads.fields().judge(sent)
		setIgnored(w.Header(), ignored)
	}
	if err != nil {
		done()
		return nil, err
	}
	return done, nil
}

func formToJSON(taker formTaker, body []byte, parameters map[string]string) ([]byte, error) {
	fields, files, err := readForm(body, parameters["boundary"], parameters["charset"])
	if err != nil {
		return nil, err
	}
	return taker.takeForm(fields, files)
}

// decodeJSON decodes a body of one JSON value into v. If strictFields is set a field that v does
// not have is an error.
func decodeJSON(body []byte, v any, strictFields bool) error {
	body = bytes.TrimPrefix(body, []byte("\xef\xbb\xbf"))
	d := json.NewDecoder(bytes.NewReader(body))
	if strictFields {
		d.DisallowUnknownFields()
	}
	if err := d.Decode(v); err != nil {
		return jsonProblem(body, err)
	}
	if _, err := d.Token(); err != io.EOF {
		return invalid("the body is more than one JSON value")
	}
	return nil
}

// contentType returns the media type of a request: JSON, or a form with files. Curl's default for
// any text counts as JSON unless a browser sent it; everything else that a page of another site may
// send without asking is refused.
func contentType(r *http.Request) (media string, parameters map[string]string, err error) {
	media, parameters, err = mime.ParseMediaType(r.Header.Get("Content-Type"))
	browser := r.Header.Get("Origin") != "" || r.Header.Get("Sec-Fetch-Site") != ""
	switch {
	case r.Header.Get("Content-Type") == "" || media == "application/x-www-form-urlencoded" && !browser:
		return "application/json", nil, nil
	case err == nil && (media == "application/json" || media == "multipart/form-data"):
		return media, parameters, nil
	}
	return "", nil, failuref(http.StatusUnsupportedMediaType, "content_type",
		"the body's Content-Type: want application/json, or multipart/form-data on routes of /v1 that say so")
}

// readForm reads a form: the texts of its fields in UTF-8, and the bytes of its files. charset is
// that of the fields that name none, unless the field "_charset_" says another (RFC 7578).
func readForm(body []byte, boundary, charset string) (fields map[string][]string, files [][]byte, err error) {
	type text struct {
		name, charset string
		data          []byte
	}
	var texts []text
	form := multipart.NewReader(bytes.NewReader(body), boundary)
	for n := 0; ; n++ {
		part, err := form.NextPart()
		if err == io.EOF {
			break
		}
		if err != nil || n == maxParts {
			return nil, nil, invalid("the body is not a form of at most %d parts", maxParts)
		}
		data, err := io.ReadAll(part)
		if err != nil {
			return nil, nil, invalid("the body is not a form")
		}
		_, parameters, _ := mime.ParseMediaType(part.Header.Get("Content-Type"))
		switch name := part.FormName(); {
		case part.FileName() != "" || name == "image":
			files = append(files, data)
		case name == "_charset_":
			charset = string(data)
		default:
			texts = append(texts, text{name, parameters["charset"], data})
		}
	}
	fields = map[string][]string{}
	for _, t := range texts {
		data, err := toUTF8(t.data, cmp.Or(t.charset, charset), "the form's field "+quote(t.name, maxQuoted))
		if err != nil {
			return nil, nil, err
		}
		fields[t.name] = append(fields[t.name], string(data))
	}
	return fields, files, nil
}
