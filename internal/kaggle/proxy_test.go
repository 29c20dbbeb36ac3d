package kaggle

// This file: proxies: which are found, what they are asked for, and what is said of those that
// refuse or are none.

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pali-gguf/pali/internal/kaggle/kaggletest"
)

func environment(variables map[string]string) func(string) string {
	return func(name string) string { return variables[name] }
}

// proxied is setUp with a client that has these variables.
func proxied(t *testing.T, s *kaggletest.Server, variables map[string]string) (c *Client, path string) {
	t.Helper()
	p := FindProxy(environment(variables))
	p.patience = 500 * time.Millisecond
	c = New(&Credentials{User: kaggletest.User, Key: kaggletest.Key}, kaggletest.Dialer(s.Address()),
		kaggletest.Trust(s.Roots), p)
	c.Pause, c.StallTimeout = time.Millisecond, time.Second
	return c, filepath.Join(t.TempDir(), "a.npz")
}

const (
	toKaggle  = "CONNECT www.kaggle.com:443"
	toStorage = "CONNECT storage.googleapis.com:443"
)

// Files come through the proxy, which is asked for connections only.
func TestProxy(t *testing.T) {
	for _, c := range []struct {
		name, scheme string
		variables    map[string]string // %s: the proxy's host and port
		user         string
		want         []string // what the proxy sees
	}{
		{"plain", "http", map[string]string{"HTTPS_PROXY": "http://%s"}, "", []string{toKaggle, toStorage}},
		{"small letters", "http", map[string]string{"https_proxy": "http://%s/"}, "", []string{toKaggle, toStorage}},
		{"without a scheme", "http", map[string]string{"HTTPS_PROXY": " %s\n"}, "", []string{toKaggle, toStorage}},
		{"for all", "http", map[string]string{"ALL_PROXY": "http://%s"}, "", []string{toKaggle, toStorage}},
		{"the nearer first", "http", map[string]string{"all_proxy": "http://nowhere.invalid",
			"HTTPS_PROXY": "http://%s"}, "",
			[]string{toKaggle, toStorage}},
		{"password", "http", map[string]string{"HTTPS_PROXY": "http://me:p%%40ss@%s"}, "me:p@ss",
			[]string{toKaggle + " Proxy-Authorization", toStorage + " Proxy-Authorization"}},
		{"bare at sign", "http", map[string]string{"HTTPS_PROXY": "me:p@ss@%s"}, "me:p@ss",
			[]string{toKaggle + " Proxy-Authorization", toStorage + " Proxy-Authorization"}},
		{"https", "https", map[string]string{"HTTPS_PROXY": "https://%s"}, "", []string{toKaggle, toStorage}},
		{"socks5", "socks5", map[string]string{"HTTPS_PROXY": "socks5://%s"}, "",
			[]string{"SOCKS www.kaggle.com", "SOCKS storage.googleapis.com"}},
		{"socks5h", "socks5", map[string]string{"ALL_PROXY": "socks5h://%s"}, "",
			[]string{"SOCKS www.kaggle.com", "SOCKS storage.googleapis.com"}},
		{"not for one", "http", map[string]string{"HTTPS_PROXY": "http://%s", "NO_PROXY": "localhost, kaggle.com"}, "",
			[]string{toStorage}},
		{"not for those below", "http", map[string]string{"HTTPS_PROXY": "http://%s", "no_proxy": ".googleapis.com"},
			"",
			[]string{toKaggle}},
		{"for others", "http", map[string]string{"HTTPS_PROXY": "http://%s",
			"NO_PROXY": "aggle.com,.www.kaggle.com,10.0.0.0/8,,storage.googleapis.com:8080"}, "",
			[]string{toKaggle, toStorage}},
		{"for none", "http", map[string]string{"HTTPS_PROXY": "http://%s", "NO_PROXY": "*"}, "", nil},
		{"empty", "http", map[string]string{"HTTPS_PROXY": "", "HTTP_PROXY": "http://%s"}, "", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := kaggletest.Start(t)
			want := noise(300_000)
			s.Files["a.npz"] = want
			p := s.StartProxy(t, c.scheme)
			p.User = c.user
			for name, value := range c.variables {
				if strings.Contains(value, "%s") {
					c.variables[name] = fmt.Sprintf(value, p.Address())
				}
			}
			client, path := proxied(t, s, c.variables)
			if err := client.Fetch(t.Context(), Request{Address: base + "a.npz", Path: path}); err != nil {
				t.Fatal(err)
			}
			stored(t, path, want)
			if have := p.Seen(); !slices.Equal(have, c.want) {
				t.Errorf("the proxy saw %q, want %q", have, c.want)
			}
			if seen := s.Seen(); len(seen) != 2 || !strings.Contains(seen[0], "signed=true") ||
				!strings.Contains(seen[1], "signed=false") {
				t.Errorf("%q", seen)
			}
		})
	}
}

