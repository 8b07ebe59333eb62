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

// ofConnection are the fields that belong to one connection, so that a proxy must not pass them on: those of RFC 9110,
// section 7.6.1, and of older RFCs. The field Connection of a head may name more.
var ofConnection = []string{"Connection", "Proxy-Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization",
	"Te", "Trailer", "Transfer-Encoding", "Upgrade"}

// dropOfConnection deletes the fields of ofConnection, and those that the field Connection names.
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

// dropOfMessage deletes from trailers the fields that are about the connection, and Content-Length, which is about
// where the message ends.
func dropOfMessage(trailers http.Header) {
	dropOfConnection(trailers)
	delete(trailers, "Content-Length")
}

// isOfConnection reports whether a field, in any case, is one of ofConnection.
func isOfConnection(name string) bool {
	return slices.ContainsFunc(ofConnection, func(of string) bool { return isFold(name, of) })
}

// upgradeOf returns the protocols in the Upgrade field of a head, separated by commas: those that a request asks for,
// or that a 101 answer switches to. It returns "" unless the field Connection has the token upgrade.
func upgradeOf(h http.Header) string {
	if !sockhttp.HasToken(h["Connection"], "upgrade") {
		return ""
	}
	return strings.Join(h["Upgrade"], ", ")
}

// areAmong reports whether every protocol in some, a list separated by commas, is also in others. An empty element, so
// also an empty list, is in none.
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

// rewrite turns the client's request, in place, into the one for the upstream. Host, path and query stay as they came;
// fields of the connection are dropped, X-Forwarded-* are set, and the -set-header and -del-header rules applied. It
// returns the protocols that the client asks to upgrade to, "" if none.
func (w *web) rewrite(r *http.Request, t *trip) (upgrade string) {
	h := r.Header
	upgrade = upgradeOf(h)
	if strings.Contains(strings.ToLower(upgrade), "h2c") {
		upgrade = "" // or HTTP/2 requests would pass without the proxy seeing them
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

// claim sets X-Forwarded-For, -Host and -Proto. Without -trust it first deletes what the client says in these and
// similar fields, and sets Client-Cert if the client has shown a certificate. With -trust the client's address is
// appended to X-Forwarded-For, and the other fields stay if they are there. The peer of a Unix socket has no address to
// add.
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

// clientCert is the field for the client's certificate, clientCertChain the one for the rest of its chain: RFC 9440.
const (
	clientCert      = "Client-Cert"
	clientCertChain = "Client-Cert-Chain"
)

// isClaim reports whether the field called name says where a request came from. It takes _ for -, since some servers
// don't tell the two apart.
func isClaim(name string) bool {
	switch {
	case name == "":
		return false
	case name[0]|' ' == 'c': // many names do: a check that is cheap for them
		name = strings.ReplaceAll(name, "_", "-")
		return isFold(name, clientCert) || isFold(name, clientCertChain)
	case name[0]|' ' != 'x' && name[0]|' ' != 'f':
		return false
	}
	const many = "x-forwarded-"
	return len(name) >= len(many) && sameField(name[:len(many)], many) || sameField(name, "forwarded") ||
		sameField(name, "x-real-ip")
}

// pathOf returns a raw path with every byte escaped that has to be. If one were not, package net/url would not use the
// raw path but encode the decoded one anew, and that turns %2F into /.
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
