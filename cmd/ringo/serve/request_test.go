package serve

import (
	"bufio"
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"testing"
)

func TestParseRequest(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, text string
		status     int // 0: it is one
	}{
		{"plain", "GET / HTTP/1.1\r\nHost: h\r\n\r\n", 0},
		{"line feeds alone", "GET / HTTP/1.1\nHost: h\n\n", 0},
		{"behind an empty line", "\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n", 0},
		{"behind many", "\r\n\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n", 400},
		{"1.0 without a host", "GET / HTTP/1.0\r\n\r\n", 0},
		{"a method that nobody knows", "BREW /pot HTTP/1.1\r\nHost: h\r\n\r\n", 0},
		{"an empty host", "GET / HTTP/1.1\r\nHost:\r\n\r\n", 0},
		{"no host", "GET / HTTP/1.1\r\n\r\n", 400},
		{"two hosts", "GET / HTTP/1.1\r\nHost: h\r\nHost: h\r\n\r\n", 400},
		{"a bad host", "GET / HTTP/1.1\r\nHost: h/x\r\n\r\n", 400},
		{"no target", "GET HTTP/1.1\r\nHost: h\r\n\r\n", 400},
		{"no version", "GET /\r\nHost: h\r\n\r\n", 400},
		{"nothing", "\r\n\r\n\r\n\r\n", 400},
		{"two spaces", "GET  / HTTP/1.1\r\nHost: h\r\n\r\n", 400},
		{"a space at the end", "GET / HTTP/1.1 \r\nHost: h\r\n\r\n", 400},
		{"a control byte in the target", "GET /\x01 HTTP/1.1\r\nHost: h\r\n\r\n", 400},
		{"a bad method", "G(T / HTTP/1.1\r\nHost: h\r\n\r\n", 400},
		{"small letters", "GET / http/1.1\r\nHost: h\r\n\r\n", 400},
		{"HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505},
		{"HTTP/0.9", "GET / HTTP/0.9\r\n\r\n", 505},
		{"TLS", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\n", 400},
		{"a field without a colon", "GET / HTTP/1.1\r\nHost: h\r\nX\r\n\r\n", 400},
		{"a field without a name", "GET / HTTP/1.1\r\nHost: h\r\n: x\r\n\r\n", 400},
		{"a space behind a name", "GET / HTTP/1.1\r\nHost : h\r\n\r\n", 400},
		{"a folded field", "GET / HTTP/1.1\r\nHost: h\r\nX: a\r\n b\r\n\r\n", 400},
		{"a zero byte in a field", "GET / HTTP/1.1\r\nHost: h\r\nX: a\x00b\r\n\r\n", 400},
		{"a return in a field", "GET / HTTP/1.1\r\nHost: h\r\nX: a\rb\r\n\r\n", 400},
		{"a length", "GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n", 0},
		{"a length twice", "GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n", 0},
		{"two lengths", "GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n", 400},
		{"zero and a length", "GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\nContent-Length: 6\r\n\r\n", 400},
		{"a negative length", "GET / HTTP/1.1\r\nHost: h\r\nContent-Length: -1\r\n\r\n", 400},
		{"a length with a sign", "GET / HTTP/1.1\r\nHost: h\r\nContent-Length: +1\r\n\r\n", 400},
		{"no length in it", "GET / HTTP/1.1\r\nHost: h\r\nContent-Length:\r\n\r\n", 400},
		{"a length beyond numbers", "GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999999999999999\r\n\r\n", 400},
		{"chunks", "GET / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: Chunked\r\n\r\n", 0},
		{"another coding", "GET / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 501},
		{"a long target", "GET /" + strings.Repeat("x", targetMax) + " HTTP/1.1\r\nHost: h\r\n\r\n", 414},
		{"a long target without an end", "GET /" + strings.Repeat("x", targetMax+100), 414},
		{"a long field", "GET / HTTP/1.1\r\nHost: h\r\nX: " + strings.Repeat("x", headMax) + "\r\n\r\n", 431},
		{"a long field without an end", "GET / HTTP/1.1\r\nHost: h\r\nX: " + strings.Repeat("x", headMax), 431},
		{"many fields", "GET / HTTP/1.1\r\nHost: h\r\n" + strings.Repeat("X: y\r\n", fieldsMax) + "\r\n", 431},
		{"as many as may be", "GET / HTTP/1.1\r\nHost: h\r\n" + strings.Repeat("X: y\r\n", fieldsMax-1) + "\r\n", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var r request
			n, bad := r.parse([]byte(c.text))
			switch {
			case c.status != 0 && (bad == nil || bad.status != c.status || n != 0):
				t.Errorf("%d, %v, want %d", n, bad, c.status)
			case c.status == 0 && (bad != nil || n != len(c.text)):
				t.Errorf("%d, %v, want all %d bytes", n, bad, len(c.text))
			}
		})
	}
}

// What a request asks of its connection and of the answer is read, whatever the case of the
// names, and of a field that comes twice the first counts.
func TestParseFields(t *testing.T) {
	t.Parallel()
	var r request
	text := "HEAD /x?y HTTP/1.0\r\nhOST:  a.b:1\t\r\nCONNECTION: Upgrade , Keep-Alive\r\nconnection: x\r\n" +
		"range: bytes=0-1\r\nRange: bytes=5-6\r\nIF-RANGE: \"a\"\r\nif-match: *\r\nIf-None-Match:\r\nIf-None-Match: " +
		"*\r\n" +
		"If-Modified-Since: m\r\nIf-Unmodified-Since: u\r\nExpect: 100-continue\r\nContent-Length: 00012\r\n\r\nrest"
	n, bad := r.parse([]byte(text))
	if bad != nil || text[n:] != "rest" {
		t.Fatalf("%d, %v", n, bad)
	}
	got := fmt.Sprintf("%s %s %d %s %v %v %v %v %d %s %s %s %q %s %s", r.method, r.target, r.minor, r.host, r.closes,
		r.keepAlive, r.chunked, r.expects, r.length, r.ranges, r.ifRange, r.ifMatch, r.ifNoneMatch,
		r.ifModified, r.ifUnmodified)
	want := `HEAD /x?y 0 a.b:1 false true false true 12 bytes=0-1 "a" * "" m u`
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// FuzzRequest: what is taken for a request, package net/http takes for the same one, and it
// is one from its last byte on and not before.
func FuzzRequest(f *testing.F) {
	for _, text := range []string{
		"GET / HTTP/1.1\r\nHost: h\r\n\r\n",
		"GET /a%20b?c HTTP/1.0\r\nConnection: keep-alive\r\nRange: bytes=1-2\r\n\r\nGET",
		"\r\nHEAD http://h/x HTTP/1.1\nHost:\nIf-None-Match: \"x\"\n\n",
		"POST * HTTP/1.1\r\nHost: [::1]:80\r\nContent-Length: 3\r\n\r\nabc",
		"GET / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	} {
		f.Add([]byte(text), uint16(7))
	}
	f.Fuzz(func(t *testing.T, p []byte, cut uint16) {
		var r, part request
		n, bad := r.parse(p)
		if n < 0 || n > len(p) || n > headMax || n > 0 && bad != nil {
			t.Fatalf("%d of %d bytes, %v", n, len(p), bad)
		}
		if len(p) >= headMax && n == 0 && bad == nil {
			t.Fatalf("%d bytes are still not enough", len(p))
		}
		at := int(cut) % (len(p) + 1)
		switch m, worse := part.parse(p[:at]); {
		case m > 0 && m != n:
			t.Fatalf("a request of %d bytes by its first %d, of %d by %d", m, at, n, len(p))
		case n > 0 && worse != nil:
			t.Fatalf("the first %d bytes of a request of %d are refused: %v", at, n, worse)
		}
		if n == 0 {
			return
		}
		if m, worse := part.parse(p[:n]); m != n || worse != nil {
			t.Fatalf("%d bytes, of themselves %d, %v", n, m, worse)
		}
		parseTarget(r.target)
		agree(t, &r, p[:n])
	})
}

func agree(t *testing.T, r *request, p []byte) {
	q, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(bytes.TrimLeft(p, "\r\n"))))
	if err != nil {
		if _, ok := parseTarget(r.target); ok && string(r.method) != "CONNECT" {
			t.Fatalf("net/http refuses it: %v", err)
		}
		return
	}
	for name, value := range map[string][]byte{"Range": r.ranges, "If-Range": r.ifRange, "If-Match": r.ifMatch,
		"If-None-Match":     r.ifNoneMatch,
		"If-Modified-Since": r.ifModified, "If-Unmodified-Since": r.ifUnmodified} {
		if q.Header.Get(name) != string(value) {
			t.Errorf("%s: %q, net/http has %q", name, value, q.Header.Get(name))
		}
	}
	if q.Method != string(r.method) || q.RequestURI != string(r.target) || q.ProtoMinor != r.minor {
		t.Errorf("%s %q 1.%d, net/http has %s %q 1.%d", r.method, r.target, r.minor, q.Method,
			q.RequestURI, q.ProtoMinor)
	}
	if !r.chunked && q.ContentLength != r.length {
		t.Errorf("length %d, net/http has %d", r.length, q.ContentLength)
	}
	if q.Close && !r.closes {
		t.Error("net/http closes the connection")
	}
}

