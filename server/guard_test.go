package server

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
)

// raw sends a request as it stands and returns the answer's status and header: net/http's client
// would correct an invalid Host.
func (s *running) raw(request string) (status int, header http.Header) {
	s.t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		s.t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, request); err != nil {
		s.t.Fatal(err)
	}
	method, _, _ := strings.Cut(request, " ")
	resp, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	if err != nil {
		s.t.Fatalf("%q: %v", request, err)
	}
	resp.Body.Close()
	return resp.StatusCode, resp.Header
}

// Hosts and origins as reliability.md lists them: 9 x 5 x 3 = 135 cases. A server on the loopback
// address answers to localhost and to loopback addresses, and to no page but its own.
func TestHostsAndOrigins(t *testing.T) {
	s := serve(t)
	port := s.url[strings.LastIndexByte(s.url, ':'):]
	hosts := []struct {
		host string
		code int // of a request without an Origin; 0: that of the method
	}{
		{"localhost" + port, 0}, {"127.0.0.1" + port, 0}, {"[::1]" + port, 0},
		{"laptop.local" + port, 403}, {"evil.example", 403}, {"evil.example" + port, 403}, {"", 403},
		{"localhost." + port, 403}, {"user@localhost" + port, 400}, // net/http itself refuses it
	}
	cases := 0
	for _, h := range hosts {
		origins := []string{"none", "same", "null", "https://evil.example", "chrome-extension://abcdefghijklmnop"}
		for _, origin := range origins {
			for _, c := range []struct {
				method string
				code   int
			}{
				{"GET", 200},
				{"POST", 400},
				{"OPTIONS", 204},
			} {
				t.Run(c.method, func(t *testing.T) { // 400: the body is not JSON
					cases++
					want := c.code
					switch {
					case h.host == "" && c.method == "GET" && origin == "none": // a load balancer's probe
					case h.code != 0:
						want = h.code
					case origin != "none" && origin != "same":
						want = 403
					}
					path := map[string]string{"GET": "/health", "POST": "/v1/caption",
						"OPTIONS": "/v1/caption"}[c.method]
					request := fmt.Sprintf("%s %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n", c.method, path,
						h.host) +
						"Content-Type: application/json\r\nContent-Length: 1\r\n"
					switch origin {
					case "none":
					case "same":
						request += "Origin: http://" + h.host + "\r\n"
					default:
						request += "Origin: " + origin + "\r\n"
					}
					status, header := s.raw(request + "\r\n{")
					if want == 200 && status == 503 {
						status = 200 // no model is loaded yet
					}
					if status != want {
						t.Errorf("%s, Host %q, Origin %q: %d, want %d", c.method, h.host, origin, status, want)
					}
					if allowed := header.Get("Access-Control-Allow-Origin"); allowed != "" {
						t.Errorf("%s, Host %q, Origin %q: may be read by %s", c.method, h.host, origin, allowed)
					}
				})
			}
		}
	}
	if cases != 135 {
		t.Errorf("%d cases", cases)
	}
}

