package kaggle

// This file: requests to Kaggle's API, tried again where that may help, and what a refusal means.

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/pali-gguf/pali/internal/safedial"
)

// Bounds on what a server may send.
const (
	maxRedirects  = 5
	maxHeader     = 64 << 10 // bytes
	maxReply      = 1 << 20  // bytes of JSON
	maxPages      = 40       // of a list of files
	maxMessage    = 160      // runes of a refusal that are shown
	tries         = 5        // in a row, without worthwhile progress
	longestWait   = time.Minute
	replyPatience = time.Minute
)

// Client asks Kaggle. Safe for concurrent use; each file that it fetches is locked.
type Client struct {
	StallTimeout time.Duration // how long minProgress bytes may take
	Pause        time.Duration // before the second try; doubled each time
	who          *Credentials
	http         *http.Client
}

// New returns a client that reaches servers through d, or through the proxy p, with the credentials
// who, nil for none. roots are the certificates to trust, nil: the system's.
func New(who *Credentials, d *safedial.Dialer, roots *x509.CertPool, p Proxy) *Client {
	direct := &http.Transport{DialContext: d.DialContext, DisableCompression: true,
		TLSClientConfig:       &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
		ResponseHeaderTimeout: 30 * time.Second, TLSHandshakeTimeout: 10 * time.Second,
		MaxResponseHeaderBytes: maxHeader}
	return &Client{StallTimeout: 30 * time.Second, Pause: time.Second, who: who, http: &http.Client{
		Transport: newTransport(p, direct),
		CheckRedirect: func(r *http.Request, via []*http.Request) error {
			if len(via) > maxRedirects {
				return errRedirect
			}
			if r.URL.Host != Host {
				r.Header.Del("Authorization")
			}
			r.Header.Del("Referer")
			return checkAddress(r.URL)
		},
	}}
}

// errRedirect is the error for a redirect that is not followed.
var errRedirect = errors.New("a redirect to something other than https, or one too many")

// checkAddress accepts https on its own port, without a user.
func checkAddress(u *url.URL) error {
	if u.Scheme != "https" || u.Host == "" || u.User != nil || u.Opaque != "" || u.Port() != "" && u.Port() != "443" {
		return errRedirect
	}
	return nil
}

// get sends a request. The caller closes the body. An error does not contain the address: a signed
// one is a secret.
func (c *Client) get(ctx context.Context, address string, header http.Header) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, errors.New("not an address")
	}
	if header != nil {
		r.Header = header
	}
	r.Header.Set("User-Agent", "pali")
	if r.URL.Host == Host {
		c.who.sign(r)
	}
	resp, err := c.http.Do(r)
	if err != nil {
		return nil, networkError(err)
	}
	return resp, nil
}

// NetworkError is a failure to reach a server, or of a connection.
type NetworkError struct{ err error }

func (e NetworkError) Error() string { return e.err.Error() }
func (e NetworkError) Unwrap() error { return e.err }

// networkError leaves out the address.
func networkError(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	return NetworkError{err}
}

// StatusError is a server's refusal.
type StatusError struct {
	Status  int
	message string        // the server's, made fit for a terminal
	after   time.Duration // that it asks to wait
}

func (e StatusError) Error() string {
	text := fmt.Sprintf("the server answers %d %s", e.Status, http.StatusText(e.Status))
	if e.message != "" {
		text += ": " + e.message
	}
	return strings.TrimSpace(text)
}

// refusal reads what a server says with a status other than success.
func refusal(resp *http.Response) error {
	b, _ := io.ReadAll(io.LimitReader(resp.Body, 4<<10))
	var reply struct{ Message string }
	e := StatusError{Status: resp.StatusCode}
	if json.Unmarshal(b, &reply) == nil {
		runes := []rune(strings.Map(func(r rune) rune {
			if !unicode.IsPrint(r) {
				return -1
			}
			return r
		}, reply.Message))
		e.message = string(runes[:min(len(runes), maxMessage)])
	}
	if seconds, err := strconv.Atoi(resp.Header.Get("Retry-After")); err == nil && seconds > 0 {
		e.after = min(time.Duration(min(seconds, 3600))*time.Second, longestWait)
	}
	return e
}

