package server

import (
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/pali-gguf/pali/tasks"
)

const browserAccepts = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"

// embedded are the page's files by name.
func embedded(t *testing.T) map[string]string {
	all := map[string]string{}
	entries, err := fs.ReadDir(pageFiles, "page")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		b, err := fs.ReadFile(pageFiles, "page/"+e.Name())
		if err != nil {
			t.Fatal(err)
		}
		all[e.Name()] = string(b)
	}
	return all
}

// A browser gets the page, all others what Ollama says; every file has its type and the policy; a
// key is not wanted for them, and for nothing else.
func TestPageIsServed(t *testing.T) {
	s := serve(t, func(o *Options) { o.Key = "secret" })
	g := s.do("GET", "/", "", "Accept", browserAccepts)
	if g.status != 200 || g.header.Get("Content-Type") != "text/html; charset=utf-8" ||
		!strings.HasPrefix(g.body, "<!DOCTYPE html>") || !slices.Contains(g.header.Values("Vary"), "Accept") {
		t.Errorf("%d %v", g.status, g.header)
	}
	kinds := map[string]string{".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8",
		".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}
	for name, text := range embedded(t) {
		at := "/page/" + name
		if name == "index.html" {
			at = "/"
		}
		g := s.do("GET", at, "", "Accept", browserAccepts)
		if g.status != 200 || g.body != text || g.header.Get("Content-Type") != kinds[path.Ext(name)] ||
			g.header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: %d %v", name, g.status, g.header)
		}
		policy := g.header.Get("Content-Security-Policy")
		for _, want := range []string{"default-src 'none'", "script-src 'self'", "connect-src 'self'",
			"frame-ancestors 'none'", "require-trusted-types-for 'script'"} {
			if !slices.Contains(strings.Split(policy, "; "), want) {
				t.Errorf("%s: policy %q lacks %s", name, policy, want)
			}
		}
		if strings.Contains(policy, "unsafe") || strings.Contains(policy, "*") {
			t.Errorf("%s: policy %q", name, policy)
		}
	}
	for _, accept := range []string{"", "*/*", "application/json", "text/plain"} {
		if g := s.do("GET", "/", "", "Accept", accept, "Authorization",
			"Bearer secret"); g.body != "Ollama is running" {
			t.Errorf("Accept %q: %d %s", accept, g.status, g.body)
		}
		if g := s.do("GET", "/", "", "Accept", accept); g.status != http.StatusUnauthorized {
			t.Errorf("Accept %q without a key: %d", accept, g.status)
		}
	}
	for _, at := range []string{"/page/none.js", "/page/..%2fpage.go", "/page/main.go", "/page/%2e%2e%2fopenapi.js"} {
		if g := s.do("GET", at, "", "Accept", browserAccepts, "Authorization", "Bearer secret"); g.status != 404 {
			t.Errorf("%s: %d", at, g.status)
		}
	}
	for _, at := range []string{"/v1/models", "/api/ps", "/page/main.js/../../v1/models",
		"/page/a%2f..%2f..%2fv1%2fmodels.js"} {
		if g := s.do("GET", at, "", "Accept", browserAccepts); g.status != http.StatusUnauthorized {
			t.Errorf("%s without a key: %d", at, g.status)
		}
	}
}

var (
	references = regexp.MustCompile(`(?:src|href)="([^"]*)"|url\(([^)]*)\)|@import\s+(\S+)`)
	imports    = regexp.MustCompile(`(?:from|import|import\()\s*"([^"]*)"`)
	absolute   = regexp.MustCompile("[\"'`]/[a-zA-Z]")
	inline     = regexp.MustCompile(`(?i)<style|\sstyle=|\son[a-z]+=|javascript:|<script(?:[^>]*)>[^<]`)
)

// The page refers to nothing but its own files, and has no script and no style in itself: it works
// offline, and under its policy.
func TestPageIsWhole(t *testing.T) {
	files := embedded(t)
	used := map[string]bool{"index.html": true}
	for name, text := range files {
		for _, m := range references.FindAllStringSubmatch(text, -1) {
			at := m[1] + m[2] + m[3]
			file, ok := strings.CutPrefix(at, "page/")
			if _, is := files[file]; !strings.HasPrefix(at, "#") && (!ok || !is) {
				t.Errorf("%s refers to %q", name, at)
			}
			used[file] = true
		}
		for _, m := range imports.FindAllStringSubmatch(text, -1) {
			file, ok := strings.CutPrefix(m[1], "./")
			if _, is := files[file]; !ok || !is {
				t.Errorf("%s imports %q", name, m[1])
			}
			used[file] = true
		}
		if at := inline.FindString(text); at != "" && path.Ext(name) == ".html" {
			t.Errorf("%s has %q in itself", name, at)
		}
		if at := absolute.FindString(text); at != "" {
			t.Errorf("%s has the address %s: it would not work below a path", name, at)
		}
		for _, bad := range []string{"http://", "https://", "innerHTML", "outerHTML", "insertAdjacentHTML",
			"document.write", "eval("} {
			if strings.Contains(strings.ReplaceAll(text, `xmlns="http://www.w3.org/2000/svg"`, ""), bad) {
				t.Errorf("%s has %q", name, bad)
			}
		}
	}
	for name := range files {
		if !used[name] {
			t.Errorf("nothing uses %s", name)
		}
	}
	if len(files) < 8 {
		t.Errorf("%d files", len(files))
	}
}