// TestTargets: which file a target means, and that no target leads out of the directory.
func TestTargets(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		target, path, name string
		plain              bool
	}{
		{"/", "/", ".", true},
		{"/a", "/a", "a", true},
		{"/a/", "/a/", "a", true},
		{"/a/b.txt", "/a/b.txt", "a/b.txt", true},
		{"/a//b", "/a/b", "a/b", false},
		{"/a/./b", "/a/b", "a/b", false},
		{"/.a", "/.a", ".a", false},
		{"/../../etc/passwd", "/etc/passwd", "etc/passwd", false},
		{"/%2e%2e/%2e%2e/x", "/x", "x", false},
		{"/a%2f..%2f..%2fx", "/x", "x", false},
		{"/a/..", "/", ".", false},
		{"/a/../", "/", ".", false},
		{"/a%20b?q=../x", "/a b", "a b", false},
		{"http://h/x/../y", "/y", "y", false},
		{"http://h", "/", ".", false},
		{"/index.html", "/index.html", "index.html", false},
		{"*", "/*", "*", false},
	} {
		got, ok := parseTarget([]byte(c.target))
		if plain := isPlain([]byte(c.target)); !ok || got.path != c.path || got.name() != c.name || plain != c.plain {
			t.Errorf("%s: %q, %q, plain %v, %v; want %q, %q, %v", c.target, got.path, got.name(), plain, ok,
				c.path, c.name, c.plain)
		}
	}
	for _, bad := range []string{"x", "/%zz", "http://[::1/x"} {
		if got, ok := parseTarget([]byte(bad)); ok {
			t.Errorf("%s: %v", bad, got)
		}
	}
}
