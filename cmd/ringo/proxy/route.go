package proxy

import (
	"cmp"
	"fmt"
	"net/http"
	"path"
	"slices"
	"strings"
)

// A route says which connections or requests go to an upstream. An empty field matches all.
type route struct {
	sni  string // a name, or one with * as its first label, in lower case
	host string // as sni, for -http
	path string // for -http: matches itself and the paths below it
}

// words returns the route as -to writes it, after before; "" if it matches all.
func (w route) words(before string) string {
	var all []string
	for _, of := range [][2]string{{"sni", w.sni}, {"host", w.host}, {"path", w.path}} {
		if of[1] != "" {
			all = append(all, of[0]+"="+of[1])
		}
	}
	if len(all) == 0 {
		return ""
	}
	return before + strings.Join(all, "&")
}

// set sets an option of -to.
func (w *route) set(name, value string) error {
	switch {
	case name == "path" && !strings.HasPrefix(value, "/"):
		return fmt.Errorf("path %q: want one that begins with /", value)
	case name == "path" && path.Clean(value) != value:
		return fmt.Errorf("path %q: want %s", value, path.Clean(value))
	case name == "path":
		w.path = value
		return nil
	}
	lower := strings.ToLower(value)
	for label := range strings.SplitSeq(strings.TrimPrefix(lower, "*."), ".") {
		if label == "" || strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			return fmt.Errorf("%s %q: want a name without a port, such as shop.example or *.shop.example", name, value)
		}
	}
	if name == "sni" {
		w.sni = lower
	} else {
		w.host = lower
	}
	return nil
}

// name returns the server name of TLS, or the host, that the route is for.
func (w route) name() string { return cmp.Or(w.sni, w.host) }

// hasName reports whether the route matches a name; "" is a client that gave none.
func (w route) hasName(name string) bool {
	want := w.name()
	suffix, wild := strings.CutPrefix(want, "*")
	switch {
	case want == "":
		return true
	case !wild:
		return isFold(name, want)
	}
	label := len(name) - len(suffix)
	return label > 0 && strings.IndexByte(name, '.') == label && isFold(name[label:], suffix)
}

// isFold reports whether name equals ascii but for the case of letters. Other characters that fold to ASCII letters,
// such as the Kelvin sign, take more bytes, so the comparison of lengths excludes them.
func isFold(name, ascii string) bool {
	return len(name) == len(ascii) && strings.EqualFold(name, ascii)
}

// hasPath reports whether the route matches a path, which has to be clean.
func (w route) hasPath(path string) bool {
	below, ok := strings.CutPrefix(path, w.path)
	return ok && (below == "" || below[0] == '/' || w.path == "/" || w.path == "")
}

// specific compares two groups such that the one with the more specific route sorts first.
func specific(a, b *upstreams) int {
	wide := func(w route) int {
		switch name := w.name(); {
		case name == "":
			return 2
		case name[0] == '*':
			return 1
		}
		return 0
	}
	return cmp.Or(cmp.Compare(wide(a.route), wide(b.route)), cmp.Compare(len(b.path), len(a.path)))
}

// routes are all upstreams, in groups of equal routes.
type routes struct {
	all    []*upstream
	groups []*upstreams // the most specific first
	paths  bool         // at least one route has a path
}

func newRoutes(o *options, say func(format string, args ...any)) *routes {
	rs := new(routes)
	for i, to := range o.to {
		rs.paths = rs.paths || to.path != ""
		at := slices.IndexFunc(rs.groups, func(us *upstreams) bool { return us.route == to.route })
		if at < 0 {
			at = len(rs.groups)
			rs.groups = append(rs.groups, newUpstreams(o, to.route, say))
		}
		rs.all = append(rs.all, rs.groups[at].add(o, to, i))
	}
	slices.SortStableFunc(rs.groups, specific)
	return rs
}

// only returns the one group if all connections go to it, else nil: there are routes.
func (rs *routes) only() *upstreams {
	if len(rs.groups) == 1 && rs.groups[0].route == (route{}) {
		return rs.groups[0]
	}
	return nil
}

// ofName returns the group for a server name of TLS, nil if there is none.
func (rs *routes) ofName(name string) *upstreams {
	for _, us := range rs.groups {
		if us.hasName(name) {
			return us
		}
	}
	return nil
}

// ofRequest returns the group for a request, or the status to answer with: 421 if no group is for its host, as RFC
// 9110, section 15.5.20, says for a gateway that is not configured for an origin; 404 if the host has one but none for
// the path; 400 if there are paths and servers differ in what the request's means.
func (rs *routes) ofRequest(r *http.Request) (us *upstreams, status int) {
	if us := rs.only(); us != nil {
		return us, 0
	}
	host, at := hostname(r.Host), r.URL.Path
	if rs.paths {
		var ok bool
		if at, ok = routed(at); !ok || r.URL.Opaque != "" {
			return nil, http.StatusBadRequest
		}
	}
	status = http.StatusMisdirectedRequest
	for _, us := range rs.groups {
		if !us.hasName(host) {
			continue
		}
		if us.hasPath(at) {
			return us, 0
		}
		status = http.StatusNotFound
	}
	return nil, status
}

// hostname returns the host of a Host field without its port and without the dot at the end of an absolute name.
func hostname(host string) string {
	if i := strings.LastIndexByte(host, ':'); i > strings.LastIndexByte(host, ']') {
		host = host[:i]
	}
	return strings.TrimSuffix(host, ".")
}

// routed returns a path, decoded once, as every server reads it: some take several / for one. It is not ok if servers
// differ. A segment . or .. some resolve and others leave, and so with a parameter behind a ; and some take \ for /.
// This keeps a request from reaching an upstream under a path that the upstream reads as another route's.
func routed(decoded string) (clean string, ok bool) {
	if decoded == "" {
		return "/", true // sent as /
	}
	if !strings.Contains(decoded, "/.") && !strings.Contains(decoded, "//") && !strings.Contains(decoded, `\`) {
		return decoded, true
	}
	for segment := range strings.FieldsFuncSeq(decoded, func(r rune) bool { return r == '/' || r == '\\' }) {
		if name, _, _ := strings.Cut(segment, ";"); name == "." || name == ".." {
			return "", false
		}
	}
	for strings.Contains(decoded, "//") {
		decoded = strings.ReplaceAll(decoded, "//", "/")
	}
	return decoded, true
}

// out returns how many upstreams are out.
func (rs *routes) out() (n int) {
	for _, us := range rs.groups {
		n += us.out()
	}
	return n
}

// taken returns how many takes of upstreams were not left yet.
func (rs *routes) taken() (n int) {
	for _, us := range rs.groups {
		n += us.taken()
	}
	return n
}
