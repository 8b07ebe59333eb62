package debug

import (
	"context"
	"embed"
	"encoding/json"
	"net"
	"net/http"
	"net/netip"
	"path"
	"strings"

	"ringo/internal/lane"
	"ringo/internal/loop"
)

//go:embed page/index.html page/console.css page/console.js
var pages embed.FS

// files are the files of the page, by the last part of their paths.
var files = map[string]struct{ name, kind string }{
	"":            {"page/index.html", "text/html; charset=utf-8"},
	"console.css": {"page/console.css", "text/css; charset=utf-8"},
	"console.js":  {"page/console.js", "text/javascript; charset=utf-8"},
}

// answer makes an answer of the API to a request with some of these parameters.
type answer struct {
	make   func(*query) (any, error)
	params []string
}

// answers are the answers of the API, by the last part of the path.
var answers = map[string]answer{
	"loops":   {loops, []string{"loop"}},
	"tasks":   {tasks, ofLists},
	"handles": {handles, ofLists},
	"ops":     {ops, ofLists},
	"holds":   {holds, []string{"loop", "filter"}},
	"probe":   {probe, nil},
}

var ofLists = []string{"loop", "n", "sort", "filter"}

// policy lets the page load its own two files, ask the API, and nothing else.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// Handler returns a handler for the console and its API, below the path at which it is mounted, which must end in a
// slash. It may serve many requests at a time, on goroutines and in tasks. Requests over loopback must be for localhost
// or an address: see the package documentation.
func Handler() http.Handler { return http.HandlerFunc(serve) }

func serve(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		h.Set("Allow", "GET, HEAD")
		fail(w, http.StatusMethodNotAllowed, "the console only reads: GET and HEAD")
		return
	}
	if overLoopback(r) && !ofThisMachine(r.Host) {
		fail(w, http.StatusMisdirectedRequest, "the console is not known by this name: use its address, or localhost")
		return
	}
	dir, last := path.Split(r.URL.Path)
	if a, ok := answers[last]; ok && strings.HasSuffix(dir, "/api/") {
		serveAnswer(w, r, a)
		return
	}
	file, ok := files[last]
	if !ok || strings.HasSuffix(dir, "/api/") || belowAnswer(dir) {
		fail(w, http.StatusNotFound, "the console has no such page")
		return
	}
	text, err := pages.ReadFile(file.name)
	if err != nil {
		fail(w, http.StatusInternalServerError, err.Error())
		return
	}
	h.Set("Content-Type", file.kind)
	w.Write(text)
}

// belowAnswer reports whether a folder has the path of an answer, which has nothing below it.
func belowAnswer(dir string) bool {
	dir, name := path.Split(strings.TrimSuffix(dir, "/"))
	_, ok := answers[name]
	return ok && strings.HasSuffix(dir, "/api/")
}

// overLoopback reports whether the request came to a loopback address, which only this machine reaches.
func overLoopback(r *http.Request) bool {
	at, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	if !ok {
		return false
	}
	local, err := netip.ParseAddrPort(at.String())
	return err == nil && local.Addr().Unmap().IsLoopback()
}

// ofThisMachine reports whether host is an address, or a name that always stands for this machine. Another site could
// make its own name resolve to an address here, and a browser would then take that site's page for the console's own.
func ofThisMachine(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	if _, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil {
		return true
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	return host == "localhost" || strings.HasSuffix(host, ".localhost")
}

// serveAnswer answers a request of the page or of a program, but not one that another site makes a browser send.
func serveAnswer(w http.ResponseWriter, r *http.Request, a answer) {
	switch r.Header.Get("Sec-Fetch-Site") {
	case "", "none", "same-origin":
	default:
		fail(w, http.StatusForbidden, "asked by another site's page")
		return
	}
	q, err := parseQuery(r.URL.RawQuery, a.params)
	if err != nil {
		fail(w, http.StatusBadRequest, err.Error())
		return
	}
	text, code, err := asGoroutine(func() ([]byte, int, error) { return a.text(q) })
	if err != nil {
		fail(w, code, err.Error())
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Write(append(text, '\n'))
}

// text makes the answer to a request.
func (a *answer) text(q *query) (text []byte, code int, err error) {
	made, err := a.make(q)
	if err != nil {
		return nil, http.StatusBadRequest, err
	}
	if text, err = json.Marshal(made); err != nil {
		return nil, http.StatusInternalServerError, err
	}
	return text, http.StatusOK, nil
}

// asGoroutine runs f on an ordinary goroutine, while a task that calls it parks. In a task f would hold the loop: it
// may ask the kernel, or sort and write many rows.
func asGoroutine(f func() ([]byte, int, error)) (text []byte, code int, err error) {
	me, _ := loop.Current()
	if me == nil {
		return f()
	}
	me.Shield()
	defer me.Unshield()
	if failed := me.OffloadIn(lane.StandIns, func(context.Context) error {
		text, code, err = f()
		return nil
	}); failed != nil {
		return nil, http.StatusServiceUnavailable, failed
	}
	return text, code, err
}

// fail answers with an error, in JSON because clients of the API read nothing else.
func fail(w http.ResponseWriter, code int, text string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	json.NewEncoder(w).Encode(map[string]string{"error": text})
}