// What the flags allow is allowed, and nothing beside it.
func TestAllowed(t *testing.T) {
	s := serve(t, func(o *Options) {
		o.Public, o.Hosts, o.Origins = true, []string{"pali.example"}, []string{"https://app.example"}
	})
	for _, c := range []struct {
		host, origin string
		status       int
	}{
		{"pali.example", "", 200}, {"PALI.example:8080", "", 200}, {"192.168.1.5:8080", "", 200},
		{"[fe80::1]", "", 200},
		{"localhost", "", 200}, {"pali.example", "http://pali.example", 200}, {"pali.example", "https://app.example",
			200},
		{"192.168.1.5", "http://192.168.1.5", 200}, {"evil.example", "", 403}, {"pali.example.evil.example", "", 403},
		{"pali.example", "https://app.example.evil.example", 403}, {"pali.example", "http://app.example", 403},
		{"pali.example", "https://pali.example:444", 403}, {"pali.example", "http://user@pali.example", 403},
		{"pali.example", "file://", 403}, {"pali.example:0", "", 403}, {"pali.example:99999", "", 403},
		{"pali.example:x", "", 403}, {"1.2.3.4.5", "", 403}, {"0x7f.1", "", 403},
	} {
		g, err := s.send(context.Background(), "GET", "/openapi.json", nil, "Host", c.host, "Origin", c.origin)
		if c.origin == "" {
			g, err = s.send(context.Background(), "GET", "/openapi.json", nil, "Host", c.host)
		}
		if err != nil || g.status != c.status {
			t.Errorf("Host %q, Origin %q: %v, %d, want %d", c.host, c.origin, err, g.status, c.status)
		}
		reader, want := g.header.Get("Access-Control-Allow-Origin"), c.origin == "https://app.example" &&
			g.status == 200
		if (reader == c.origin) != want && c.origin != "" {
			t.Errorf("Host %q, Origin %q: may be read by %q", c.host, c.origin, reader)
		}
	}
	g := s.do("OPTIONS", "/v1/caption", "",
		"Host", "pali.example", "Origin", "https://app.example", "Access-Control-Request-Method", "POST")
	if g.status != 204 || g.header.Get("Access-Control-Allow-Methods") == "" ||
		g.header.Get("Access-Control-Allow-Credentials") != "" {
		t.Errorf("preflight: %+v", g)
	}
}

// A page of another site can send some requests unasked; none of them is answered.
func TestSimpleRequests(t *testing.T) {
	s := serve(t)
	body := `{"image":"` + uri(1) + `"}`
	for _, c := range []struct {
		header []string
		status int
	}{
		{[]string{"Content-Type", "application/json"}, 200},
		{[]string{}, 200},
		{[]string{"Content-Type", "application/x-www-form-urlencoded"}, 200}, // as curl -d has it
		{[]string{"Content-Type", "text/plain"}, 415},
		{[]string{"Content-Type", "application/x-www-form-urlencoded", "Sec-Fetch-Site", "none"}, 415},
		{[]string{"Content-Type", "application/x-www-form-urlencoded", "Origin", s.url}, 415},
		{[]string{"Content-Type", "application/json", "Sec-Fetch-Site", "cross-site"}, 403},
		{[]string{"Content-Type", "application/json", "Sec-Fetch-Site", "same-site"}, 403},
		{[]string{"Content-Type", "application/json", "Sec-Fetch-Site", "same-origin"}, 200},
		{[]string{"Content-Type", "application/json", "Sec-Fetch-Site", "cross-site", "Origin", s.url}, 200},
		{[]string{"Content-Type", "application/json", "Content-Encoding", "gzip"}, 415},
		{[]string{"Content-Type", "multipart/form-data"}, 400},
		{[]string{"Content-Type", "multipart/form-data; boundary=x"}, 400},
		{[]string{"Content-Type", ";"}, 415},
	} {
		if g := s.do("POST", "/v1/caption", body, c.header...); g.status != c.status {
			t.Errorf("%q: %d %s, want %d", c.header, g.status, g.body, c.status)
		}
	}
	g := s.do("POST", "/api/chat", "{}", "Content-Type", "multipart/form-data; boundary=x")
	if g.status != 415 || !strings.HasPrefix(g.body, `{"error":"`) {
		t.Errorf("a form on Ollama's route: %+v", g)
	}
}

func TestKey(t *testing.T) {
	s := serve(t, func(o *Options) { o.Key = "secret" })
	for _, path := range []string{"/v1/models", "/metrics", "/openapi.json", "/api/tags", "/"} {
		for _, shown := range []string{"", "secret", "Bearer", "Bearer wrong", "Bearer secret2", "Basic secret"} {
			g := s.do("GET", path, "", "Authorization", shown)
			if g.status != 401 || g.header.Get("WWW-Authenticate") != "Bearer" {
				t.Errorf("%s with %q: %d", path, shown, g.status)
			}
		}
		if g := s.do("GET", path, "", "Authorization", "Bearer secret"); g.status != 200 {
			t.Errorf("%s with the key: %+v", path, g)
		}
	}
	if g := s.get("/health"); g.status != 503 {
		t.Errorf("health: %+v", g)
	}
	if g := s.do("POST", "/v1/caption", "{}"); g.code() != "no_key" {
		t.Errorf("%+v", g)
	}
}

