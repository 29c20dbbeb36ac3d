package server

// This file: images by address: bytes from a public server, or an error.
//
// Package safedial refuses what is not public, each redirect's address too. No proxy, no cookies,
// no credentials.

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/pali-gguf/pali/internal/safedial"
)

// fetcher fetches images. Safe for concurrent use.
type fetcher struct {
	limit  int64 // bytes of an image
	client *http.Client
	dialer *safedial.Dialer
}

func newFetcher(limit int64) *fetcher {
	f := &fetcher{limit: limit, dialer: safedial.NewDialer()}
	f.client = &http.Client{
		Timeout: 20 * time.Second,
		Transport: &http.Transport{DialContext: f.dialer.DialContext, DisableKeepAlives: true, DisableCompression: true,
			ResponseHeaderTimeout: 10 * time.Second, TLSHandshakeTimeout: 5 * time.Second,
			MaxResponseHeaderBytes: 64 << 10},
		CheckRedirect: func(r *http.Request, via []*http.Request) error {
			if len(via) > 3 {
				return errors.New("too many redirects")
			}
			return checkAddress(r.URL)
		},
	}
	return f
}

// errFetch is the error, whatever the cause: another would reveal what the network of this server
// holds.
var errFetch = invalid("an image's address: it could not be fetched from a public server")

// fetch returns what is at an address.
func (f *fetcher) fetch(ctx context.Context, address string) ([]byte, error) {
	u, err := url.Parse(address)
	if err != nil || len(address) > 4096 || checkAddress(u) != nil {
		return nil, errFetch
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, errFetch
	}
	r.Header.Set("User-Agent", "pali")
	resp, err := f.client.Do(r)
	if err != nil {
		return nil, errFetch
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, errFetch
	}
	data, err := io.ReadAll(io.LimitReader(resp.Body, f.limit+1)) // one more: the decoder refuses it
	if err != nil {
		return nil, errFetch
	}
	return data, nil
}

// checkAddress accepts http and https on their own ports, without a user.
func checkAddress(u *url.URL) error {
	port := map[string]string{"http": "80", "https": "443"}[u.Scheme]
	if port == "" || u.Host == "" || u.User != nil || u.Opaque != "" || u.Port() != "" && u.Port() != port {
		return errors.New("want http or https on the usual port")
	}
	return nil
}
