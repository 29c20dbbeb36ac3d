package server

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"
)

// What a user writes is brought into the form that requests have, or refused with what to write.
func TestNormalize(t *testing.T) {
	for _, c := range []struct {
		field AccessField
		given string
		want  string // in the normalized value, or in the error
		ok    bool
	}{
		{FieldHosts, "box.example", "box.example", true},
		{FieldHosts, "box.example:18790", "box.example", true},
		{FieldHosts, " Box.Example. ", "box.example", true},
		{FieldHosts, "https://box.example:8443/", "box.example", true},
		{FieldHosts, "bücher.example", "xn--bcher-kva.example", true},
		{FieldHosts, "BÜCHER.example:80", "xn--bcher-kva.example", true},
		{FieldHosts, "my_box", "my_box", true},
		{FieldHosts, "192.168.1.5:8080", "192.168.1.5", true},
		{FieldHosts, "[2001:DB8::1]:8080", "2001:db8::1", true},
		{FieldHosts, "2001:db8:0:0::1", "2001:db8::1", true},
		{FieldHosts, "a.example,b.example", "b.example", true},
		{FieldHosts, "a.example b.example", "b.example", true},
		{FieldHosts, "", "empty", false},
		{FieldHosts, " ", "empty", false},
		{FieldHosts, "*", "one by one", false},
		{FieldHosts, "*.example", "one by one", false},
		{FieldHosts, "box.example/pali", "write box.example", false},
		{FieldHosts, "ftp://box.example", "a name alone", false},
		{FieldHosts, "box.example:http", "write box.example", false},
		{FieldHosts, "box.example:99999", "write box.example", false},
		{FieldHosts, "user@box.example", "no name of a host", false},
		{FieldHosts, "-box", "no name of a host", false},
		{FieldHosts, "box..example", "no name of a host", false},
		{FieldHosts, "fe80::1%eth0", "zone", false},
		{FieldHosts, "0.0.0.0", "that clients use", false},
		{FieldHosts, "192.168.1.500", "no address", false},
		{FieldHosts, "127.1", "no address", false},

		{FieldOrigins, "https://app.example", "https://app.example", true},
		{FieldOrigins, "http://localhost:5174/", "http://localhost:5174", true},
		{FieldOrigins, "HTTPS://App.Example:443//", "https://app.example", true},
		{FieldOrigins, "http://app.example:080", "http://app.example", true},
		{FieldOrigins, "http://app.example:443", "http://app.example:443", true},
		{FieldOrigins, "\thttp://[::0:1]:3000\n", "http://[::1]:3000", true},
		{FieldOrigins, "https://bücher.example", "https://xn--bcher-kva.example", true},
		{FieldOrigins, "https://app.example.", "https://app.example.", true},
		{FieldOrigins, "chrome-extension://abcdefghijklmnop/", "chrome-extension://abcdefghijklmnop", true},
		{FieldOrigins, "vscode-webview://1A2b", "vscode-webview://1A2b", true},
		{FieldOrigins, "https://a.example,https://b.example", "https://b.example", true},
		{FieldOrigins, "", "empty", false},
		{FieldOrigins, "*", "one by one", false},
		{FieldOrigins, "https://*.example", "browsers send", false},
		{FieldOrigins, "null", "serve the page", false},
		{FieldOrigins, "localhost:3000", "http://localhost:3000", false},
		{FieldOrigins, "app.example", "https://app.example", false},
		{FieldOrigins, "app.example/", "https://app.example", false},
		{FieldOrigins, "127.0.0.1:3000", "http://127.0.0.1:3000", false},
		{FieldOrigins, "//app.example", "want an origin", false},
		{FieldOrigins, "https://app.example/page", "write https://app.example", false},
		{FieldOrigins, "https://app.example/?q=1", "browsers send", false},
		{FieldOrigins, "https://user:pass@app.example", "browsers send", false},
		{FieldOrigins, "https://app.example:0", "the port", false},
		{FieldOrigins, "https://app.example:port", "the port", false},
		{FieldOrigins, "http://127.1:3000", "no address", false},
		{FieldOrigins, "file:///home/me/page.html", "no such origin", false},
		{FieldOrigins, "https://", "no such origin", false},

		{FieldKey, "secret", "secret", true},
		{FieldKey, " two words\r\n", "two words", true},
		{FieldKey, "\t", "is empty", false},
		{FieldKey, "line\nline", "0x0a at 5", false},
		{FieldKey, "geh\u00f6rt", "0xc3 at 4", false},
		{FieldKey, "a\x00b", "0x00", false},
		{FieldKey, "a\x7fb", "0x7f", false},
		{FieldKey, strings.Repeat("k", 20000), "20000 bytes", false},

		{FieldListen, " 127.0.0.1:0 ", "127.0.0.1:0", true},
		{FieldListen, ":8080", ":8080", true},
		{FieldListen, "LOCALHOST:8080", "LOCALHOST:8080", true},
		{FieldListen, "8080", "ADDRESS:PORT", false},
		{FieldListen, "127.0.0.1", "ADDRESS:PORT", false},
		{FieldListen, "127.0.0.1:", "ADDRESS:PORT", false},
		{FieldListen, "127.0.0.1:99999", "ADDRESS:PORT", false},
		{FieldListen, "127.0.0.1:-1", "ADDRESS:PORT", false},
		{FieldListen, "http://127.0.0.1:8080", "ADDRESS:PORT", false},
		{FieldListen, "::1:8080", "ADDRESS:PORT", false},
		{FieldListen, "unix:/run/pali.sock", "ADDRESS:PORT", false},
		{FieldListen, "", "ADDRESS:PORT", false},
	} {
		t.Run(string(c.field)+" "+c.given[:min(len(c.given), 40)], func(t *testing.T) {
			a, listen := Access{}, "127.0.0.1:0"
			switch c.field {
			case FieldHosts:
				a.Hosts = []string{c.given}
			case FieldOrigins:
				a.Origins = []string{c.given}
			case FieldKey:
				a.Key = c.given
			case FieldListen:
				listen = c.given
			}
			address, err := a.Normalize(listen)
			if !c.ok {
				wrong, is := err.(AccessError)
				if !is || wrong.Field != c.field || !strings.Contains(wrong.Text, c.want) || len(wrong.Text) > 300 ||
					c.field == FieldKey && len(c.given) > 2 && strings.Contains(wrong.Text, c.given) {
					t.Errorf("%#v, want %q", err, c.want)
				}
				return
			}
			all := map[AccessField][]string{FieldHosts: a.Hosts, FieldOrigins: a.Origins, FieldKey: {a.Key},
				FieldListen: {address}}[c.field]
			for _, have := range all {
				if have == c.want {
					return
				}
			}
			t.Errorf("%q, %v, want %q", all, err, c.want)
		})
	}
}