// Forty names of files are names of no model, on every route that takes a name; nothing of a file
// is sent.
func TestTraversal(t *testing.T) {
	s := serve(t)
	names := []string{
		"..", "../", "../../etc/passwd", "../../../../../../etc/passwd", "/etc/passwd", "//etc/passwd", "./toy",
		"toy/../toy", "toy/", "/toy", "toy/..", ".", "./", "..\\..\\etc\\passwd", "C:\\Windows\\win.ini",
		"C:/Windows/win.ini", "\\\\host\\share\\x", "//host/share/x", "file:///etc/passwd",
		"file://localhost/etc/passwd", "toy\x00", "toy\x00.gguf", "\x00", "%2e%2e%2fetc%2fpasswd",
		"..%2f..%2fetc%2fpasswd", "%252e%252e%252f", "..%5c..%5cetc", "..;/etc/passwd",
		"....//....//etc/passwd", "..././..././etc/passwd", "\u2025/etc/passwd", "..\uff0fetc\uff0fpasswd",
		"toy.gguf", "toy:latest:latest", "~/x", "$HOME/x", "/proc/self/environ", "/dev/zero", "models/toy",
		"server_test.go",
	}
	if len(names) != 40 {
		t.Fatalf("%d names", len(names))
	}
	// checked by hand, as they stand: an HTTP client would clean them
	for _, name := range names {
		for _, g := range []got{
			s.post("/api/show", object{"model": name}),
			s.post("/api/generate", object{"model": name, "prompt": "ocr", "images": []string{b64(1)}}),
			s.post("/v1/caption", object{"model": name, "image": uri(1)}),
			s.post("/v1/chat/completions", object{"model": name, "messages": []object{userMessage("ocr", 1)}}),
		} {
			if g.status != 404 || strings.Contains(g.body, "root:") || !strings.Contains(g.body, "no such model") {
				t.Errorf("%q: %+v", name, g)
			}
		}
		g := s.post("/v1/caption", object{"image": name}) // as an image
		if g.status != 400 || strings.Contains(g.body, "root:") {
			t.Errorf("%q as an image: %+v", name, g)
		}
		if strings.ContainsAny(name, "\x00 ") || plain("/v1/models/"+name) == "/v1/models/toy" {
			continue
		}
		status, _ := s.raw("GET /v1/models/" + name + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
		if status != 404 && status != 400 && status != 307 {
			t.Errorf("GET %q: %d", name, status)
		}
	}
}

// Errors, log and metrics hold no path, prompt, name or client address.
func TestNothingPrivateIsReported(t *testing.T) {
	var log strings.Builder
	s := serve(t, func(o *Options) { o.Log = &log })
	s.upload("/v1/ask", 1, "question", "what is my sister's password?")
	s.upload("/v1/run", 1, "prompt", "fail")
	s.upload("/v1/run", 1, "prompt", "fault segv")
	s.get("/v1/models/my-sister%0d%0apali:")
	s.get("/my-sister?password=1")
	all := log.String() + s.get("/metrics").body + s.get("/v1/models").body + s.get("/health").body +
		s.get("/api/ps").body
	for _, word := range []string{"sister", "password", "secret", "127.0.0.1", "/tmp", "/home", "go-build"} {
		if strings.Contains(all, word) {
			t.Errorf("%q is reported:\n%s", word, all)
		}
	}
	if n := strings.Count(log.String(), "\n"); n < 5 {
		t.Errorf("a log of %d lines: %s", n, log.String())
	}
	for _, path := range []string{"/debug/pprof/", "/debug/vars", "/.git/config", "/server.go"} {
		if g := s.get(path); g.status != 404 || g.code() != "no_route" {
			t.Errorf("%s: %+v", path, g)
		}
	}
	if g := s.do("PUT", "/v1/caption", ""); g.status != 405 || g.header.Get("Allow") != "POST" || g.code() != "method" {
		t.Errorf("%+v", g)
	}
}
