package server

// This file: names, origins and keys as a user writes them, in the one form that requests are
// compared with. What no request can equal is refused.

import (
	"bufio"
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"regexp"
	"strconv"
	"strings"
)

// AccessError says which field of Access, or which address to listen at, cannot be used, and what
// to write instead.
type AccessError struct {
	Field AccessField
	Text  string
}

func (e AccessError) Error() string { return "server: " + string(e.Field) + " " + e.Text }

// AccessField is what an AccessError is about.
type AccessField string

// The fields.
const (
	FieldKey     AccessField = "Key"
	FieldHosts   AccessField = "Hosts"
	FieldOrigins AccessField = "Origins"
	FieldListen  AccessField = "address"
)

// Normalize brings a into the form that requests are compared with, for a server that listens at an
// address, ADDRESS:PORT, which it returns without blanks. It sets Public, and adds to Hosts the name
// in the address and, if Public, the machine's own. Its error is an AccessError.
func (a *Access) Normalize(listen string) (address string, err error) {
	address = strings.TrimSpace(listen)
	host, port, err := net.SplitHostPort(address)
	if n, bad := strconv.ParseUint(port, 10, 16); err != nil || bad != nil || n > 65535 {
		return "", AccessError{FieldListen,
			quote(listen, maxQuoted) + ": want ADDRESS:PORT, as 127.0.0.1:11435; port 0: any"}
	}
	ip, noAddress := netip.ParseAddr(host)
	a.Public = !(strings.EqualFold(host, "localhost") || noAddress == nil && ip.Unmap().IsLoopback())
	if a.Key != "" {
		if a.Key, err = parseKey(a.Key); err != nil {
			return "", AccessError{FieldKey, err.Error()}
		}
	}
	if a.Hosts, err = parseAll(a.Hosts, parseHost); err != nil {
		return "", AccessError{FieldHosts, err.Error()}
	}
	if a.Origins, err = parseAll(a.Origins, parseOrigin); err != nil {
		return "", AccessError{FieldOrigins, err.Error()}
	}
	own := []string{host}
	if name, err := os.Hostname(); err == nil && a.Public {
		own = append(own, name)
	}
	for _, name := range own {
		if name, err := parseHost(name); err == nil {
			a.Hosts = append(a.Hosts, name)
		}
	}
	return address, nil
}

// parseAll parses texts, of which one may be a list with commas or blanks: neither can be part of a
// name or of an origin.
func parseAll(texts []string, parse func(string) (string, error)) (all []string, err error) {
	for _, text := range texts {
		parts := strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' || r >= '\t' && r <= '\r' })
		if len(parts) == 0 {
			return nil, fmt.Errorf("%q: it is empty", text)
		}
		for _, part := range parts {
			one, err := parse(part)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", quote(part, maxQuoted), err)
			}
			all = append(all, one)
		}
	}
	return all, nil
}

// maxQuoted bounds what an error repeats of a name, in bytes.
const maxQuoted = 100

// maxKey bounds a key in bytes: the header that shows it must fit into maxHeader.
const maxKey = 8 << 10

// parseKey returns a key as it arrives from a client: blanks and line ends around it are lost on the
// way. A key that cannot arrive is an error, which does not show it.
func parseKey(text string) (string, error) {
	key := strings.Trim(text, " \t\r\n")
	for i, c := range []byte(key) {
		if c < ' ' || c > '~' {
			return "", fmt.Errorf("has byte 0x%02x at %d: no client can send it; "+
				"use letters, digits and signs of ASCII", c, i+1)
		}
	}
	switch {
	case key == "":
		return "", errors.New("is empty: give a key, or leave it out")
	case len(key) > maxKey:
		return "", fmt.Errorf("has %d bytes: no client can send more than %d", len(key), maxKey)
	}
	return key, nil
}

// parseHost returns the name, in lower case and ASCII, or the address that a host means which may
// come as a URL and with a port: neither says anything about the name.
func parseHost(text string) (string, error) {
	host := text
	if scheme, rest, ok := strings.Cut(host, "://"); ok {
		if !strings.EqualFold(scheme, "http") && !strings.EqualFold(scheme, "https") {
			return "", errors.New("want a name alone, as box.example")
		}
		host = rest
	}
	host = strings.TrimRight(host, "/")
	if strings.Contains(host, "*") {
		return "", errors.New("no pattern is known: give each name, as box.example, one by one")
	}
	if name, _, _ := strings.Cut(host, "/"); name != host {
		return "", fmt.Errorf("a path says nothing about the name: write %s", name)
	}
	if ip, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")); err == nil {
		return hostAddress(ip)
	}
	if name, port, err := net.SplitHostPort(host); err == nil {
		if !validPort(port) {
			return "", fmt.Errorf("the port is no number from 1 to 65535: write %s", name)
		}
		host = name
	}
	if ip, err := netip.ParseAddr(host); err == nil {
		return hostAddress(ip)
	}
	return hostName(host)
}

