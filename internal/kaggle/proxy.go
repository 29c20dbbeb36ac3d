package kaggle

// This file: a proxy that the user's environment names.
//
// A proxy is asked for nothing but CONNECT to a name of Kaggle's or Google's storage; the TLS
// connection is made within, and its certificate is checked as without a proxy. What a direct
// connection checks besides, that an address is public, is the proxy's to check: it resolves the
// names. The proxy itself may be in this network.

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Proxy says through which proxy servers are reached. The zero value is none.
type Proxy struct {
	variable string   // which names it
	address  *url.URL // nil: none
	without  []string // NO_PROXY's entries, in lower case
	err      error    // what is wrong with the variable: every request fails with it
	patience time.Duration
}

// proxyPatience is how long a proxy may take until a connection through it is there.
const proxyPatience = 30 * time.Second

// proxyVariables name a proxy, in the order in which they are looked at.
var proxyVariables = []string{"HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"}

// proxySchemes are those that a proxy's address may have.
var proxySchemes = []string{"http", "https", "socks5", "socks5h"}

// FindProxy reads the environment as curl and other tools do: HTTPS_PROXY, else ALL_PROXY, as
// http://USER:PASSWORD@HOST:PORT, and NO_PROXY, each also in small letters. get returns a variable.
// What is wrong with them is the error of every request.
func FindProxy(get func(name string) string) Proxy {
	p := Proxy{patience: proxyPatience}
	value := ""
	for _, p.variable = range proxyVariables {
		if value = strings.TrimSpace(get(p.variable)); value != "" {
			break
		}
	}
	if value == "" {
		return Proxy{}
	}
	if !strings.Contains(value, "://") {
		value = "http://" + value
	}
	u, err := url.Parse(value)
	switch {
	case err != nil || u.Hostname() == "" || u.Opaque != "" || u.RawQuery != "" || u.Fragment != "" ||
		strings.Trim(u.Path, "/") != "": // without the value, which may hold a password
		p.err = settingErrorf("%s is not the address of a proxy: want http://HOST:PORT or "+
			"http://USER:PASSWORD@HOST:PORT, with a character such as @ # / %% of the password written as %%40 %%23 "+
			"%%2F %%25", p.variable)
	case !slices.Contains(proxySchemes, u.Scheme):
		p.err = settingErrorf("%s: a proxy by %.20q: want one of %s", p.variable, u.Scheme,
			strings.Join(proxySchemes, ", "))
	}
	p.address = u
	none := get("NO_PROXY")
	if none == "" {
		none = get("no_proxy")
	}
	p.without = strings.FieldsFunc(strings.ToLower(none), func(r rune) bool { return r == ',' || r == ' ' })
	return p
}

// settingError says that a variable names no proxy, or another than there is: trying again is no
// help.
type settingError struct{ error }

func settingErrorf(format string, args ...any) error {
	return settingError{fmt.Errorf(format, args...)}
}

// serves reports whether host is reached through the proxy.
func (p Proxy) serves(host string) bool {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	return (p.address != nil || p.err != nil) && !slices.ContainsFunc(p.without, func(entry string) bool {
		if entry == "*" {
			return true
		}
		entry = strings.TrimPrefix(strings.TrimSuffix(entry, ":443"), "*")
		domain := strings.TrimPrefix(entry, ".")
		return domain != "" && strings.HasSuffix(host, "."+domain) || domain == host && domain == entry
	})
}

// name is the proxy for an error: without user and password.
func (p Proxy) name() string {
	return fmt.Sprintf("the proxy %s://%s of %s", p.address.Scheme, p.address.Host, p.variable)
}

// proxiedDomains are the names, with those below them, that a proxy is asked for.
var proxiedDomains = []string{"kaggle.com", "kaggleusercontent.com", "googleapis.com", "googleusercontent.com"}

// errProxied is the error for a name that a proxy is not asked for.
var errProxied = errors.New("a redirect to a server that is neither Kaggle's nor Google's, which is not followed " +
	"through a proxy")

// transport reaches servers directly, or through a proxy.
type transport struct {
	proxy           Proxy
	direct, proxied *http.Transport
}

