//go:build linux

package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"ringo/internal/test/patience"
)

// recorder is a backend that takes requests as they should be, and keeps each byte that came.
type recorder struct {
	mu    sync.Mutex
	conns []*recorded // in the order of their beginnings
}

// recorded is what has come by a connection since it was taken last.
type recorded struct {
	got  bytes.Buffer
	seen int // requests
	over bool
}

func (rec *recorder) serve(c net.Conn) {
	of := new(recorded)
	rec.locked(func() { rec.conns = append(rec.conns, of) })
	defer rec.locked(func() { of.over = true })
	r := bufio.NewReader(io.TeeReader(c, writerFunc(func(p []byte) {
		rec.locked(func() { of.got.Write(p) })
	})))
	for {
		q, err := http.ReadRequest(r)
		if err != nil {
			return
		}
		rec.locked(func() { of.seen++ })
		if _, err := io.Copy(io.Discard, q.Body); err != nil {
			return
		}
		io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
	}
}

func (rec *recorder) locked(f func()) {
	rec.mu.Lock()
	defer rec.mu.Unlock()
	f()
}

type writerFunc func(p []byte)

func (f writerFunc) Write(p []byte) (int, error) {
	f(p)
	return len(p), nil
}

// take gives what has come since the last call, in front of a request of its own that has been answered. A connection
// of which that request made no use is broken, and is read to its end first.
func (rec *recorder) take(t *testing.T, own string) (text string, requests int) {
	t.Helper()
	patience.Until(t, "the ends of the connections that are not used any more", func() bool {
		live := 0
		rec.locked(func() {
			for _, of := range rec.conns {
				if !of.over {
					live++
				}
			}
		})
		return live <= 1
	})
	rec.locked(func() {
		for _, of := range rec.conns {
			before, _, isOwn := strings.Cut(of.got.String(), own)
			text += before
			requests += of.seen
			if isOwn {
				requests--
			}
			of.got.Reset()
			of.seen = 0
		}
		rec.conns = slices.DeleteFunc(rec.conns, func(of *recorded) bool { return of.over })
	})
	return text, requests
}

// ambiguous says what of a request's bytes servers may read in different ways; "": nothing.
func ambiguous(text string) string {
	head, body, ok := strings.Cut(text, "\r\n\r\n")
	if !ok {
		return "no end of the head"
	}
	lengths, codings, length := 0, 0, 0
	for i, line := range strings.Split(head, "\r\n") {
		name, value, _ := strings.Cut(line, ":")
		switch {
		case strings.ContainsAny(line, "\r\n\x00"):
			return "a control character in a line"
		case i > 0 && (line == "" || line[0] == ' ' || line[0] == '\t' || strings.ContainsAny(name, " \t")):
			return "a folded line, or a blank in a name"
		case strings.EqualFold(name, "Content-Length"):
			lengths++
			var err error
			length, err = strconv.Atoi(strings.TrimPrefix(value, " "))
			if err != nil || strings.ContainsAny(value, "+-") {
				return "a length of " + value
			}
		case strings.EqualFold(name, "Upgrade"):
			return "an upgrade to" + value
		case strings.EqualFold(name, "Transfer-Encoding"):
			codings++
			if value != " chunked" {
				return "a coding of " + value
			}
		}
	}
	switch {
	case lengths+codings > 1:
		return fmt.Sprintf("%d lengths and %d codings", lengths, codings)
	case codings == 1:
		return ambiguousChunks(body)
	case len(body) > length:
		return "more than the request"
	}
	return ""
}

// ambiguousChunks is ambiguous for a body of chunks, which may be cut short.
func ambiguousChunks(body string) string {
	for body != "" {
		size, rest, _ := strings.Cut(body, "\r\n")
		n, err := strconv.ParseUint(size, 16, 31)
		switch {
		case err != nil || strings.Trim(size, "0123456789abcdef") != "":
			return "a chunk's size of " + size
		case n == 0 && rest != "\r\n":
			return "something behind the last chunk"
		case n == 0 || len(rest) <= int(n):
			return ""
		case !strings.HasPrefix(rest[n:], "\r\n"):
			return "a chunk without an end"
		}
		body = rest[n+2:]
	}
	return ""
}

