package sockhttp_test

import (
	"bufio"
	"crypto/sha256"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"ringo/internal/test/testmain"
)

// witness answers with all that a handler sees of a request.
func witness(w http.ResponseWriter, r *http.Request) {
	var body []byte
	var err error
	if r.URL.Path != "/unread" {
		body, err = io.ReadAll(r.Body)
	}
	w.Header().Set("X-Seen", "yes")
	fmt.Fprintf(w, "%s %q %s host %q url %q %q %q raw %q force %v close %v length %d coding %q\n", r.Method,
		r.RequestURI, r.Proto, r.Host, r.URL.Host, r.URL.Path, r.URL.RawQuery, r.URL.RawPath, r.URL.ForceQuery, r.Close,
		r.ContentLength, r.TransferEncoding)
	show(w, "field", r.Header)
	show(w, "trailer", r.Trailer)
	fmt.Fprintf(w, "body %d %x %v\n", len(body), sha256.Sum256(body), err != nil)
}

func show(w io.Writer, what string, h http.Header) {
	keys := make([]string, 0, len(h))
	for key := range h {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	for _, key := range keys {
		values := fmt.Sprintf("%q", h[key])
		if len(values) > 300 { // so that no answer comes in chunks, which may be cut as one likes
			values = fmt.Sprintf("%d %x", len(values), sha256.Sum256([]byte(values)))
		}
		fmt.Fprintf(w, "%s %s: %s\n", what, key, values)
	}
}

// control serves h by net/http.
func control(t testing.TB, h http.Handler) string {
	t.Helper()
	return controlBy(t, h, nil)
}

func controlBy(t testing.TB, h http.Handler, protocols *http.Protocols) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: h, ErrorLog: log.New(io.Discard, "", 0), Protocols: protocols}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		s.Serve(ln)
	}()
	t.Cleanup(func() {
		s.Close()
		<-ended
	})
	return ln.Addr().String()
}

var dateField = regexp.MustCompile(`Date: [^\r]*\r\n`)

// undated takes out what differs between two answers of one server.
func undated(s string) string { return dateField.ReplaceAllString(s, "Date: -\r\n") }

// statuses are those of the answers in what a peer got.
func statuses(got string) (all []int) {
	r := bufio.NewReader(strings.NewReader(got))
	for {
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			return all
		}
		io.Copy(io.Discard, resp.Body)
		all = append(all, resp.StatusCode)
	}
}

// next is a request that shows that the connection goes on.
const next = "GET /next HTTP/1.1\r\nHost: b\r\n\r\n"

// A vector is a request of which servers differ in what they make, and what this one makes of it: the status, and
// whether the connection goes on. net is 0 where it is as net/http has it.
type vector struct {
	name, request string
	status        int
	goesOn        bool
	stricter      bool // than net/http
}

func get(fields string) string { return "GET / HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n" }