// hostAddress returns an address as a Host header is compared with it.
func hostAddress(ip netip.Addr) (string, error) {
	switch {
	case ip.Zone() != "":
		return "", errors.New("no client can send an address with a zone: write it without %" + ip.Zone())
	case ip.IsUnspecified():
		return "", errors.New("no client asks for this address: write the name or the address that clients use")
	}
	return ip.Unmap().String(), nil
}

// hostNames is what names of hosts look like, underscores included, which some networks use.
var hostNames = regexp.MustCompile(`^[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*$`)

// numeric is what an address looks like, or a mistake in one.
var numeric = regexp.MustCompile(`(^|\.)[0-9]+$`)

// hostName returns a name in lower case and ASCII, without a dot at its end.
func hostName(text string) (string, error) {
	name := strings.TrimSuffix(strings.ToLower(text), ".")
	if strings.IndexFunc(name, func(r rune) bool { return r > '~' }) >= 0 {
		// net/http writes a name as name servers know it, in ASCII, into the Host of a request.
		var b bytes.Buffer
		r := &http.Request{Method: http.MethodGet, URL: &url.URL{Scheme: "http", Host: name, Path: "/"}}
		if err := r.Write(&b); err == nil {
			if r, err = http.ReadRequest(bufio.NewReader(&b)); err == nil {
				name = r.Host
			}
		}
	}
	switch {
	case len(name) > 253 || !hostNames.MatchString(name):
		return "", errors.New("is no name of a host: want one as box.example")
	case numeric.MatchString(name):
		return "", errors.New("is no address and no name of a host: want one as 192.168.1.5 or box.example")
	}
	return name, nil
}

func validPort(text string) bool {
	n, err := strconv.ParseUint(text, 10, 16)
	return err == nil && n > 0
}

// schemes is what the scheme of an origin looks like.
var schemes = regexp.MustCompile(`^[a-z][a-z0-9+.-]*$`)

// parseOrigin returns an origin as browsers send it: scheme and host in lower case, the port unless
// it is the scheme's own.
func parseOrigin(text string) (string, error) {
	switch {
	case text == "*":
		return "", errors.New("pages of every site could ask: give each origin, as https://app.example, one by one")
	case strings.EqualFold(text, "null"):
		return "", errors.New("it stands for files and for frames of any site: serve the page from an address, " +
			"as http://localhost:3000, and give that")
	}
	scheme, rest, ok := strings.Cut(text, "://")
	scheme, rest = strings.ToLower(scheme), strings.TrimRight(rest, "/")
	switch {
	case !ok && schemes.MatchString(strings.ToLower(text)) || !ok && strings.Contains(text, ":"):
		return "", fmt.Errorf("the scheme is missing: write http://%s or https://%[1]s", strings.TrimRight(text, "/"))
	case !ok || !schemes.MatchString(scheme):
		return "", errors.New("want an origin as https://app.example or http://localhost:3000")
	case scheme == "file" || rest == "":
		return "", errors.New("browsers send no such origin: want one as https://app.example or http://localhost:3000")
	case strings.ContainsAny(rest, "@*?#\\"):
		return "", errors.New("browsers send scheme, host and port only: want an origin as https://app.example")
	}
	if name, _, path := strings.Cut(rest, "/"); path {
		return "", fmt.Errorf("an origin has no path: write %s://%s", scheme, name)
	}
	if scheme != "http" && scheme != "https" {
		return scheme + "://" + rest, nil // an extension of a browser, an application
	}
	return webOrigin(scheme, rest)
}

// webOrigin returns the origin of a scheme and a host, with or without a port.
func webOrigin(scheme, host string) (string, error) {
	name, port, err := net.SplitHostPort(host)
	if err != nil {
		name, port = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]"), ""
	}
	if port != "" && !validPort(port) {
		return "", fmt.Errorf("the port %s is no number from 1 to 65535", quote(port, maxQuoted))
	}
	dot := ""
	if strings.HasSuffix(name, ".") {
		dot = "." // browsers keep it
	}
	ip, noAddress := netip.ParseAddr(name)
	switch {
	case noAddress != nil:
		if name, err = hostName(name); err != nil {
			return "", err
		}
		name += dot
	case ip.Zone() != "":
		return "", errors.New("browsers send no address with a zone")
	case ip.Is6():
		name = "[" + ip.String() + "]"
	}
	number, _ := strconv.Atoi(cmp.Or(port, "0"))
	if number == 0 || number == map[string]int{"http": 80, "https": 443}[scheme] {
		return scheme + "://" + name, nil
	}
	return fmt.Sprintf("%s://%s:%d", scheme, name, number), nil
}