// TestAmbiguous: what the next test looks for would be found.
func TestAmbiguous(t *testing.T) {
	const get = "GET / HTTP/1.1\r\n"
	for _, text := range []string{get, get + "A: 1\nB: 2\r\n\r\n", get + "A: 1\r\n B: 2\r\n\r\n",
		get + "A : 1\r\n\r\n",
		get + "Content-Length: 1\r\ncontent-length: 1\r\n\r\nx", get + "Content-Length: +1\r\n\r\nx",
		get + "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", get + "Transfer-Encoding: x\r\n\r\n",
		get + "\r\nx", get + "Content-Length: 1\r\n\r\nxx", get + "Upgrade: h2c\r\n\r\n",
		get + "Transfer-Encoding: chunked\r\n\r\n1;a\r\nx\r\n0\r\n\r\n",
		get + "Transfer-Encoding: chunked\r\n\r\n1\r\nxyz\r\n0\r\n\r\n",
		get + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + get} {
		if ambiguous(text) == "" {
			t.Errorf("nothing is found in %q", text)
		}
	}
	for _, text := range []string{get + "\r\n", get + "Content-Length: 1\r\n\r\nx",
		get + "Transfer-Encoding: chunked\r\n\r\na\r\n0123456789\r\n0\r\n\r\n"} {
		if why := ambiguous(text); why != "" {
			t.Errorf("%s is found in %q", why, text)
		}
	}
}