var vectors = []vector{
	{"plain", get(""), 200, true, false},
	{"length and chunked", post("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), 400, false, true},
	{"chunked and length", post("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", "0\r\n\r\n"), 400, false, true},
	{"length twice", post("Content-Length: 5\r\nContent-Length: 5\r\n", "abcde"), 200, true, false},
	{"lengths differ", post("Content-Length: 5\r\nContent-Length: 6\r\n", "abcdef"), 400, false, false},
	{"list of lengths", post("Content-Length: 5, 5\r\n", "abcde"), 400, false, false},
	{"length +5", post("Content-Length: +5\r\n", "abcde"), 400, false, false},
	{"length -1", post("Content-Length: -1\r\n", ""), 400, false, false},
	{"length 0x5", post("Content-Length: 0x5\r\n", "abcde"), 400, false, false},
	{"length 1_0", post("Content-Length: 1_0\r\n", "abcdeabcde"), 400, false, false},
	{"no length", post("Content-Length: \r\n", ""), 400, false, false},
	{"length 2^63", post("Content-Length: 9223372036854775808\r\n", ""), 400, false, false},
	{"length 2^64+5", post("Content-Length: 18446744073709551621\r\n", "abcde"), 400, false, false},
	{"length 5 a", post("Content-Length: 5 a\r\n", "abcde"), 400, false, false},
	{"length VT5", post("Content-Length: \v5\r\n", "abcde"), 400, false, false},
	{"length 005", post("Content-Length: 005\r\n", "abcde"), 200, true, false},
	{"xchunked", post("Transfer-Encoding: xchunked\r\n", "0\r\n\r\n"), 501, false, false},
	{"gzip, chunked", post("Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n"), 501, false, false},
	{"chunked, identity", post("Transfer-Encoding: chunked, identity\r\n", "0\r\n\r\n"), 501, false, false},
	{"identity and length", post("Transfer-Encoding: identity\r\nContent-Length: 5\r\n", "abcde"), 400, false, true},
	{"chunked twice",
		post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), 501, false, false},
	{"quoted chunked", post("Transfer-Encoding: \"chunked\"\r\n", "0\r\n\r\n"), 501, false, false},
	{"chunked TAB", post("Transfer-Encoding: chunked\t\r\n", "5\r\nabcde\r\n0\r\n\r\n"), 200, true, false},
	{"Chunked", post("Transfer-Encoding: Chunked\r\n", "5\r\nabcde\r\n0\r\n\r\n"), 200, true, false},
	{"no coding", post("Transfer-Encoding: \r\n", "0\r\n\r\n"), 501, false, false},
	{"chunked in 1.0", old("Connection: keep-alive\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), 400, false, true},
	{"chunked and length in 1.0",
		old("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", "abcde"), 400, false, true},
	{"blank before colon", get("X : 1\r\n"), 400, false, false},
	{"coding, blank before colon", post("Transfer-Encoding : chunked\r\n", "0\r\n\r\n"), 400, false, false},
	{"fold", get("X: 1\r\n 2\r\n"), 200, true, false},
	{"folds of many lines", get("X: 1\r\n" + strings.Repeat(" y\r\n\tz \r\n", 5000) + "Y: 2\r\n"), 200, true, false},
	{"folds of blanks", get("X:\r\n \r\n\t \r\n 1\r\n \r\nY: 2 \r\n \t\r\n"), 200, true, false},
	{"folds of each field", get(strings.Repeat("X: y\r\n z\r\n", 1000)), 200, true, false},
	{"NUL in a fold", get("X: 1\r\n 2\r\n \x00\r\n"), 400, false, false},
	{"fold in the first field", "GET / HTTP/1.1\r\n Host: a\r\n\r\n", 400, false, false},
	{"fold of coding", post("Transfer-Encoding:\r\n chunked\r\n", "0\r\n\r\n"), 400, false, true},
	{"fold of length", post("Content-Length:\r\n 5\r\n", "abcde"), 400, false, true},
	{"CR in value", get("X: a\rb\r\n"), 400, false, false},
	{"CR for a line end", "GET / HTTP/1.1\rHost: a\r\n\r\n", 400, false, false},
	{"CR CR LF", get("X: a\r\r\n"), 400, false, false},
	{"LF for line ends", "GET / HTTP/1.1\nHost: a\nX: 1\n\n", 200, true, false},
	{"NUL in value", get("X: a\x00b\r\n"), 400, false, false},
	{"0x01 in value", get("X: a\x01b\r\n"), 400, false, false},
	{"0xFF in value", get("X: a\xffb\r\n"), 200, true, false},
	{"NUL in name", get("X\x00: 1\r\n"), 400, false, false},
	{"no name", get(": 1\r\n"), 400, false, false},
	{"no colon", get("X\r\n"), 400, false, false},
	{"no host", "GET / HTTP/1.1\r\n\r\n", 400, false, false},
	{"hosts differ", get("Host: b\r\n"), 400, false, false},
	{"host twice", get("Host: a\r\n"), 400, false, false},
	{"host empty", "GET / HTTP/1.1\r\nHost: \r\n\r\n", 200, true, false},
	{"host a b", "GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400, false, false},
	{"host a/b", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400, false, false},
	{"host u@b", "GET / HTTP/1.1\r\nHost: u@b\r\n\r\n", 400, false, false},
	{"host a,b", "GET / HTTP/1.1\r\nHost: a,b\r\n\r\n", 200, true, false},
	{"absolute form", "GET http://c/x?y HTTP/1.1\r\nHost: a\r\n\r\n", 200, true, false},
	{`absolute form of a".b`, "GET http://a\".b/ HTTP/1.1\r\nHost: a\r\n\r\n", 400, false, true},
	{"absolute form of a%ff", "GET http://a%ff/ HTTP/1.1\r\nHost: a\r\n\r\n", 400, false, true},
	{"absolute form of a port", "GET http://u:p@c:80/x HTTP/1.1\r\nHost: a\r\n\r\n", 200, true, false},
	{"absolute form of [::1%25x]", "GET http://[::1%25x]:80/ HTTP/1.1\r\nHost: a\r\n\r\n", 200, true, false},
	{"authority", "GET a:80 HTTP/1.1\r\nHost: a\r\n\r\n", 400, false, true},
	{"CONNECT", "CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n", 200, true, false},
	{"star", "GET * HTTP/1.1\r\nHost: a\r\n\r\n", 200, true, false},
	{"OPTIONS star", "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", 200, true, false},
	{"HTTP/1.2", "GET / HTTP/1.2\r\nHost: a\r\n\r\n", 200, true, false},
	{"HTTP/1.10", "GET / HTTP/1.10\r\nHost: a\r\n\r\n", 400, false, false},
	{"HTTP/0.9", "GET /\r\n\r\n", 400, false, false},
	{"HTTP/2.0", "GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505, false, false},
	{"http/1.1", "GET / http/1.1\r\nHost: a\r\n\r\n", 400, false, false},
	{"two blanks", "GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400, false, false},
	{"tabs", "GET\t/\tHTTP/1.1\r\nHost: a\r\n\r\n", 400, false, false},
	{"blank behind the version", "GET / HTTP/1.1 \r\nHost: a\r\n\r\n", 400, false, false},
	{"target foo", "GET foo HTTP/1.1\r\nHost: a\r\n\r\n", 400, false, false},
	{"target %zz", "GET /%zz HTTP/1.1\r\nHost: a\r\n\r\n", 400, false, false},
	{"target #x", "GET /#x HTTP/1.1\r\nHost: a\r\n\r\n", 200, true, false},
	{"target 0xFF", "GET /\xff HTTP/1.1\r\nHost: a\r\n\r\n", 200, true, false},
	{"method get", "get / HTTP/1.1\r\nHost: a\r\n\r\n", 200, true, false},
	{"method with (", "G(T / HTTP/1.1\r\nHost: a\r\n\r\n", 400, false, false},
	{"line end first", "\r\n" + get(""), 400, false, false},
	{"GET with a body", "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nabcde", 200, true, false},
	{"Content_Length", post("Content_Length: 5\r\n", ""), 200, true, false},
	{"chunk size 0x5", chunked("0x5\r\nabcde\r\n0\r\n\r\n"), 200, false, false},
	{"chunk size +5", chunked("+5\r\nabcde\r\n0\r\n\r\n"), 200, false, false},
	{"chunk size ' 5'", chunked(" 5\r\nabcde\r\n0\r\n\r\n"), 200, false, false},
	{"chunk size '5 '", chunked("5 \r\nabcde\r\n0\r\n\r\n"), 200, true, false},
	{"no chunk size", chunked("\r\nabcde\r\n0\r\n\r\n"), 200, false, false},
	{"chunk size 2^64+5", chunked("10000000000000005\r\nabcde\r\n0\r\n\r\n"), 200, false, false},
	{"chunk size of 16 digits", chunked("0000000000000005\r\nabcde\r\n0\r\n\r\n"), 200, true, false},
	{"chunk of more", chunked("5\r\nabcdef\r\n0\r\n\r\n"), 200, false, false},
	{"chunk ends in CR X", chunked("5\r\nabcde\rX0\r\n\r\n"), 200, false, false},
	{"chunk ends in LF", chunked("5\r\nabcde\n0\r\n\r\n"), 200, false, false},
	{"chunk size ends in LF", chunked("5\nabcde\r\n0\r\n\r\n"), 200, false, false},
	{"last chunk 000", chunked("5\r\nabcde\r\n000\r\n\r\n"), 200, true, false},
	{"last chunk ends in LF", chunked("5\r\nabcde\r\n0\n\n"), 200, false, false},
	{"chunk extension", chunked("5;a=b;c;d=\"e;\\\"f\"\r\nabcde\r\n0;x\r\n\r\n"), 200, true, false},
	{"chunk extension that is none", chunked("5;a=(\r\nabcde\r\n0\r\n\r\n"), 200, false, true},
	{"chunk extension ends in LF", chunked("5;a\nabcde\r\n0\r\n\r\n"), 200, false, false},
	{"trailer", chunkedWith("Trailer: X\r\n", "5\r\nabcde\r\n0\r\nX: 1\r\nY: 2\r\n\r\n"), 200, true, false},
	{"trailer without a name", chunked("5\r\nabcde\r\n0\r\n: 1\r\n\r\n"), 200, false, false},
	{"trailer ends in LF", chunked("5\r\nabcde\r\n0\r\nX: 1\n\n"), 200, false, true},
	{"trailer Content-Length", chunked("5\r\nabcde\r\n0\r\nContent-Length: 7\r\n\r\n"), 200, false, true},
	{"announced trailer Content-Length", chunkedWith("Trailer: Content-Length\r\n", "0\r\n\r\n"), 400, false, false},
	{"Expect x", get("Expect: x\r\n"), 417, false, false},
	{"Expect, no body", get("Expect: 100-continue\r\n"), 200, true, false},
	{"Expect, empty body", post("Expect: 100-continue\r\nContent-Length: 0\r\n", ""), 200, true, false},
	{"Expect in 1.0", old("Connection: keep-alive\r\nExpect: 100-continue\r\nContent-Length: 5\r\n", "abcde"),
		200, true, false},
	{"Expect in 1.0, not read", strings.Replace(old("Connection: keep-alive\r\nExpect: 100-continue\r\n"+
		"Content-Length: 5\r\n", "abcde"), "/", "/unread", 1), 200, true, false},
	{"close", get("Connection: close\r\n"), 200, false, false},
	{"close in a list", get("Connection: x, Close\r\n"), 200, false, false},
	{"1.0", "GET / HTTP/1.0\r\n\r\n", 200, false, false},
	{"1.0 keep-alive", "GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", 200, true, false},
	{"HEAD", "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n", 200, true, false},
	{"line of 9 KiB", get("X: " + strings.Repeat("x", 9<<10) + "\r\n"), 200, true, false},
	{"line of 60 KiB", get("X: " + strings.Repeat("x", 60<<10) + "\r\n"), 200, true, false},
	{"2000 lines", get(strings.Repeat("X: y\r\n", 2000)), 200, true, false},
	{"head of 2 MiB", get("X: " + strings.Repeat("x", 2<<20) + "\r\n"), 431, false, false},
	{"body cut", post("Content-Length: 500\r\n", "abcde"), 200, false, true},
	{"Pragma", get("Pragma: no-cache\r\n"), 200, true, false},
	{"lower case", "GET / HTTP/1.1\r\nhost: a\r\nx-y: 1\r\nx-Y: 2\r\n\r\n", 200, true, false},
}

func post(fields, body string) string {
	return "POST / HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n" + body
}

func old(fields, body string) string {
	return "POST / HTTP/1.0\r\nHost: a\r\n" + fields + "\r\n" + body
}

func chunked(body string) string { return chunkedWith("", body) }

func chunkedWith(fields, body string) string {
	return post("Transfer-Encoding: chunked\r\n"+fields, body)
}

// Each request of which it is known that servers differ is answered as the table says, and as by net/http, to the byte,
// where it is not stricter.
func TestVectors(t *testing.T) {
	net := control(t, http.HandlerFunc(witness))
	want := make([]string, len(vectors))
	for i, v := range vectors {
		want[i] = undated(exchange(t, net, nil, v.request+next))
	}
	everyWay(t, http.HandlerFunc(witness), func(t *testing.T, addr string) {
		for i, v := range vectors {
			got := undated(exchange(t, addr, nil, v.request+next))
			all := statuses(strings.Replace(got, "HTTP/1.1 100 Continue\r\n\r\n", "", 1))
			if len(all) == 0 || all[0] != v.status {
				t.Errorf("%s: answered %v, want %d\n%.300q", v.name, all, v.status, got)
			}
			goesOn := strings.Contains(got, `"/next"`)
			if goesOn != v.goesOn && v.status < 400 || v.status >= 400 && len(all) > 1 {
				t.Errorf("%s: the connection goes on: %v, want %v\n%.300q", v.name, goesOn, v.goesOn, got)
			}
			if (got == want[i]) == v.stricter {
				t.Errorf("%s: net/http and this\n%.600q\n%.600q", v.name, want[i], got)
			}
		}
	})
}

// The context of a request whose body is malformed goes on, as by net/http: its peer is still there.
func TestMalformedBodiesEndNoContext(t *testing.T) {
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, err := io.Copy(io.Discard, r.Body)
		fmt.Fprint(w, n, err != nil, r.Context().Err())
	})
	get := func(t *testing.T, addr, body string) string {
		c := dial(t, addr)
		io.WriteString(c, chunked(body))
		a, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Fatal(err)
		}
		got, _ := io.ReadAll(a.Body)
		return string(got)
	}
	net := control(t, h)
	everyWay(t, h, func(t *testing.T, addr string) {
		for _, body := range []string{"zz\r\n", "5\r\nabcdeXX", "1\r\na\r\n0\r\n: 1\r\n\r\n"} {
			if got, want := get(t, addr, body), get(t, net, body); got != want {
				t.Errorf("%q: got %q, want %q", body, got, want)
			}
		}
	})
}

// Random requests, split anywhere, pipelined, are seen and answered as by net/http.
func TestAsNetHTTP(t *testing.T) {
	net := control(t, http.HandlerFunc(witness))
	everyWay(t, http.HandlerFunc(witness), func(t *testing.T, addr string) {
		seeds := uint64(200)
		if testmain.Long() {
			seeds = 20000
		}
		for seed := range seeds {
			g := generator{rand.New(rand.NewPCG(seed, 1))}
			text := g.requests()
			cuts := g.cuts(len(text))
			want := undated(exchange(t, net, nil, text))
			if got := undated(exchange(t, addr, cuts, text)); got != want {
				t.Fatalf("seed %d, cut at %v:\n%q\nnet/http and this\n%q\n%q", seed, cuts, text, want, got)
			}
		}
	})
}

// generator makes requests that net/http and this package treat alike.
type generator struct{ *rand.Rand }

func (g generator) pick(of ...string) string { return of[g.IntN(len(of))] }

func (g generator) requests() string {
	var b strings.Builder
	for range 1 + g.IntN(4) {
		b.WriteString(g.request())
	}
	return b.String()
}

func (g generator) request() string {
	eol := g.pick("\r\n", "\r\n", "\r\n", "\n")
	var b strings.Builder
	method := g.pick("GET", "GET", "POST", "PUT", "HEAD", "DELETE", "OPTIONS", "X-Y")
	fmt.Fprint(&b, method, " ", g.target(), " HTTP/1.", g.pick("1", "1", "1", "0"), eol)
	if g.IntN(20) > 0 {
		fmt.Fprint(&b, g.pick("Host", "host", "HOST"), ":", g.blank(), g.pick("a", "a.example:80", "[::1]:80"),
			g.blank(), eol)
	}
	for range g.IntN(8) {
		name := g.pick("Accept", "accept-encoding", "User-Agent", "X-"+g.word(), g.word(), "Cookie", "Pragma")
		fmt.Fprint(&b, name, ":", g.blank(), g.value(), g.blank(), eol)
		if g.IntN(20) == 0 {
			fmt.Fprint(&b, g.pick(" ", "\t"), g.value(), eol)
		}
	}
	if g.IntN(6) == 0 {
		fmt.Fprint(&b, "Connection: ", g.pick("close", "keep-alive", "Keep-Alive, x", "upgrade"), eol)
	}
	body := strings.Repeat(g.word(), g.IntN(200))
	switch g.IntN(4) {
	case 0:
		fmt.Fprint(&b, "Content-Length: ", len(body), eol, eol, body)
	case 1:
		if strings.Contains(b.String(), "HTTP/1.0") {
			fmt.Fprint(&b, eol)
			break
		}
		fmt.Fprint(&b, "Transfer-Encoding: chunked", eol, eol)
		for len(body) > 0 {
			n := 1 + g.IntN(len(body))
			fmt.Fprintf(&b, "%s%x%s\r\n%s\r\n", g.pick("", "0"), n, g.pick("", "", ";a=b"), body[:n])
			body = body[n:]
		}
		fmt.Fprint(&b, "0\r\n", g.pick("", "", "X-T: 1\r\n"), "\r\n")
	default:
		fmt.Fprint(&b, eol)
	}
	return b.String()
}

func (g generator) target() string {
	return g.pick("/", "/a/b", "/a%20b?c=d&e", "/?", "/x;y=z,w", "/a//b", "//a/b", "/(a)!'*", "http://h.example/p?q",
		"*", "/%E2%82%AC", "/a?b?c#d", "/"+g.word())
}

func (g generator) blank() string { return g.pick("", " ", " ", "\t", "  ") }
func (g generator) word() string  { return g.pick("abc", "Xyz", "q", "long-er", "a1.b_c~") }

func (g generator) value() string {
	return g.pick("", "*/*", "a, b;q=0.1", "\xff\xfe", `"quoted \" "`, g.word(), strings.Repeat(g.word(), g.IntN(500)))
}

func (g generator) cuts(n int) (cuts []int) {
	for range g.IntN(6) {
		cuts = append(cuts, g.IntN(n+1))
	}
	slices.Sort(cuts)
	return cuts
}
