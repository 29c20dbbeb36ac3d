// Package kaggletest is a stand-in for Kaggle and Google's storage in tests: the same routes,
// statuses, redirects and headers, on this machine, by https.
package kaggletest

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/md5"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pali-gguf/pali/internal/safedial"
)

// User and Key are the credentials that the stand-in accepts.
const User, Key = "someone", "0123456789abcdef"

// Server is the stand-in. Files are the files of a version, by name; Public those that storage
// serves to everyone, by path.
type Server struct {
	Files  map[string][]byte
	Public map[string][]byte
	Roots  []byte                                            // certificate, PEM
	Odd    func(w http.ResponseWriter, r *http.Request) bool // called first; it has answered if it returns true

	web   *httptest.Server
	own   tls.Certificate
	state sync.RWMutex // held for reading while a request is answered
	lock  sync.Mutex   // of seen
	seen  []string
}

// Change calls change, which may set the fields of s, while no request is answered. A test whose
// requests come from another process sets them so.
func (s *Server) Change(change func()) {
	s.state.Lock()
	defer s.state.Unlock()
	change()
}

// Start starts a stand-in, which is closed at the end of the test.
func Start(t testing.TB) *Server {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	about := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "stand-in"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		DNSNames: []string{"www.kaggle.com", "storage.googleapis.com", "inside.example", "localhost"}, IsCA: true,
		BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, about, about, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{Files: map[string][]byte{}, Public: map[string][]byte{},
		Roots: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})}
	s.web = httptest.NewUnstartedServer(http.HandlerFunc(s.serve))
	s.web.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.own = tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
	s.web.TLS = &tls.Config{Certificates: []tls.Certificate{s.own}}
	s.web.StartTLS()
	t.Cleanup(func() { s.web.CloseClientConnections(); s.web.Close() })
	return s
}

// Address returns the host and port on which s listens.
func (s *Server) Address() string { return s.web.Listener.Addr().String() }

// Seen returns the requests so far: host, path, and the headers Authorization and Range.
func (s *Server) Seen() []string {
	s.lock.Lock()
	defer s.lock.Unlock()
	return slices.Clone(s.seen)
}

// Trust returns a pool of the certificates roots, in PEM.
func Trust(roots []byte) *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(roots)
	return pool
}

// Dialer returns a dialer that connects every public name to address. The name inside.example has
// an address of this machine.
func Dialer(address string) *safedial.Dialer {
	return &safedial.Dialer{
		Resolve: func(_ context.Context, name string) ([]netip.Addr, error) {
			if name == "inside.example" {
				return []netip.Addr{netip.MustParseAddr("127.0.0.1")}, nil
			}
			return []netip.Addr{netip.MustParseAddr("93.184.216.34")}, nil
		},
		Dial: func(ctx context.Context, to netip.AddrPort) (net.Conn, error) {
			if to.String() != "93.184.216.34:443" {
				return nil, errors.New("dialled " + to.String())
			}
			return (&net.Dialer{}).DialContext(ctx, "tcp", address)
		},
	}
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	s.state.RLock()
	defer s.state.RUnlock()
	s.lock.Lock()
	_, _, signed := r.BasicAuth()
	s.seen = append(s.seen, fmt.Sprintf("%s%s signed=%v %s", r.Host, r.URL.Path, signed, r.Header.Get("Range")))
	s.lock.Unlock()
	if s.Odd != nil && s.Odd(w, r) {
		return
	}
	if r.Host == "storage.googleapis.com" {
		s.storage(w, r)
		return
	}
	user, key, _ := r.BasicAuth()
	if user != User || key != Key {
		Refuse(w, http.StatusUnauthorized, "Unauthenticated")
		return
	}
	rest, ok := strings.CutPrefix(r.URL.Path, "/api/v1/models/google/paligemma/jax/")
	parts := strings.Split(rest, "/")
	switch {
	case ok && len(parts) == 2 && parts[1] == "get":
		json.NewEncoder(w).Encode(map[string]any{"versionNumber": 3})
	case ok && len(parts) == 3 && parts[1] == "3" && parts[2] == "files":
		s.list(w, r)
	case ok && len(parts) == 4 && parts[1] == "3" && parts[2] == "download" && s.Files[parts[3]] != nil:
		http.Redirect(w, r, "https://storage.googleapis.com/kaggle-models/"+parts[3]+"?X-Goog-Signature=secret",
			http.StatusFound)
	default:
		Refuse(w, http.StatusNotFound, "Not found")
	}
}

// list serves the names of the files, two a page.
func (s *Server) list(w http.ResponseWriter, r *http.Request) {
	type file struct {
		Name string `json:"name"`
	}
	var all []file
	for name := range s.Files {
		all = append(all, file{name})
	}
	slices.SortFunc(all, func(a, b file) int { return strings.Compare(a.Name, b.Name) })
	from, next := 0, ""
	fmt.Sscanf(r.URL.Query().Get("page_token"), "from %d", &from)
	to := min(len(all), from+2)
	if to < len(all) {
		next = fmt.Sprintf("from %d", to)
	}
	json.NewEncoder(w).Encode(map[string]any{"files": all[from:to], "nextPageToken": next})
}

// storage serves a file, or the rest of it.
func (s *Server) storage(w http.ResponseWriter, r *http.Request) {
	b := s.Public[r.URL.Path]
	if strings.HasPrefix(r.URL.Path, "/kaggle-models/") {
		b = s.Files[path.Base(r.URL.Path)]
	}
	if b == nil {
		http.NotFound(w, r)
		return
	}
	Head(w, b)
	http.ServeContent(w, r, "", time.Time{}, strings.NewReader(string(b)))
}

// Head sets the headers on w that storage sends with the file b.
func Head(w http.ResponseWriter, b []byte) {
	sum := md5.Sum(b)
	crc := binary.BigEndian.AppendUint32(nil, crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)))
	w.Header().Set("ETag", fmt.Sprintf(`"%x"`, sum))
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Add("X-Goog-Hash", "crc32c="+base64.StdEncoding.EncodeToString(crc))
	w.Header().Add("X-Goog-Hash", "md5="+base64.StdEncoding.EncodeToString(sum[:]))
}

// Refuse answers on w with status and message as Kaggle does.
func Refuse(w http.ResponseWriter, status int, message string) {
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(map[string]any{"code": status, "message": message})
}
