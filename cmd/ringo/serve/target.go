package serve

import (
	"bytes"
	"net/url"
	"path"
	"strings"
)

// target is what a request asks for.
type target struct {
	raw   string // the path as it was sent, its escapes resolved
	query string
	path  string // cleaned, with a slash at its end if raw has one
}

// isPlain reports whether a request's target is a path that is what it says: nothing in it
// is escaped or to be cleaned.
func isPlain(p []byte) bool {
	if p[0] != '/' {
		return false
	}
	last := byte(0)
	for _, c := range p {
		if !plains[c] || last == '/' && (c == '/' || c == '.') {
			return false
		}
		last = c
	}
	return !bytes.HasSuffix(p, indexPage)
}

const indexName = "index.html"

var indexPage = []byte("/" + indexName)

// parseTarget reads any target.
func parseTarget(p []byte) (t target, ok bool) {
	u, err := url.ParseRequestURI(string(p))
	if err != nil {
		return t, false
	}
	t.raw, t.query = u.Path, u.RawQuery
	if !strings.HasPrefix(t.raw, "/") {
		t.raw = "/" + t.raw
	}
	t.path = path.Clean(t.raw)
	if t.slash() && t.path != "/" {
		t.path += "/"
	}
	return t, true
}

// slash reports whether the path is one of a directory.
func (t *target) slash() bool { return strings.HasSuffix(t.raw, "/") }

// name is the path in the words of package fs.
func (t *target) name() string {
	if name := strings.Trim(t.path, "/"); name != "" {
		return name
	}
	return "."
}

// redirect is where the client is to ask in place of the target, with the same query.
func (t *target) redirect(to string) string {
	return (&url.URL{Path: to, RawQuery: t.query}).String()
}