// TestProxySmuggling: where servers read a request in different ways, the upstream gets none of it, or one that there
// is only one way to read; and never two for one.
func TestProxySmuggling(t *testing.T) {
	const post = "POST / HTTP/1.1\r\nHost: h\r\n"
	hidden := "GET /hidden HTTP/1.1\r\nHost: h\r\n\r\n"
	chunked := "Transfer-Encoding: chunked\r\n"
	length := fmt.Sprintf("Content-Length: %d\r\n", len("0\r\n\r\n"+hidden))
	attempts := []attempt{
		{"CL and TE", post + length + chunked + "\r\n0\r\n\r\n" + hidden},
		{"TE and CL", post + chunked + "Content-Length: 4\r\n\r\n5c\r\n" + hidden + "\r\n0\r\n\r\n"},
		{"two CLs", post + "Content-Length: 0\r\n" + length + "\r\n0\r\n\r\n" + hidden},
		{"CL list", post + "Content-Length: 0, 5\r\n\r\n" + hidden},
		{"CL with a sign", post + "Content-Length: +5\r\n\r\n12345" + hidden},
		{"CL with a blank", post + "Content-Length : 5\r\n\r\n12345" + hidden},
		{"CL in hex", post + "Content-Length: 0x5\r\n\r\n12345" + hidden},
		{"CL too large", post + "Content-Length: 18446744073709551621\r\n\r\n12345" + hidden},
		{"CL twice the same", post + "Content-Length: 5\r\nContent-Length: 5\r\n\r\n12345"},
		{"two TEs", post + chunked + "Transfer-Encoding: identity\r\n\r\n0\r\n\r\n" + hidden},
		{"TE list", post + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n" + hidden},
		{"TE xchunked", post + length + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" + hidden},
		{"TE with a blank before the colon", post + length + "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n" + hidden},
		{"TE with a tab", post + length + "Transfer-Encoding:\tchunked\r\n\r\n0\r\n\r\n" + hidden},
		{"TE with a vertical tab", post + length + "Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n" + hidden},
		{"TE in capitals", post + length + "Transfer-Encoding: CHUNKED\r\n\r\n0\r\n\r\n" + hidden},
		{"TE folded", post + length + "Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n" + hidden},
		{"TE behind a fold", post + length + "X: y\r\n Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + hidden},
		{"TE behind a LF", post + length + "X: y\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + hidden},
		{"TE behind a CR", post + length + "X: y\rTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + hidden},
		{"TE in quotes", post + length + "Transfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n" + hidden},
		{"TE in 1.0", "POST / HTTP/1.0\r\nHost: h\r\n" + length + chunked + "\r\n0\r\n\r\n" + hidden},
		{"TE made hop by hop", post + "Connection: Transfer-Encoding\r\n" + chunked + "\r\n0\r\n\r\n"},
		{"CL made hop by hop", post + "Connection: Content-Length\r\nContent-Length: 5\r\n\r\n12345"},
		{"LF alone", "POST / HTTP/1.1\nHost: h\nContent-Length: 5\n\n12345"},
		{"folded", "GET / HTTP/1.1\r\nHost: h\r\nX-A: 1\r\n 2\r\n\r\n"},
		{"NUL", "GET / HTTP/1.1\r\nHost: h\r\nX-A: 1\x002\r\n\r\n"},
		{"blank line first", "GET / HTTP/1.1\r\n Host: h\r\n\r\n"},
		{"no colon", "GET / HTTP/1.1\r\nHost: h\r\nX-A\r\n\r\n"},
		{"two hosts", "GET / HTTP/1.1\r\nHost: h\r\nHost: i\r\n\r\n"},
		{"blank in the target", "GET / HTTP/1.1\r\nX: y HTTP/1.1\r\nHost: h\r\n\r\n"},
		{"extension", post + chunked + "\r\n5;a=b\r\n12345\r\n0;c\r\n\r\n"},
		{"extension with LF", post + chunked + "\r\n5;a\nb\r\n12345\r\n0\r\n\r\n" + hidden},
		{"extension with CR", post + chunked + "\r\n5;a\rb\r\n12345\r\n0\r\n\r\n" + hidden},
		{"chunk with LF", post + chunked + "\r\n5\n12345\n0\n\n"},
		{"chunk in 0x", post + chunked + "\r\n0x5\r\n12345\r\n0\r\n\r\n"},
		{"chunk with a sign", post + chunked + "\r\n+5\r\n12345\r\n0\r\n\r\n"},
		{"chunk too long", post + chunked + "\r\n5\r\n1234567\r\n0\r\n\r\n" + hidden},
		{"chunk of 2^64+5", post + chunked + "\r\n10000000000000005\r\n12345\r\n0\r\n\r\n" + hidden},
		{"trailer of a length", post + chunked + "\r\n0\r\nContent-Length: 5\r\n\r\n"},
		{"GET with a body", "GET / HTTP/1.1\r\nHost: h\r\n" + length + "\r\n0\r\n\r\n" + hidden},
		{"upgrade to h2c", "GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n" +
			"HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n\r\n"},
	}
	eachDriver(t, func(t *testing.T, driver string) {
		for _, route := range []string{"", "?path=/"} {
			smuggle(t, attempts, route, "-http", "-driver", driver, "-loops", "1")
		}
	})
}

// An attempt is a request that servers read in different ways.
type attempt struct{ name, text string }

// smuggle makes attempts at a proxy before a recorder.
func smuggle(t *testing.T, attempts []attempt, route string, args ...string) {
	t.Helper()
	rec := new(recorder)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	backend(t, ln, rec.serve)
	p, addr := startProxyTo(t, ln.Addr().String()+route, args...)
	passed := 0
	for _, a := range attempts {
		c := dial(t, addr)
		io.WriteString(c, a.text)
		var first bytes.Buffer // a client that ends before its answer has gone, and its request may not go on
		_, _, err := readAnswer(bufio.NewReader(io.TeeReader(c, &first)), "POST")
		if errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%s: no answer", a.name)
		}
		c.CloseWrite()
		rest, _ := io.ReadAll(c)
		all := append(first.Bytes(), rest...)
		c.Close()
		// What the upstream has got of it is in front of this, or came by a connection that is over.
		if answer, body := get(t, addr, "/marker"); answer.StatusCode != 200 || body != "ok" {
			t.Fatalf("%s: the next client gets %s %q", a.name, answer.Status, body)
		}
		mine, requests := rec.take(t, "GET /marker ")
		if answers := bytes.Count(all, []byte("HTTP/1.1 ")); requests > 1 || answers > 1 {
			t.Errorf("%s: %d requests went on, and %d answers came\n%q\n%q", a.name, requests, answers, mine, all)
		}
		if bytes.HasPrefix(all, []byte("HTTP/1.1 502 ")) {
			t.Errorf("%s: is the fault of an upstream:\n%q", a.name, all)
		}
		if mine == "" {
			continue
		}
		passed++
		if why := ambiguous(mine); why != "" {
			t.Errorf("%s: %s went on:\n%q", a.name, why, mine)
		}
	}
	if passed == 0 || passed == len(attempts) {
		t.Errorf("%d of %d went on", passed, len(attempts))
	}
	p.finish()
}