// Explain adds to err, if it is a server's refusal, what to do about it.
func (h Handle) Explain(err error) error {
	var s StatusError
	if !errors.As(err, &s) {
		return err
	}
	switch s.Status {
	case http.StatusUnauthorized:
		return fmt.Errorf("%w; Kaggle does not know this user and key: make a new token at https://%s/settings", err,
			Host)
	case http.StatusForbidden:
		return fmt.Errorf("%w; accept the licence once, signed in with the same account, at %s", err, h.Licence())
	case http.StatusNotFound:
		return fmt.Errorf("%w; Kaggle has no %s, or not this file of it: see %s", err, h, h.Licence())
	case http.StatusTooManyRequests:
		return fmt.Errorf("%w; wait some minutes", err)
	}
	return err
}

// isTemporary reports whether err may not occur again when the request is repeated: lost
// connections, and statuses that say so.
func isTemporary(err error) bool {
	var s StatusError
	if errors.As(err, &s) {
		return s.Status == http.StatusTooManyRequests || s.Status == http.StatusRequestTimeout || s.Status >= 500
	}
	var n NetworkError
	var certificate *tls.CertificateVerificationError
	var name *net.DNSError
	var refused proxyError
	final := errors.As(err, &certificate) || errors.Is(err, safedial.ErrNotPublic) || errors.Is(err, errRedirect) ||
		errors.As(err, &name) && name.IsNotFound || errors.Is(err, errProxied) ||
		errors.As(err, &refused) && !refused.temporary() || errors.As(err, new(settingError))
	return errors.As(err, &n) && !final
}

// retry calls once until it succeeds, fails for good, or has failed too often in a row. once
// returns whether it made progress.
func (c *Client) retry(ctx context.Context, once func() (forward bool, err error)) error {
	for failed := 0; ; {
		forward, err := once()
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case !isTemporary(err):
			return err
		case forward:
			failed = 0
		}
		if failed++; failed == tries {
			return fmt.Errorf("%w (tried %d times)", err, tries)
		}
		pause := min(c.Pause<<(failed-1), longestWait)
		var s StatusError
		if errors.As(err, &s) && s.after > 0 {
			pause = s.after
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
	}
}

// reply reads a JSON answer of the API.
func (c *Client) reply(ctx context.Context, address string, into any) error {
	return c.retry(ctx, func() (bool, error) {
		ctx, cancel := context.WithTimeout(ctx, replyPatience)
		defer cancel()
		resp, err := c.get(ctx, address, nil)
		if err != nil {
			return false, err
		}
		defer resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			return false, refusal(resp)
		}
		b, err := io.ReadAll(io.LimitReader(resp.Body, maxReply+1))
		if err != nil {
			return false, networkError(err)
		}
		if len(b) > maxReply || json.Unmarshal(b, into) != nil {
			return false, errors.New("what Kaggle answers is not the JSON that its API gives")
		}
		return false, nil
	})
}

// Newest returns h with its newest version, where it has none.
func (c *Client) Newest(ctx context.Context, h Handle) (Handle, error) {
	if h.Version > 0 {
		return h, nil
	}
	var r struct{ VersionNumber int }
	if err := c.reply(ctx, h.api()+"/get", &r); err != nil {
		return h, h.Explain(err)
	}
	if r.VersionNumber < 1 || r.VersionNumber > 1e6 {
		return h, fmt.Errorf("no version of %s is named by Kaggle", h)
	}
	h.Version = r.VersionNumber
	return h, nil
}

// Files lists the files of a version of h. Those in folders, and names that could mean something
// else in a path, are left out.
func (c *Client) Files(ctx context.Context, h Handle) ([]string, error) {
	var names []string
	token := ""
	for range maxPages {
		var r struct {
			Files         []struct{ Name string }
			NextPageToken string
		}
		address := h.api() + "/files?page_size=25"
		if token != "" {
			address += "&page_token=" + url.QueryEscape(token)
		}
		if err := c.reply(ctx, address, &r); err != nil {
			return nil, h.Explain(err)
		}
		for _, f := range r.Files {
			if word.MatchString(f.Name) {
				names = append(names, f.Name)
			}
		}
		if token = r.NextPageToken; token == "" {
			return names, nil
		}
	}
	return nil, fmt.Errorf("%s has too many files", h)
}