// newTransport returns a transport that does without a proxy what direct does.
func newTransport(p Proxy, direct *http.Transport) *transport {
	t := &transport{proxy: p, direct: direct, proxied: direct.Clone()}
	t.proxied.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := (&net.Dialer{Timeout: p.patience}).DialContext(ctx, network, address) // nothing but the proxy's
		if err != nil {
			return nil, err
		}
		return conn, conn.SetDeadline(time.Now().Add(p.patience)) // until RoundTrip has the connection
	}
	t.proxied.ProxyConnectHeader = http.Header{"User-Agent": {"pali"}}
	t.proxied.Proxy = http.ProxyURL(p.address)
	t.proxied.OnProxyConnectResponse = func(_ context.Context, _ *url.URL, r *http.Request, resp *http.Response) error {
		if resp.StatusCode == http.StatusOK {
			return nil
		}
		return proxyError{p, r.Host, resp.StatusCode}
	}
	return t
}

// RoundTrip sends a request by https.
func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	host := strings.ToLower(r.URL.Hostname())
	if !t.proxy.serves(host) {
		return t.direct.RoundTrip(r)
	}
	if t.proxy.err != nil {
		return nil, t.proxy.err
	}
	if r.URL.Scheme != "https" || !slices.ContainsFunc(proxiedDomains, func(domain string) bool {
		return host == domain || strings.HasSuffix(host, "."+domain)
	}) {
		return nil, errProxied
	}
	ctx := httptrace.WithClientTrace(r.Context(), &httptrace.ClientTrace{
		GotConn: func(i httptrace.GotConnInfo) { i.Conn.SetDeadline(time.Time{}) },
	})
	resp, err := t.proxied.RoundTrip(r.WithContext(ctx))
	return resp, t.proxy.explain(err, host)
}

// explain says what an error has to do with the proxy.
func (p Proxy) explain(err error, host string) error {
	var dial *net.OpError
	var record tls.RecordHeaderError
	var certificate *tls.CertificateVerificationError
	switch {
	case err == nil || errors.As(err, new(proxyError)) || errors.Is(err, context.Canceled):
		return err
	case p.address.Scheme == "https" && errors.As(err, &record):
		return settingErrorf("%s does not speak TLS: is it one of http://?", p.name())
	case errors.As(err, &certificate):
		return fmt.Errorf("%s, through %s: %w; where a proxy opens connections, its authority must be among this "+
			"system's certificates (SSL_CERT_FILE)", host, p.name(), err)
	case errors.As(err, &dial) && dial.Op == "proxyconnect":
		return fmt.Errorf("%s cannot be reached: %w", p.name(), cause(dial))
	case errors.As(err, &dial) && dial.Op == "socks connect":
		return fmt.Errorf("%s cannot connect to %s: %w", p.name(), host, cause(dial))
	case strings.Contains(err.Error(), "malformed HTTP"):
		return settingErrorf("%s does not answer as a proxy by http does: is its address right, or is it one of "+
			"https://?", p.name())
	}
	return fmt.Errorf("%s, through %s: %w", host, p.name(), err)
}

// cause is what a dialler's error ends in, without addresses.
func cause(err error) error {
	var dial *net.OpError
	for errors.As(err, &dial) {
		err = dial.Err
	}
	return err
}

// proxyError is a proxy's refusal to connect to a host.
type proxyError struct {
	proxy  Proxy
	host   string
	status int
}

func (e proxyError) Error() string {
	said := strings.TrimSpace(fmt.Sprintf("%d %s", e.status, http.StatusText(e.status)))
	host, _, _ := strings.Cut(e.host, ":")
	switch {
	case e.status == http.StatusProxyAuthRequired && e.proxy.address.User == nil:
		return fmt.Sprintf("%s wants a user and a password (%s): write them as %s://USER:PASSWORD@%s", e.proxy.name(),
			said, e.proxy.address.Scheme, e.proxy.address.Host)
	case e.status == http.StatusProxyAuthRequired:
		return fmt.Sprintf("%s does not take the user and the password that are in it (%s)", e.proxy.name(), said)
	case e.status/100 == 4:
		return fmt.Sprintf("%s does not connect to %s (%s): who runs it must allow %s and storage.googleapis.com",
			e.proxy.name(), host, said, Host)
	}
	return fmt.Sprintf("%s cannot connect to %s (%s)", e.proxy.name(), host, said)
}

// temporary reports whether the proxy may connect a moment later.
func (e proxyError) temporary() bool {
	return e.status >= 500 || e.status == http.StatusTooManyRequests || e.status == http.StatusRequestTimeout
}
