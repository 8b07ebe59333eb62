package sockhttp

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"ringo/internal/test/alloctest"
)

// readBuffered is readAnswer with the head that is buffered.
func readBuffered(br *bufio.Reader, r *http.Request, a *sizedAnswer) (*http.Response, error) {
	p, _ := br.Peek(br.Buffered())
	end, _ := headEnd(p, 0)
	return readAnswer(p[:end], br, r, a)
}

// answerHeads are of such answers as servers give. Those that are plain are read without net/http.
var answerHeads = []struct {
	text  string
	plain bool
}{
	{"HTTP/1.1 200 OK\r\nServer: nginx\r\nDate: Sat, 28 Nov 2026 08:00:00 GMT\r\nContent-Type: text/html\r\n" +
		"Content-Length: 5\r\nConnection: keep-alive\r\n\r\nhello", true},
	{"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", true},
	{"HTTP/1.1 404 Not Found\ncontent-length:\t2 \nset-cookie: a=b\nSet-Cookie: c=d\nhost: h\n\nno", true},
	{"HTTP/1.1 299\r\nContent-Length: 1\r\nX: \r\n\r\n1", true},
	{"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nless", true},
	{"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nmore", true},
	{"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok", false},
	{"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", false},
	{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X\r\n\r\n2\r\nok\r\n0\r\nX: y\r\n\r\n", false},
	{"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTrailer: X\r\n\r\nok", false},
	{"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nPragma: no-cache\r\n\r\nok", false},
	{"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: x, Close\r\n\r\nok", false},
	{"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX: a\r\n b\r\n\r\nok", true},
	{"HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\nok", false},
	{"HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551618\r\n\r\nok", false},
	{"HTTP/1.1 200 OK\r\nContent-Length:\r\n 2\r\n\r\nok", false},
	{"HTTP/1.1 200 OK\r\nX\r\nContent-Length: 2\r\n\r\nok", false},
	{"HTTP/1.1 200 OK\r\nX Y: 1\r\nContent-Length: 2\r\n\r\nok", false},
	{"HTTP/1.1 200 OK\r\nX: \x00\r\nContent-Length: 2\r\n\r\nok", false},
	{"HTTP/1.1  200 OK\r\nContent-Length: 2\r\n\r\nok", false},
	{"HTTP/1.1 2000 OK\r\nContent-Length: 2\r\n\r\nok", false},
	{"HTTP/1.1 +20 OK\r\nContent-Length: 2\r\n\r\nok", false},
	{"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", false},
	{"HTTP/1.1 200 OK\r\n\r\nall there is", false},
	{"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n", false},
	{"HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n", false},
	{"HTTP/1.1 103 Early Hints\r\nContent-Length: 7\r\n\r\n", false},
	{"\r\n\r\n", false},
}

// What is read without net/http is what net/http reads, and nothing more is taken from the connection.
func FuzzAnswer(f *testing.F) {
	for _, a := range answerHeads {
		f.Add([]byte(a.text), false)
		f.Add([]byte(a.text), true)
	}
	f.Fuzz(func(t *testing.T, text []byte, head bool) {
		r := &http.Request{Method: http.MethodGet}
		if head {
			r.Method = http.MethodHead
		}
		whole, std := bufio.NewReader(bytes.NewReader(text)), bufio.NewReader(bytes.NewReader(text))
		whole.Peek(1)
		got, gotErr := readBuffered(whole, r, new(sizedAnswer))
		want, wantErr := http.ReadResponse(std, r)
		if (gotErr == nil) != (wantErr == nil) {
			t.Fatalf("%q: %v, by net/http %v", text, gotErr, wantErr)
		}
		if gotErr != nil {
			return
		}
		gotBody, gotErr := io.ReadAll(got.Body)
		wantBody, wantErr := io.ReadAll(want.Body)
		if string(gotBody) != string(wantBody) || gotErr != wantErr && gotErr.Error() != wantErr.Error() {
			t.Errorf("%q: the body is %q, %v; by net/http %q, %v", text, gotBody, gotErr, wantBody, wantErr)
		}
		got.Body, want.Body = nil, nil
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%q is\n%+v\nby net/http\n%+v", text, got, want)
		}
		gotRest, _ := io.ReadAll(whole)
		wantRest, _ := io.ReadAll(std)
		if string(gotRest) != string(wantRest) {
			t.Errorf("%q: what follows is %q, by net/http %q", text, gotRest, wantRest)
		}
	})
}

