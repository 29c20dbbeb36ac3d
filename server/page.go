package server

// This file: the page for people, and its modules.
//
// The page may load and ask this server only, runs no script and uses no style but these files, and
// is shown in no other page's frame. Anyone who reaches the server gets it: a browser has no key
// before the page asks for it. It asks for all by relative addresses, so that it works below a path
// of another server, too.

import (
	"embed"
	"mime"
	"net/http"
	"path"
	"strings"
)

//go:embed page
var pageFiles embed.FS

// pagePolicy is the page's Content-Security-Policy. Trusted types: no text becomes markup or a
// script.
const pagePolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; " +
	"require-trusted-types-for 'script'; trusted-types 'none'"

// pageTypes are the types of its files.
var pageTypes = map[string]string{
	".html": "text/html; charset=utf-8",
	".css":  "text/css; charset=utf-8",
	".js":   "text/javascript; charset=utf-8",
	".svg":  "image/svg+xml",
}

// wantsPage reports whether a browser asks for something to show: it accepts text/html.
func wantsPage(r *http.Request) bool {
	for part := range strings.SplitSeq(r.Header.Get("Accept"), ",") {
		if media, _, _ := mime.ParseMediaType(part); media == "text/html" {
			return true
		}
	}
	return false
}

// isPage reports whether a request is for the page or one of its files.
func isPage(r *http.Request) bool {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return false
	}
	name, ok := strings.CutPrefix(r.URL.Path, "/page/")
	return r.URL.Path == "/" && wantsPage(r) || ok && !strings.Contains(name, "/") && pageTypes[path.Ext(name)] != ""
}

// pageFile answers with a file of the page. The page itself refers to the others from the address
// above: it is there.
func pageFile(w http.ResponseWriter, r *http.Request) {
	if r.PathValue("file") == "index.html" {
		w.Header().Set("Location", "../") // as it stands: the server may lie below a path of another
		w.WriteHeader(http.StatusTemporaryRedirect)
		return
	}
	sendPage(w, r.PathValue("file"))
}

// sendPage answers with a file of the page, or with an error if there is none.
func sendPage(w http.ResponseWriter, name string) {
	kind := pageTypes[path.Ext(name)]
	b, err := pageFiles.ReadFile("page/" + name)
	if err != nil || kind == "" {
		fail(w, failuref(http.StatusNotFound, "no_route", "the page has no such file"))
		return
	}
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Content-Security-Policy", pagePolicy)
	w.Write(b) // an error: the client went away
}