// A connection that the proxy breaks is made again, and the rest is asked for.
func TestProxyBreaks(t *testing.T) {
	for _, scheme := range []string{"http", "https", "socks5"} {
		t.Run(scheme, func(t *testing.T) {
			s := kaggletest.Start(t)
			want := noise(3_000_000)
			s.Files["a.npz"] = want
			p := s.StartProxy(t, scheme)
			p.Cut = 1_500_000
			c, path := proxied(t, s, map[string]string{"HTTPS_PROXY": scheme + "://" + p.Address()})
			if err := c.Fetch(t.Context(), Request{Address: base + "a.npz", Path: path}); err != nil {
				t.Fatal(err)
			}
			stored(t, path, want)
			if seen := s.Seen(); !strings.Contains(seen[len(seen)-1], "bytes=1") {
				t.Errorf("not continued: %q", seen)
			}
		})
	}
}

// What is wrong with a proxy is said in a sentence that holds no password.
func TestProxyRefuses(t *testing.T) {
	for _, c := range []struct {
		name, scheme, variable string // the proxy's, and HTTPS_PROXY with %s for its host and port
		status                 int
		user, want             string
		asked                  int // times, 0: not counted
	}{
		{"407", "http", "http://%s", 0, "me:secret",
			"wants a user and a password (407 Proxy Authentication Required): " +
				"write them as http://USER:PASSWORD@localhost:", 1},
		{"407 again", "http", "http://me:wrongsecret@%s", 0, "me:secret",
			"does not take the user and the password that " +
				"are in it (407 Proxy Authentication Required)", 1},
		{"403", "http", "http://me:secret@%s", 403, "",
			"does not connect to www.kaggle.com (403 Forbidden): who runs it " +
				"must allow www.kaggle.com and storage.googleapis.com", 1},
		{"502", "http", "http://me:secret@%s", 502, "",
			"cannot connect to www.kaggle.com (502 Bad Gateway) (tried 5 times)",
			5},
		{"https for http", "http", "https://me:secret@%s", 0, "", "does not speak TLS: is it one of http://?", 1},
		{"http for https", "https", "http://me:secret@%s", 0, "", "proxy", 0},
		{"http for SOCKS", "socks5", "http://me:secret@%s", 0, "", "does not answer as a proxy by http does", 0},
		{"SOCKS for http", "http", "socks5://%s", 0, "", "the proxy socks5://localhost:", 0},
		{"SOCKS refuses", "socks5", "socks5://%s", 2, "", "cannot connect to www.kaggle.com", 0},
		{"down", "", "http://me:secret@127.0.0.1:1", 0, "", "the proxy http://127.0.0.1:1 of HTTPS_PROXY cannot be " +
			"reached: connect: connection refused (tried 5 times)", 0},
		{"no such name", "", "http://me:secret@nowhere.invalid:80", 0, "", "the proxy http://nowhere.invalid:80 of " +
			"HTTPS_PROXY cannot be reached: ", 0},
		{"scheme", "", "ftp://me:secret@proxy:21", 0, "",
			`HTTPS_PROXY: a proxy by "ftp": want one of http, https, socks`, 0},
		{"no host", "", "http://", 0, "", "HTTPS_PROXY is not the address of a proxy", 0},
		{"password with a slash", "", "http://me:sec/ret@proxy:80", 0, "", "HTTPS_PROXY is not the address of a proxy",
			0},
		{"password with a percent sign", "", "http://me:secret%zz@proxy:80", 0, "", "HTTPS_PROXY is not the address of",
			0},
		{"number with a slash", "", "http://secret:12/3@proxy:80", 0, "", "HTTPS_PROXY is not the address of a proxy",
			0},
		{"number with a hash", "", "http://secret:12#3@proxy:80", 0, "", "HTTPS_PROXY is not the address of a proxy",
			0},
		{"number with a mark", "", "http://secret:12?3@proxy:80", 0, "", "HTTPS_PROXY is not the address of a proxy",
			0},
		{"port", "", "http://me:secret@proxy:port", 0, "", "HTTPS_PROXY is not the address of a proxy", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := kaggletest.Start(t)
			var p *kaggletest.Proxy
			if c.scheme != "" {
				p = s.StartProxy(t, c.scheme)
				p.Status, p.User = c.status, c.user
				c.variable = fmt.Sprintf(c.variable, p.Address())
			}
			client, path := proxied(t, s, map[string]string{"HTTPS_PROXY": c.variable})
			err := client.Fetch(t.Context(), Request{Address: base + "a.npz", Path: path})
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") ||
				strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "sec/ret") || !ByHand(err) {
				t.Errorf("have %v, want %q", err, c.want)
			}
			if c.asked > 0 && len(p.Seen()) != c.asked {
				t.Errorf("asked %d times, want %d: %q", len(p.Seen()), c.asked, p.Seen())
			}
			if seen := s.Seen(); len(seen) > 0 {
				t.Errorf("the server was reached: %q", seen)
			}
			if entries, _ := os.ReadDir(filepath.Dir(path)); len(entries) > 0 {
				t.Errorf("left: %v", entries)
			}
		})
	}
}