// The answerHeads that most servers give are read without net/http, if their heads come at once.
func TestPlainAnswers(t *testing.T) {
	get := &http.Request{Method: http.MethodGet}
	for _, a := range answerHeads {
		end, _ := headEnd([]byte(a.text), 0)
		if is := plainAnswer(a.text[:end], nil, get, new(sizedAnswer)) != nil; is != a.plain {
			t.Errorf("%q is plain: %v", a.text, is)
		}
		if !a.plain {
			continue
		}
		r := bufio.NewReader(iotest.OneByteReader(strings.NewReader(a.text)))
		r.Peek(1)
		if got, err := readBuffered(r, get, new(sizedAnswer)); err != nil || got.Header["Content-Length"] == nil {
			t.Errorf("%q by single bytes: %v", a.text, err)
		}
	}
	text := answerHeads[0].text
	from := strings.NewReader("")
	r := bufio.NewReader(from)
	a := new(sizedAnswer)
	if n := alloctest.Least(100, 5.1, func() {
		from.Reset(text)
		r.Reset(from)
		r.Peek(1)
		answer, err := readBuffered(r, get, a)
		if err != nil {
			t.Fatal(err)
		}
		var p [5]byte
		if n, err := answer.Body.Read(p[:]); n != 5 || err != io.EOF {
			t.Fatalf("the body: %d, %v", n, err)
		}
	}); n > 5.1 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkAnswer(b *testing.B) {
	get := &http.Request{Method: http.MethodGet}
	from := strings.NewReader("")
	for name, read := range map[string]func(*bufio.Reader, *http.Request) (*http.Response, error){
		"nethttp": http.ReadResponse,
		"sockhttp": func(br *bufio.Reader, r *http.Request) (*http.Response, error) {
			return readBuffered(br, r, new(sizedAnswer))
		}} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			r := bufio.NewReader(from)
			for b.Loop() {
				from.Reset(answerHeads[0].text)
				r.Reset(from)
				r.Peek(1)
				if _, err := read(r, get); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// says is a connection that brings a text.
type says struct {
	net.Conn
	r io.Reader
}

func (s says) Read(p []byte) (int, error) { return s.r.Read(p) }

// Who passes an answer on learns which fields are of the connection, also from one that has "close", which net/http
// drops, however the head comes. Otherwise there is what net/http leaves.
func TestAnswerNamesFields(t *testing.T) {
	for lines, want := range map[string][]string{
		"Connection: close, X-Hop\r\n":               {"close, X-Hop"},
		"Connection: close\r\nConnection: X-Hop\r\n": {"close", "X-Hop"},
		"connection: x-hop\r\n ,Close\r\n":           {"x-hop ,Close"},
		"Connection: X-Hop\r\n":                      {"X-Hop"},
		"Connection: close\r\n":                      nil,
		"Connection: keep-alive, close\r\n":          nil,
	} {
		text := "HTTP/1.1 200 OK\r\n" + lines + "X-Hop: 1\r\nContent-Length: 2\r\n\r\nok"
		for name, r := range map[string]io.Reader{"whole": strings.NewReader(text),
			"in pieces": iotest.OneByteReader(strings.NewReader(text))} {
			c := &clientConn{c: says{r: r}, left: 1 << 20}
			c.br = bufio.NewReaderSize(c, 4096)
			c.br.Peek(1)
			a, err := c.readHead(&http.Request{Method: http.MethodGet}, new(sizedAnswer))
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(a.Body)
			if got := a.Header["Connection"]; !slices.Equal(got, want) || string(body) != "ok" || err != nil {
				t.Errorf("%q, %s: Connection is %q, want %q; the body is %q, %v", lines, name, got, want, body, err)
			}
			if c.head != nil {
				t.Errorf("%q, %s: what is read is still kept", lines, name)
			}
		}
	}
}
