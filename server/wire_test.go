package server

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// A body that cannot be read as it was announced is refused for what it is, and the connection ends.
func TestBodiesOnTheWire(t *testing.T) {
	s := listening(t)
	head := "POST /v1/caption HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
	for _, c := range []struct {
		name, request string
		status        int
		want          string
	}{
		{"a chunk's size", head + "Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n", 400,
			"chunks are malformed"},
		{"a chunk's end", head + "Transfer-Encoding: chunked\r\n\r\n2\r\n{}xx0\r\n\r\n", 400, "chunks are malformed"},
		{"a chunk of too many digits", head + "Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n{}", 400,
			"chunks are malformed"},
		{"a bare line feed", head + "Transfer-Encoding: chunked\r\n\r\n2\n{}\n0\n\n", 400, "chunks are malformed"},
		{"announced too large", head + "Content-Length: 1048577\r\n\r\n", 413, "more than 1048576 bytes"},
		{"announced far too large", head + "Content-Length: 9223372036854775807\r\nExpect: 100-continue\r\n\r\n", 413,
			"more than 1048576 bytes"},
		{"both lengths", head + "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", 400,
			"send one of them"},
		{"both, in another case", head + "TRANSFER-ENCODING: chunked\r\ncontent-length:2\r\n\r\n0\r\n\r\n", 400,
			"send one of them"},
		{"both in HTTP/1.0", strings.Replace(head, "1.1", "1.0", 1) +
			"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}", 400, "send one of them"},
		{"both without a body", "GET /health HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n" +
			"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, "send one of them"},
		{"compressed", head + "Content-Encoding: gzip\r\nContent-Length: 100000\r\n\r\n", 415, "not compressed"},
	} {
		t.Run(c.name, func(t *testing.T) {
			conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			conn.SetDeadline(time.Now().Add(5 * time.Second)) // the rest of the body does not come
			io.WriteString(conn, c.request)
			resp, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: "POST"})
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(resp.Body)
			if err != nil || resp.StatusCode != c.status || !strings.Contains(string(body), c.want) || !resp.Close {
				t.Errorf("%v: %d, closes: %v, %s", err, resp.StatusCode, resp.Close, body)
			}
			if n, err := conn.Read(make([]byte, 1)); n > 0 || err == nil {
				t.Errorf("the connection goes on: %d %v", n, err)
			}
		})
	}
}

// Requests that follow each other on a connection are looked at one by one, and what a body looks
// like is nobody's header.
func TestWire(t *testing.T) {
	s := listening(t)
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(10 * time.Second))
	r := bufio.NewReader(conn)
	head := "POST /api/show HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
	for _, c := range []struct {
		name   string
		pieces []string // sent one after the other
		status int
	}{
		{"a length", []string{head + "Content-Length: 15\r\n\r\n", `{"model":"toy"}`}, 200},
		{"chunks", []string{head + "Transfer-Enc", "oding: chunked\r\n\r\nf\r\n", `{"model":"toy"}` + "\r\n0\r\n\r\n"},
			200},
		{"a body like a header", []string{head + "Content-Length: 54\r\n\r\n{\r\nTransfer-Encoding: chunked\r\n",
			"Content-Length: 3\r\n\r\n!}"}, 400},
		{"a long line", []string{head + "X: " + strings.Repeat("Transfer-Encoding: ", 100) +
			"\r\nContent-Length: 15\r\n\r\n", `{"model":"toy"}`}, 200},
		{"both, byte by byte", strings.Split(head+"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
			""), 400},
	} {
		for _, p := range c.pieces {
			if _, err := io.WriteString(conn, p); err != nil {
				t.Fatalf("%s: %v", c.name, err)
			}
		}
		resp, err := http.ReadResponse(r, &http.Request{Method: "POST"})
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		body, _ := io.ReadAll(resp.Body)
		if last := c.name == "both, byte by byte"; resp.StatusCode != c.status || resp.Close != last ||
			last != strings.Contains(string(body), "send one of them") {
			t.Errorf("%s: %d, closes: %v, %s", c.name, resp.StatusCode, resp.Close, body)
		}
	}
}