// A redirect that a direct connection would refuse is not even asked of a proxy.
func TestProxyRedirects(t *testing.T) {
	for _, c := range []struct{ to, want string }{
		{"https://inside.example/a.npz", "neither Kaggle's nor Google's"},
		{"https://127.0.0.1/a.npz", "neither Kaggle's nor Google's"},
		{"https://[::1]/a.npz", "neither Kaggle's nor Google's"},
		{"https://169.254.169.254/latest", "neither Kaggle's nor Google's"},
		{"https://evilgoogleapis.com/a.npz", "neither Kaggle's nor Google's"},
		{"https://localhost/a.npz", "neither Kaggle's nor Google's"},
		{"https://storage.googleapis.com:8443/a.npz", "something other than https"},
		{"http://storage.googleapis.com/a.npz", "something other than https"},
		{"https://me:secret@storage.googleapis.com/a.npz", "something other than https"},
	} {
		t.Run(c.to, func(t *testing.T) {
			s := kaggletest.Start(t)
			s.Odd = func(w http.ResponseWriter, r *http.Request) bool {
				http.Redirect(w, r, c.to, http.StatusFound)
				return true
			}
			p := s.StartProxy(t, "http")
			client, path := proxied(t, s, map[string]string{"HTTPS_PROXY": p.Address()})
			err := client.Fetch(t.Context(), Request{Address: base + "a.npz", Path: path})
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "secret") {
				t.Errorf("have %v, want %q", err, c.want)
			}
			if have := p.Seen(); !slices.Equal(have, []string{toKaggle}) {
				t.Errorf("the proxy saw %q", have)
			}
		})
	}
}

// A name that NO_PROXY leaves to a direct connection is looked at as always.
func TestProxyDirect(t *testing.T) {
	s := kaggletest.Start(t)
	s.Odd = func(w http.ResponseWriter, r *http.Request) bool {
		http.Redirect(w, r, "https://inside.example/a.npz", http.StatusFound)
		return true
	}
	p := s.StartProxy(t, "http")
	client, path := proxied(t, s, map[string]string{"HTTPS_PROXY": p.Address(), "NO_PROXY": "inside.example"})
	err := client.Fetch(t.Context(), Request{Address: base + "a.npz", Path: path})
	if err == nil || !strings.Contains(err.Error(), "not a public address") {
		t.Error(err)
	}
}

// A proxy that shows its own certificate in place of the server's is told from the server.
func TestProxyOpens(t *testing.T) {
	s, other := kaggletest.Start(t), kaggletest.Start(t)
	p := other.StartProxy(t, "http") // connects to other, whose certificate is not trusted
	client, path := proxied(t, s, map[string]string{"HTTPS_PROXY": p.Address()})
	err := client.Fetch(t.Context(), Request{Address: base + "a.npz", Path: path})
	if err == nil || !strings.Contains(err.Error(), "certificate") || !strings.Contains(err.Error(), "SSL_CERT_FILE") {
		t.Error(err)
	}
	if seen := other.Seen(); len(seen) > 0 {
		t.Errorf("it was sent %q", seen)
	}
}

// A proxy that says nothing, and one that says too much, are given up.
func TestProxyOdd(t *testing.T) {
	for _, c := range []struct {
		name, says, want string
	}{
		{"nothing", "", "the proxy http://127.0.0.1:"},
		{"another protocol", "220 mail.example ESMTP\r\n", "does not answer as a proxy by http does"},
		{"no end", strings.Repeat("x", 1<<20), "proxy"},
	} {
		t.Run(c.name, func(t *testing.T) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { l.Close() })
			go func() {
				for {
					conn, err := l.Accept()
					if err != nil {
						return
					}
					t.Cleanup(func() { conn.Close() })
					go conn.Write(bytes.Clone([]byte(c.says)))
				}
			}()
			s := kaggletest.Start(t)
			client, path := proxied(t, s, map[string]string{"HTTPS_PROXY": l.Addr().String()})
			err = client.Fetch(t.Context(), Request{Address: base + "a.npz", Path: path})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("have %.300v, want %q", err, c.want)
			}
		})
	}
}
