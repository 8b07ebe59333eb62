package proxy

import (
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"net/textproto"
	"slices"
	"strings"

	"ringo/sock/sockhttp"
)

// ofConnection are the fields that are a connection's and go no further, beside those that Connection names: RFC 9110,
// section 7.6.1, and what older ones had.
var ofConnection = []string{"Connection", "Proxy-Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization",
	"Te", "Trailer", "Transfer-Encoding", "Upgrade"}

// dropOfConnection deletes them.
func dropOfConnection(h http.Header) {
	for _, names := range h["Connection"] {
		for name := range strings.SplitSeq(names, ",") {
			if name = textproto.TrimString(name); name != "" && !isOfConnection(name) {
				h.Del(name)
			}
		}
	}
	for _, name := range ofConnection {
		delete(h, name)
	}
}

// dropOfMessage deletes, of trailers, what would say something of the connection or of where the message ends.
func dropOfMessage(trailers http.Header) {
	dropOfConnection(trailers)
	delete(trailers, "Content-Length")
}

// isOfConnection reports whether a field, in any case, is one of ofConnection.
func isOfConnection(name string) bool {
	return slices.ContainsFunc(ofConnection, func(of string) bool { return isFold(name, of) })
}

// upgradeOf is the protocol that a head asks for, or goes on with, or several; "": none.
func upgradeOf(h http.Header) string {
	if !sockhttp.HasToken(h["Connection"], "upgrade") {
		return ""
	}
	return strings.Join(h["Upgrade"], ", ")
}

// areAmong reports whether protocols, one at least, are among others.
func areAmong(some, others string) (all bool) {
	asked := slices.Collect(strings.SplitSeq(others, ","))
	for one := range strings.SplitSeq(some, ",") {
		is := func(of string) bool { return strings.EqualFold(textproto.TrimString(of), textproto.TrimString(one)) }
		if textproto.TrimString(one) == "" || !slices.ContainsFunc(asked, is) {
			return false
		}
	}
	return true
}

// rewrite makes the upstream's request of the client's, in its place: it has Host, path and query as they came, and
// says whose it is. It returns the protocols that the client asks for.
func (w *web) rewrite(r *http.Request, t *trip) (upgrade string) {
	h := r.Header
	upgrade = upgradeOf(h)
	if strings.Contains(strings.ToLower(upgrade), "h2c") {
		upgrade = "" // what is spoken then would be HTTP again, of which the proxy would see nothing
	}
	if t.old { // it has neither
		upgrade = ""
		delete(h, "Expect")
	}
	trailers := sockhttp.HasToken(h["Te"], "trailers")
	dropOfConnection(h)
	if trailers {
		h["Te"] = []string{"trailers"}
	}
	if upgrade != "" {
		h["Connection"], h["Upgrade"] = []string{"Upgrade"}, []string{upgrade}
	}
	w.claim(r, t)
	w.o.asked.apply(h)
	if _, ok := h["User-Agent"]; !ok {
		h["User-Agent"] = nil // else the transport names itself
	}
	r.URL.Scheme, r.URL.RawPath = "http", pathOf(r.URL.RawPath)
	r.Trailer, r.Close = nil, false // trailers do not go on, and a transport refuses names that are none
	return upgrade
}

// claim says where the request has come from, behind what a trusted client has said. A peer of a Unix socket has no
// address to add.
func (w *web) claim(r *http.Request, t *trip) {
	h := r.Header
	if !w.o.trust {
		for name := range h {
			if isClaim(name) {
				delete(h, name)
			}
		}
	}
	if ip, _, err := net.SplitHostPort(r.RemoteAddr); err == nil {
		if prior := h["X-Forwarded-For"]; len(prior) > 0 {
			ip = strings.Join(prior, ", ") + ", " + ip
		}
		h["X-Forwarded-For"] = t.claim(0, ip)
	}
	if len(h["X-Forwarded-Host"]) == 0 {
		h["X-Forwarded-Host"] = t.claim(1, r.Host)
	}
	if !w.o.trust && r.TLS != nil && len(r.TLS.PeerCertificates) > 0 {
		h[clientCert] = []string{":" + base64.StdEncoding.EncodeToString(r.TLS.PeerCertificates[0].Raw) + ":"}
	}
	if len(h["X-Forwarded-Proto"]) == 0 {
		proto := "http"
		if r.TLS != nil {
			proto = "https"
		}
		h["X-Forwarded-Proto"] = t.claim(2, proto)
	}
}

// clientCert has a client's certificate, and another field those that lead to a known one: RFC 9440.
const (
	clientCert      = "Client-Cert"
	clientCertChain = "Client-Cert-Chain"
)

// isClaim reports whether a field says where a request has come from, also to servers for which _ is as good as -.
func isClaim(name string) bool {
	switch {
	case name == "":
		return false
	case name[0]|' ' == 'c': // as most names do: no time for these
		name = strings.ReplaceAll(name, "_", "-")
		return isFold(name, clientCert) || isFold(name, clientCertChain)
	case name[0]|' ' != 'x' && name[0]|' ' != 'f':
		return false
	}
	const many = "x-forwarded-"
	return len(name) >= len(many) && sameField(name[:len(many)], many) || sameField(name, "forwarded") ||
		sameField(name, "x-real-ip")
}

// pathOf is a path in which all is escaped that must be. If something is not, package url writes it anew from what it
// means, and %2F as /.
func pathOf(raw string) string {
	var b []byte
	for _, c := range []byte(raw) {
		if c <= ' ' || c >= 0x7f || strings.IndexByte("\"#<>?\\^`{|}", c) >= 0 {
			b = fmt.Appendf(b, "%%%02X", c)
		} else {
			b = append(b, c)
		}
	}
	return string(b)
}