// Only addresses that other machines cannot reach are not public; the name that a server listens at
// is its own.
func TestNormalizeListen(t *testing.T) {
	for _, c := range []struct {
		listen string
		public bool
		host   string
	}{
		{"127.0.0.1:0", false, ""}, {"127.0.0.2:1", false, ""}, {"[::1]:1", false, ""},
		{"LocalHost:1", false, "localhost"},
		{"[::ffff:127.0.0.1]:1", false, ""}, {":1", true, ""}, {"0.0.0.0:1", true, ""}, {"[::]:1", true, ""},
		{"192.168.1.5:1", true, "192.168.1.5"}, {"Box.example:1", true, "box.example"},
	} {
		t.Run(c.listen, func(t *testing.T) {
			var a Access
			if _, err := a.Normalize(c.listen); err != nil || a.Public != c.public ||
				c.host != "" && !a.allowedHost(c.host+":1") || c.host == "" && a.allowedHost("0.evil.example") {
				t.Errorf("%v: %+v", err, a)
			}
		})
	}
}

// What was allowed as a user writes it is answered, and the refusal of anything else names it.
func TestAllowedAsWritten(t *testing.T) {
	s := serve(t, func(o *Options) {
		o.Hosts = []string{"box.example:18790", "10.0.0.7", "bücher.example"}
		o.Origins = []string{"http://localhost:5174/", "HTTPS://App.example:443"}
		if _, err := o.Normalize("127.0.0.1:0"); err != nil {
			t.Fatal(err)
		}
	})
	for _, c := range []struct {
		host, origin string
		status       int
		want         string
	}{
		{"box.example:18790", "", 200, ""}, {"box.example", "", 200, ""}, {"BOX.example.:1", "", 200, ""},
		{"10.0.0.7:8080", "", 200, ""}, {"xn--bcher-kva.example", "", 200, ""},
		{"localhost", "http://localhost:5174", 200, ""}, {"localhost", "https://app.example", 200, ""},
		{"Box.example:1", "http://box.example:1", 200, ""},
		{"10.0.0.8:8080", "", 403, `\"10.0.0.8:8080\"`}, {"box.example.evil.example", "", 403, "evil.example"},
		{"localhost", "http://localhost:5175", 403, `\"http://localhost:5175\"`},
		{"localhost", "http://localhost:5174/", 403, "origin"},
		{strings.Repeat("a", 5000), "", 403, `...`},
	} {
		t.Run(c.host[:min(len(c.host), 30)]+" "+c.origin, func(t *testing.T) {
			header := []string{"Host", c.host}
			if c.origin != "" {
				header = append(header, "Origin", c.origin)
			}
			g := s.do("GET", "/v1/models", "", header...)
			if g.status != c.status || !strings.Contains(g.body, c.want) || len(g.body) > 500 {
				t.Errorf("%+v", g)
			}
		})
	}
}

