package kaggletest

// This file: a proxy in front of the stand-in, by http, https or SOCKS 5.

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
)

// Proxy is a proxy that connects every name to the stand-in. Its fields are set before it is asked.
type Proxy struct {
	Status int    // that it refuses with; 0: it connects
	User   string // USER:PASSWORD that it wants; "": none
	Cut    int64  // bytes of the first connection to storage after which it breaks; 0: none

	address, target string
	lock            sync.Mutex
	seen            []string
	cut             bool
}

// StartProxy starts a proxy in front of s that speaks scheme: http, https or socks5. It is closed
// at the end of the test.
func (s *Server) StartProxy(t testing.TB, scheme string) *Proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(l.Addr().String())
	p := &Proxy{target: s.Address(), address: "localhost:" + port} // the name is in the certificate
	if scheme == "https" {
		l = tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{s.own}})
	}
	var open sync.WaitGroup
	open.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { c.Close() })
			open.Go(func() {
				defer c.Close()
				if scheme == "socks5" {
					p.socks(c)
				} else {
					p.http(c)
				}
			})
		}
	})
	t.Cleanup(func() { l.Close() })
	return p
}

// Address returns the host and port on which p listens.
func (p *Proxy) Address() string { return p.address }

// Seen returns what p was asked for so far: the request's line and the names of its headers
// but for pali's own, in one line.
func (p *Proxy) Seen() []string {
	p.lock.Lock()
	defer p.lock.Unlock()
	return slices.Clone(p.seen)
}

func (p *Proxy) note(line string) {
	p.lock.Lock()
	defer p.lock.Unlock()
	p.seen = append(p.seen, line)
}

func (p *Proxy) http(c net.Conn) {
	in := bufio.NewReader(c)
	r, err := http.ReadRequest(in)
	if err != nil {
		p.note("not a request")
		fmt.Fprint(c, "HTTP/1.1 400 Bad Request\r\n\r\n")
		return
	}
	var headers []string
	for name := range r.Header {
		if name != "User-Agent" || r.UserAgent() != "pali" {
			headers = append(headers, name)
		}
	}
	slices.Sort(headers)
	p.note(strings.TrimSpace(fmt.Sprintf("%s %s %s", r.Method, r.RequestURI, strings.Join(headers, " "))))
	auth := http.Request{Header: http.Header{"Authorization": r.Header["Proxy-Authorization"]}}
	user, password, _ := auth.BasicAuth()
	switch {
	case p.User != "" && user+":"+password != p.User:
		fmt.Fprint(c, "HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm=\"p\"\r\n\r\n")
	case p.Status != 0:
		fmt.Fprintf(c, "HTTP/1.1 %d %s\r\nContent-Length: 0\r\n\r\n", p.Status, http.StatusText(p.Status))
	default:
		fmt.Fprint(c, "HTTP/1.1 200 Connection established\r\n\r\n")
		p.connect(c, r.Host)
	}
}

// socks speaks as much of RFC 1928 as a client needs that connects to a name without a password.
func (p *Proxy) socks(c net.Conn) {
	head := make([]byte, 2)
	if _, err := io.ReadFull(c, head); err != nil {
		return
	}
	io.CopyN(io.Discard, c, int64(head[1]))
	c.Write([]byte{5, 0})
	request := make([]byte, 5) // version, command, reserved, 3 for a name, its length
	if _, err := io.ReadFull(c, request); err != nil || request[3] != 3 {
		return
	}
	name := make([]byte, int(request[4])+2)
	if _, err := io.ReadFull(c, name); err != nil {
		return
	}
	host := string(name[:request[4]])
	p.note("SOCKS " + host)
	c.Write([]byte{5, byte(min(p.Status, 5)), 0, 1, 0, 0, 0, 0, 0, 0})
	if p.Status == 0 {
		p.connect(c, host)
	}
}

// connect copies between c and the stand-in, in place of host.
func (p *Proxy) connect(c net.Conn, host string) {
	to, err := net.Dial("tcp", p.target)
	if err != nil {
		return
	}
	defer to.Close()
	p.lock.Lock()
	limited := p.Cut > 0 && !p.cut && strings.HasPrefix(host, "storage.")
	p.cut = p.cut || limited
	p.lock.Unlock()
	go func() {
		io.Copy(to, c)
		to.Close()
	}()
	if limited {
		io.CopyN(c, to, p.Cut)
		return
	}
	io.Copy(c, to)
}