// The page's languages are those of the model, and its tasks have routes.
func TestPageKnowsTheTasks(t *testing.T) {
	page := embedded(t)["index.html"]
	var languages []string
	for _, m := range regexp.MustCompile(`<option[^>]*>(\w+)`).FindAllStringSubmatch(page, -1) {
		languages = append(languages, m[1])
	}
	if !slices.Equal(languages, tasks.Languages) {
		t.Errorf("languages %v", languages)
	}
	all := regexp.MustCompile(`name="task" value="(\w+)"`).FindAllStringSubmatch(page, -1)
	for _, m := range all {
		if !slices.ContainsFunc(nativeTasks(), func(o tasks.Task) bool { return o.Name == m[1] }) {
			t.Errorf("no route for %s", m[1])
		}
	}
	if len(all) != 6 {
		t.Errorf("%d tasks", len(all))
	}
}

// Below a path of another server, which strips it, the page finds its files and the routes.
func TestPageBelowAPath(t *testing.T) {
	s := serve(t, func(o *Options) { o.Hosts, o.Origins = []string{"box.example"}, []string{"https://front.example"} })
	to, err := url.Parse(s.url)
	if err != nil {
		t.Fatal(err)
	}
	keepsHost := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(to)
		r.Out.Host = r.In.Host
	}}
	proxy := httptest.NewServer(http.StripPrefix("/pali", keepsHost))
	defer proxy.Close()
	nginx := httptest.NewServer(http.StripPrefix("/pali", &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(to) }})) // Host is the server's own
	defer nginx.Close()
	get := func(at string, header ...string) got {
		t.Helper()
		r, err := http.NewRequest("GET", at, nil)
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i < len(header); i += 2 {
			r.Header.Set(header[i], header[i+1])
		}
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		b, _ := io.ReadAll(resp.Body)
		return got{resp.StatusCode, resp.Header, string(b)}
	}
	page, _ := url.Parse(proxy.URL + "/pali/")
	for _, at := range []string{"", "page/index.html"} {
		from := page.ResolveReference(&url.URL{Path: at})
		if g := get(from.String(), "Accept", browserAccepts); g.status != 200 || g.body != embedded(t)["index.html"] {
			t.Errorf("%s: %d %s", from, g.status, g.body)
		}
	}
	for name, text := range embedded(t) {
		from := page // of what a file refers to
		if path.Ext(name) != ".html" {
			from = page.ResolveReference(&url.URL{Path: "page/" + name})
		}
		all := references.FindAllStringSubmatch(text, -1)
		for _, m := range append(all, imports.FindAllStringSubmatch(text, -1)...) {
			at, err := from.Parse(strings.Join(m[1:], ""))
			if err != nil || strings.HasPrefix(m[1], "#") {
				continue
			}
			if g := get(at.String()); g.status != 200 {
				t.Errorf("%s refers to %s: %d", name, at, g.status)
			}
		}
	}
	module, _ := page.Parse("page/ask.js")
	base, _ := module.Parse("..")
	routes := regexp.MustCompile(`(?:at|get)\("([^"]+)"`).FindAllStringSubmatch(embedded(t)["ask.js"], -1)
	for _, m := range routes {
		at, _ := base.Parse(m[1])
		if g := get(at.String()); g.status == 404 || g.status == 403 {
			if m[1] != "v1/" { // a task follows
				t.Errorf("%s: %d", at, g.status)
			}
		}
	}
	if len(routes) < 4 {
		t.Errorf("%d routes", len(routes))
	}
	for _, c := range []struct {
		name, at, host, origin string
		status                 int
	}{
		{"the name passed on is allowed", proxy.URL, "box.example", "http://box.example", 200},
		{"behind TLS", proxy.URL, "box.example", "https://box.example", 200},
		{"another name", proxy.URL, "evil.example", "http://evil.example", 403},
		{"the origin is allowed", nginx.URL, "front.example", "https://front.example", 200},
		{"another origin", nginx.URL, "front.example", "https://evil.example", 403},
	} {
		t.Run(c.name, func(t *testing.T) {
			body, kind := form(solidPNG(colour(3)), "stream", "true")
			r, _ := http.NewRequest("POST", c.at+"/pali/v1/caption", body)
			r.Host = c.host
			r.Header.Set("Content-Type", kind)
			r.Header.Set("Origin", c.origin)
			r.Header.Set("X-Forwarded-Host", "localhost") // says nothing: a page can send it
			resp, err := http.DefaultClient.Do(r)
			if err != nil || resp.StatusCode != c.status {
				t.Fatalf("%v: %v", err, resp)
			}
			resp.Body.Close()
		})
	}
}