// A load balancer asks by no name, or by an address; it learns whether the server is well, and
// nothing else does it answer so.
func TestProbes(t *testing.T) {
	s := listening(t)
	for _, c := range []struct {
		name, request string
		status        int
	}{
		{"HTTP/1.0 without Host", "GET /health HTTP/1.0\r\n\r\n", 200},
		{"HTTP/1.0 HEAD", "HEAD /health HTTP/1.0\r\n\r\n", 200},
		{"empty Host", "GET /health HTTP/1.1\r\nHost:\r\nConnection: close\r\n\r\n", 200},
		{"an address", "GET /health HTTP/1.1\r\nHost: 10.0.0.7:8080\r\nConnection: close\r\n\r\n", 200},
		{"an address of IPv6", "GET /health HTTP/1.1\r\nHost: [fd00::7]:80\r\nConnection: close\r\n\r\n", 200},
		{"a query", "GET /health?probe=1 HTTP/1.0\r\n\r\n", 200},
		{"a name", "GET /health HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n", 403},
		{"a page's", "GET /health HTTP/1.1\r\nHost: 10.0.0.7\r\nOrigin: http://10.0.0.7\r\nConnection: close\r\n\r\n",
			403},
		{"another route", "GET /v1/models HTTP/1.0\r\n\r\n", 403},
		{"another route by address", "GET /metrics HTTP/1.1\r\nHost: 10.0.0.7\r\nConnection: close\r\n\r\n", 403},
		{"below it", "GET /health/x HTTP/1.0\r\n\r\n", 403},
		{"another method", "POST /health HTTP/1.0\r\n\r\n", 403},
		{"the page", "GET / HTTP/1.0\r\nAccept: text/html\r\n\r\n", 403},
	} {
		t.Run(c.name, func(t *testing.T) {
			if status, header := s.raw(c.request); status != c.status ||
				header.Get("Access-Control-Allow-Origin") != "" {
				t.Errorf("%d, want %d", status, c.status)
			}
		})
	}
}

// listening is a server with its own listener, which has loaded its model.
func listening(t *testing.T, change ...func(o *Options)) *running {
	t.Helper()
	s, l := serve(t, change...), listen(t)
	ctx, stop := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- s.Serve(ctx, l) }()
	t.Cleanup(func() {
		stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	s.url = "http://" + l.Addr().String()
	for until := time.Now().Add(10 * time.Second); s.get("/health").status != http.StatusOK; time.Sleep(
		10 * time.Millisecond) {
		if time.Now().After(until) {
			t.Fatal("not ready after ten seconds")
		}
	}
	return s
}
