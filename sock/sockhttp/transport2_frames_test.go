package sockhttp_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/http2/hpack"

	"ringo"
	"ringo/internal/test/patience"
	"ringo/internal/test/socktest"
	"ringo/sock/sockhttp"
)

// rawServer is a server of HTTP/2 that a test speaks for, frame by frame.
type rawServer struct {
	t     testing.TB
	ln    net.Listener
	conns sync.WaitGroup
}

// newRawServer has play speak for each connection, the n-th; its SETTINGS are said already.
func newRawServer(t testing.TB, set string, play func(r *raw, n int)) *rawServer {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &rawServer{t: t, ln: ln}
	s.conns.Go(func() {
		for n := 0; ; n++ {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			s.conns.Go(func() {
				defer c.Close()
				c.SetDeadline(patience.Deadline())
				r := &raw{t: t, Conn: c}
				r.fields = hpack.NewDecoder(4096, func(f hpack.HeaderField) { r.all = append(r.all, f) })
				p := make([]byte, len(preface2))
				if _, err := io.ReadFull(c, p); err == io.EOF {
					return // net/http sometimes dials one more than it needs
				} else if err != nil || string(p) != preface2 {
					t.Errorf("the preface is %q, %v", p, err)
					return
				}
				r.send(made(settings, 0, 0, set))
				play(r, n)
			})
		}
	})
	t.Cleanup(func() {
		ln.Close()
		s.conns.Wait()
	})
	return s
}

const preface2 = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

func (s *rawServer) url() string { return "http://" + s.ln.Addr().String() }

// headAs is a head of an answer.
func headAs(status string, more ...string) string {
	var p bytes.Buffer
	e := hpack.NewEncoder(&p)
	all := append([]string{":status", status}, more...)
	for i := 0; i < len(all); i += 2 {
		e.WriteField(hpack.HeaderField{Name: all[i], Value: all[i+1], Sensitive: true})
	}
	return p.String()
}

// okOn is a whole answer.
func okOn(id uint32) string {
	return made(headers, endHeaders, id, headAs("200")) + made(data, endStream, id, "ok")
}

// maybe reads frames up to one of a kind; false: the connection has ended.
func (r *raw) maybe(kind byte) (got, bool) {
	for {
		f, err := r.next()
		if err != nil || f.kind == kind {
			return f, err == nil
		}
	}
}

// drain reads to the end.
func (r *raw) drain() { io.Copy(io.Discard, r) }

// asTask2 runs f in a task with a transport of HTTP/2 in the clear, on each driver.
func asTask2(t *testing.T, set func(*sockhttp.Transport), f func(t *testing.T, l *ringo.Loop, tr *sockhttp.Transport)) {
	t.Helper()
	socktest.EachDriver(t, func(t *testing.T, cfg ringo.Config) {
		asClient(t, cfg, "task", func(tr *sockhttp.Transport) {
			if set != nil {
				set(tr)
			}
			tr.Protocols = prior2()
		}, f)
	})
}

// says makes a request, and says what came of it.
func says(tr http.RoundTripper, r *http.Request) string {
	a, err := tr.RoundTrip(r)
	if err != nil {
		return "error " + err.Error()
	}
	defer a.Body.Close()
	body, err := io.ReadAll(a.Body)
	if len(body) > 20 {
		body = fmt.Appendf(nil, "%d bytes", len(body))
	}
	return fmt.Sprintf("%d %d %q %v %v", a.StatusCode, a.ContentLength, body, err, a.Trailer)
}

// What is wrong with an answer ends it, by RST_STREAM, and what is wrong with a connection that, by GOAWAY.
func TestTransport2Answers(t *testing.T) {
	const protocol = "http2: stream error: stream ID 1; PROTOCOL_ERROR; "
	const bad, end = "error " + protocol, "error http2: connection error: PROTOCOL_ERROR"
	long := strings.Repeat("x", 9000)
	of := func(all ...string) string { return made(headers, endHeaders, 1, headAs(all[0], all[1:]...)) }
	only := func(all ...string) string { return made(headers, endHeaders|endStream, 1, headAs(all[0], all[1:]...)) }
	ok, text, a1 := of("200"), func(flags byte, s string) string { return made(data, flags, 1, s) }, "\x00\x01a\x011"
	for name, c := range map[string]struct {
		sent   string
		want   string // what the caller sees
		code   uint32 // of RST_STREAM
		end    uint32 // of GOAWAY
		method string
	}{
		"whole":        {okOn(1), `200 -1 "ok" <nil> map[]`, 0, 0, ""},
		"nothing else": {only("204"), `204 0 "" <nil> map[]`, 0, 0, ""},
		"length":       {of("200", "content-length", "2") + text(endStream, "ok"), `200 2 "ok" <nil> map[]`, 0, 0, ""},
		"trailers": {of("200", "trailer", "A") + text(0, "ok") +
			made(headers, endHeaders|endStream, 1, "\x00\x01a\x011\x00\x01b\x012"),
			`200 -1 "ok" <nil> map[A:[1] B:[2]]`, 0, 0, ""},
		"1xx":             {of("103", "link", "a") + of("100") + okOn(1), `200 -1 "ok" <nil> map[]`, 0, 0, ""},
		"padding":         {ok + text(padded|endStream, "\x03ok123"), `200 -1 "ok" <nil> map[]`, 0, 0, ""},
		"HEAD":            {only("200", "content-length", "9"), `200 9 "" <nil> map[]`, 0, 0, "HEAD"},
		"HEAD, in pieces": {ok + text(endStream, ""), `200 -1 "" <nil> map[]`, 0, 0, "HEAD"},
		"304":             {only("304", "content-length", "9"), `304 9 "" <nil> map[]`, 0, 0, ""},
		"continued": {made(headers, 0, 1, headAs("200")) + made(continuation, endHeaders, 1, a1) +
			text(endStream, "ok"), `200 -1 "ok" <nil> map[]`, 0, 0, ""},
		"not known": {made(99, 0, 0, "x") + made(priority, 0, 1, word(0)+"x") + okOn(1),
			`200 -1 "ok" <nil> map[]`, 0, 0, ""},
		"no status":     {made(headers, endHeaders, 1, a1), bad, protocolError, 0, ""},
		"two statuses":  {of("200", ":status", "200"), bad, protocolError, 0, ""},
		"a path":        {of("200", ":path", "/"), bad, protocolError, 0, ""},
		"status behind": {made(headers, endHeaders, 1, a1+headAs("200")), bad, protocolError, 0, ""},
		"no number":     {of("2oo"), bad, protocolError, 0, ""},
		"two digits":    {of("20"), bad, protocolError, 0, ""},
		"101":           {of("101"), bad, protocolError, 0, ""},
		"1xx ends":      {only("100"), bad, protocolError, 0, ""},
		"upper case":    {of("200", "A", "1"), bad, protocolError, 0, ""},
		"a bad value":   {of("200", "a", "1\n"), bad, protocolError, 0, ""},
		"of HTTP/1":     {of("200", "connection", "close"), bad, protocolError, 0, ""},
		"lengths":       {of("200", "content-length", "1", "content-length", "2"), bad, protocolError, 0, ""},
		"DATA first":    {text(endStream, ""), bad, protocolError, 0, ""},
		"too long a head": {of("200", "a", long[:5000], "b", long[:5000]) + text(endStream, ""), bad, protocolError, 0,
			""},
		"too many of 1xx": {strings.Repeat(of("103", "a", long[:3000]), 9) + okOn(1), bad, protocolError, 0, ""},
		"too long a body": {of("200", "content-length", "1") + text(0, "ok"),
			`200 1 "" ` + protocol, protocolError, 0, ""},
		"too short a body": {of("200", "content-length", "3") + text(endStream, "ok"),
			`200 3 "ok" unexpected EOF`, protocolError, 0, ""},
		"no body":           {only("200", "content-length", "3"), `200 3 "" unexpected EOF`, protocolError, 0, ""},
		"a body of HEAD":    {ok + text(endStream, "x"), `200 -1 "" <nil>`, protocolError, 0, "HEAD"},
		"a body of 204":     {of("204") + text(endStream, "x"), `204 -1 "" ` + protocol, protocolError, 0, ""},
		"trailers and more": {ok + made(headers, endHeaders, 1, a1), `200 -1 "" ` + protocol, protocolError, 0, ""},
		"a status behind":   {ok + only("200"), `200 -1 "" ` + protocol, protocolError, 0, ""},
		"window 0":          {made(window, 0, 1, word(0)), bad, protocolError, 0, ""},
		"window over": {made(window, 0, 1, word(1<<31-1)),
			"error http2: stream error: stream ID 1; FLOW_CONTROL_ERROR", flowError, 0, ""},
		"reset": {made(reset, 0, 1, word(internalError)),
			"error http2: stream error: stream ID 1; INTERNAL_ERROR; received from peer", 0, 0, ""},
		"reset amid": {ok + text(0, "ok") + made(reset, 0, 1, word(internalError)),
			`200 -1 "ok" http2: stream error: stream ID 1; INTERNAL_ERROR; received from peer`, 0, 0, ""},
		"reset behind":     {okOn(1) + made(reset, 0, 1, word(0)), `200 -1 "ok" <nil> map[]`, 0, 0, ""},
		"the end":          {"", "error unexpected EOF", 0, 0, ""},
		"the end amid":     {ok + text(0, "ok"), `200 -1 "ok" unexpected EOF`, 0, 0, ""},
		"not begun":        {made(headers, endHeaders, 3, headAs("200")), end, 0, protocolError, ""},
		"DATA on none":     {made(data, 0, 3, "x"), end, 0, protocolError, ""},
		"reset of none":    {made(reset, 0, 3, word(8)), end, 0, protocolError, ""},
		"window of none":   {made(window, 0, 3, word(8)), end, 0, protocolError, ""},
		"even":             {made(headers, endHeaders, 2, headAs("200")), end, 0, protocolError, ""},
		"push":             {made(push, endHeaders, 1, word(2)+head("GET", "/")), end, 0, protocolError, ""},
		"push by settings": {made(settings, 0, 0, setting(2, 1)) + okOn(1), end, 0, protocolError, ""},
		"frame size":       {made(settings, 0, 0, setting(5, 0)), end, 0, protocolError, ""},
		"extended CONNECT": {made(settings, 0, 0, setting(8, 2)), end, 0, protocolError, ""},
		"a long frame": {made(data, 0, 1, strings.Repeat("x", 16385)),
			"error http2: connection error: FRAME_SIZE_ERROR", 0, sizeError, ""},
		"an ack": {made(settings, ack, 0, "") + made(settings, ack, 0, ""), end, 0, protocolError, ""},
		"compression": {made(headers, endHeaders, 1, strings.Repeat("\xff", 10)),
			"error http2: connection error: COMPRESSION_ERROR", 0, compression, ""},
		"for ever": {made(headers, 0, 1, headAs("200")) +
			strings.Repeat(made(continuation, 0, 1, strings.Repeat("\x00\x01a\x01b", 3000)), 100),
			"error http2: connection error: ", 0, protocolError, ""},
		"window at all": {made(window, 0, 0, word(1<<31-1)),
			"error http2: connection error: FLOW_CONTROL_ERROR", 0, flowError, ""},
		"within a head": {made(headers, 0, 1, headAs("200")) + made(ping, 0, 0, "12345678"),
			end, 0, protocolError, ""},
	} {
		t.Run(name, func(t *testing.T) {
			ended := make(chan string, 10)
			s := newRawServer(t, "", func(r *raw, n int) {
				if _, ok := r.maybe(headers); !ok {
					return
				}
				r.send(c.sent)
				if strings.HasPrefix(name, "the end") {
					r.Conn.(*net.TCPConn).CloseWrite()
				}
				if c.code == 0 && c.end == 0 {
					r.drain()
					return
				}
				kind := byte(reset)
				if c.end != 0 {
					kind = goAway
				}
				if f, ok := r.maybe(kind); !ok || f.code() != c.code+c.end {
					ended <- fmt.Sprintf("frame %v %v", f, ok)
				}
				ended <- ""
				r.drain()
			})
			set := func(tr *sockhttp.Transport) { tr.MaxResponseHeaderBytes = 8000 }
			asTask2(t, set, func(t *testing.T, l *ringo.Loop, tr *sockhttp.Transport) {
				method := c.method
				if method == "" {
					method = "POST"
				}
				if got := says(tr, request(t, method, s.url(), nil)); !strings.HasPrefix(got, c.want) {
					t.Errorf("got  %s\nwant %s", got, c.want)
					return
				}
				if c.code+c.end > 0 {
					l.Offload(func(context.Context) error {
						if wrong := patience.Recv(t, "the client's word", ended); wrong != "" {
							t.Error(wrong)
						}
						return nil
					})
				}
			})
		})
	}
}

// Servers that make a client work for nothing are told to calm down, whatever they do.
func TestTransport2Floods(t *testing.T) {
	for name, flood := range map[string]string{
		"PING":          made(ping, 0, 0, "12345678"),
		"answered PING": made(ping, ack, 0, "12345678"),
		"SETTINGS":      made(settings, 0, 0, setting(4, 1000)),
		"PRIORITY":      made(priority, 0, 1, word(0)+"x"),
		"WINDOW_UPDATE": made(window, 0, 0, word(1)),
		"GOAWAY":        made(goAway, 0, 0, word(1)+word(0)),
		"not known":     made(99, 0, 0, ""),
		"empty DATA":    made(data, 0, 1, ""),
		"padding":       made(data, padded, 1, "\x03123"),
		"resets":        made(reset, 0, 3, word(8)),
		"late heads":    made(headers, endHeaders|endStream, 3, headAs("200")),
	} {
		t.Run(name, func(t *testing.T) {
			said := make(chan uint32, 10)
			s := newRawServer(t, "", func(r *raw, n int) {
				r.maybe(headers)
				r.send(made(headers, endHeaders, 1, headAs("200")) + made(data, 0, 1, "begun"))
				r.maybe(headers)
				r.send(okOn(3))
				go func() {
					many := strings.Repeat(flood, 100)
					for i := 0; i < 20000 && r.send(many) == nil; i++ {
					}
				}()
				code, _ := r.ends()
				said <- code
			})
			asTask2(t, nil, func(t *testing.T, l *ringo.Loop, tr *sockhttp.Transport) {
				first, err := tr.RoundTrip(request(t, "GET", s.url(), nil))
				if err != nil {
					t.Fatal(err)
				}
				defer first.Body.Close()
				says(tr, request(t, "GET", s.url(), nil))
				if _, err := io.ReadAll(first.Body); err == nil || !strings.Contains(err.Error(), "ENHANCE_YOUR_CALM") {
					if name != "GOAWAY" {
						t.Errorf("the error is %v", err)
					}
				}
				l.Offload(func(context.Context) error {
					if code := patience.Recv(t, "GOAWAY", said); code != calm && code != 1<<31 {
						t.Errorf("GOAWAY with code %d", code)
					}
					return nil
				})
			})
		})
	}
}

// A body is sent as its server opens the windows, negative ones included, in frames as long as it takes them.
func TestTransport2SendWindows(t *testing.T) {
	body := bytes.Repeat([]byte("0123456789"), 20_000)
	s := newRawServer(t, setting(4, 10), func(r *raw, n int) {
		r.maybe(headers)
		r.send(okOn(1)) // with which SETTINGS have come
		r.maybe(headers)
		if f := r.until(data, 3); len(f.payload) != 10 {
			t.Errorf("%d bytes in a window of 10", len(f.payload))
		}
		r.send(made(settings, 0, 0, setting(4, 0)) + made(window, 0, 3, word(15))) // -10 and 15
		if f := r.until(data, 3); len(f.payload) != 5 {
			t.Errorf("%d bytes in a window of 5", len(f.payload))
		}
		r.send(made(settings, 0, 0, setting(4, 1<<20)+setting(5, 20_000)))
		sent := 15
		for sent < 65535 {
			f := r.until(data, 3)
			if sent += len(f.payload); len(f.payload) > 20_000 {
				t.Errorf("a frame of %d bytes", len(f.payload))
			}
		}
		if sent != 65535 {
			t.Errorf("%d bytes in the connection's window", sent)
		}
		r.send(made(window, 0, 0, word(1<<20)))
		for {
			f := r.until(data, 3)
			if sent += len(f.payload); f.flags&endStream != 0 {
				break
			}
		}
		if sent != len(body) {
			t.Errorf("%d bytes of %d", sent, len(body))
		}
		r.send(okOn(3))
		r.drain()
	})
	asTask2(t, nil, func(t *testing.T, _ *ringo.Loop, tr *sockhttp.Transport) {
		says(tr, request(t, "GET", s.url(), nil))
		got := says(tr, request(t, "POST", s.url(), bytes.NewReader(body)))
		if want := `200 -1 "ok" <nil> map[]`; got != want {
			t.Errorf("got %s", got)
		}
	})
}

// What an answer's caller does not read its server may not send; the windows open as it is read, that of the connection
// also for what is given up.
func TestTransport2TakeWindows(t *testing.T) {
	piece := strings.Repeat("x", 16<<10)
	set := func(tr *sockhttp.Transport) {
		tr.HTTP2 = &http.HTTP2Config{MaxReceiveBufferPerStream: 64 << 10, MaxReceiveBufferPerConnection: 128 << 10}
	}
	opened := make(chan int, 10)
	s := newRawServer(t, "", func(r *raw, n int) {
		first, ok := r.maybe(settings)
		if want := setting(4, 64<<10); !ok || !strings.Contains(string(first.payload), want) {
			t.Errorf("SETTINGS %q", first.payload)
		}
		if f := r.until(window, 0); f.id != 0 || f.code() != 128<<10-65535 {
			t.Errorf("a window of %d on %d", f.code(), f.id)
		}
		begun := uint32(0)
		for id := uint32(1); id < 7; id += 2 {
			if begun != id {
				r.until(headers, id)
			}
			r.send(made(headers, endHeaders, id, headAs("200")))
			r.send(strings.Repeat(made(data, 0, id, piece), 4))
			sum, stream := 0, 0
			for sum < 48<<10 || id == 1 && stream < 32<<10 { // of what is read, or given up
				f, err := r.next()
				switch {
				case err != nil:
					return
				case f.kind == headers:
					begun = f.id // which was not to wait
				case f.kind == window && f.id == 0:
					sum += int(f.code())
				case f.kind == window:
					stream += int(f.code())
				case f.kind == reset && id == 1:
					t.Error("a stream that is read is reset")
				case f.kind == reset:
					r.send(made(ping, 0, 0, fmt.Sprintf("stream %d", f.id)))
				case f.kind == ping && string(f.payload) == fmt.Sprintf("stream %d", id): // or it is an earlier one's
					t.Errorf("%d bytes of %d are given back", sum, 64<<10)
					opened <- sum
					return
				}
			}
			opened <- sum
			if id == 1 {
				r.send(made(data, endStream, id, "end"))
			}
		}
		r.drain()
	})
	asTask2(t, set, func(t *testing.T, l *ringo.Loop, tr *sockhttp.Transport) {
		if got := says(tr, request(t, "GET", s.url(), nil)); got != `200 -1 "65539 bytes" <nil> map[]` {
			t.Errorf("got %s", got)
		}
		for range 2 {
			a, err := tr.RoundTrip(request(t, "GET", s.url(), nil))
			if err != nil {
				t.Fatal(err)
			}
			io.ReadFull(a.Body, make([]byte, 10))
			a.Body.Close()
		}
		l.Offload(func(context.Context) error {
			for range 3 {
				patience.Recv(t, "the windows", opened)
			}
			return nil
		})
	})
}

// A server that sends more than a window is told so.
func TestTransport2WindowsAreKept(t *testing.T) {
	set := func(tr *sockhttp.Transport) { tr.HTTP2 = &http.HTTP2Config{MaxReceiveBufferPerStream: 20_000} }
	told := make(chan bool, 10)
	s := newRawServer(t, "", func(r *raw, n int) {
		r.maybe(headers)
		r.send(made(headers, endHeaders, 1, headAs("200")) +
			strings.Repeat(made(data, 0, 1, strings.Repeat("x", 16<<10)), 2))
		if f, ok := r.maybe(reset); !ok || f.code() != flowError {
			t.Errorf("%v, %v", f, ok)
		}
		told <- true
		r.drain()
	})
	asTask2(t, set, func(t *testing.T, l *ringo.Loop, tr *sockhttp.Transport) {
		a, err := tr.RoundTrip(request(t, "GET", s.url(), nil))
		if err != nil {
			t.Fatal(err)
		}
		l.Offload(func(context.Context) error {
			patience.Recv(t, "the reset", told)
			return nil
		})
		got, err := io.ReadAll(a.Body)
		if a.Body.Close(); len(got) != 16<<10 || err == nil || !strings.Contains(err.Error(), "FLOW_CONTROL_ERROR") {
			t.Errorf("%d bytes, %v", len(got), err)
		}
	})
}

// Requests that a server has not looked at are made again, on another connection: those above GOAWAY's number, and
// those that are refused. A body must be to be had again.
func TestTransport2Retries(t *testing.T) {
	for name, refuse := range map[string]func(id uint32) string{
		"GOAWAY":         func(id uint32) string { return made(goAway, 0, 0, word(0)+word(0)) },
		"REFUSED_STREAM": func(id uint32) string { return made(reset, 0, id, word(refused)) },
		"PROTOCOL_ERROR": func(id uint32) string { return made(reset, 0, id, word(protocolError)) },
	} {
		t.Run(name, func(t *testing.T) {
			var mu sync.Mutex
			tries := 0
			s := newRawServer(t, "", func(r *raw, n int) {
				for {
					f, ok := r.maybe(headers)
					if !ok {
						return
					}
					mu.Lock()
					first := tries == 0
					tries++
					mu.Unlock()
					if first {
						r.send(refuse(f.id))
					} else {
						r.send(okOn(f.id))
					}
				}
			})
			asTask2(t, nil, func(t *testing.T, _ *ringo.Loop, tr *sockhttp.Transport) {
				for _, body := range []io.Reader{nil, strings.NewReader("abc"), lately{strings.NewReader("abc")}} {
					mu.Lock()
					tries = 0
					mu.Unlock()
					got := says(tr, request(t, "POST", s.url(), body))
					mu.Lock()
					n := tries
					mu.Unlock()
					if _, once := body.(lately); once {
						if n != 1 || !strings.Contains(got, "cannot retry err") {
							t.Errorf("%d tries: %s", n, got)
						}
					} else if n != 2 || got != `200 -1 "ok" <nil> map[]` {
						t.Errorf("%d tries: %s", n, got)
					}
				}
			})
		})
	}
}

// GOAWAY lets streams below its number end, takes no others, and ends the connection then.
func TestTransport2GoAway(t *testing.T) {
	ended := make(chan bool, 10)
	s := newRawServer(t, "", func(r *raw, n int) {
		if f, ok := r.maybe(headers); ok && n%2 == 0 {
			r.send(made(headers, endHeaders, 1, headAs("200")) + made(goAway, 0, 0, word(1)+word(0)) +
				made(data, 0, 1, "first"))
			<-ended
			r.send(made(data, endStream, 1, "last"))
			r.drain() // which ends by itself
			ended <- true
		} else if ok {
			r.send(okOn(f.id))
			r.drain()
		}
	})
	asTask2(t, nil, func(t *testing.T, l *ringo.Loop, tr *sockhttp.Transport) {
		a, err := tr.RoundTrip(request(t, "GET", s.url(), nil))
		if err != nil {
			t.Fatal(err)
		}
		io.ReadFull(a.Body, make([]byte, 5))
		if got := says(tr, request(t, "GET", s.url(), nil)); got != `200 -1 "ok" <nil> map[]` {
			t.Errorf("another: %s", got)
		}
		ended <- true
		rest, err := io.ReadAll(a.Body)
		if a.Body.Close(); string(rest) != "last" || err != nil {
			t.Errorf("%q, %v", rest, err)
		}
		l.Offload(func(context.Context) error {
			patience.Recv(t, "the end of the connection", ended)
			return nil
		})
	})
}

// Requests beyond MAX_CONCURRENT_STREAMS have another connection, or wait if there may be none.
func TestTransport2Streams(t *testing.T) {
	var mu sync.Mutex
	var conns, most int
	s := newRawServer(t, setting(3, 2), func(r *raw, n int) {
		mu.Lock()
		first := conns == 0 // which knows of the bound
		conns++
		mu.Unlock()
		for open := []uint32(nil); ; {
			f, err := r.next()
			switch {
			case err != nil:
				return
			case f.kind == headers:
				open = append(open, f.id)
				r.send(made(ping, 0, 0, "12345678")) // until whose answer others may come
			case f.kind == ping:
				r.send(okOn(open[0]))
				open = open[1:]
			}
			mu.Lock()
			if first {
				most = max(most, len(open))
			}
			mu.Unlock()
		}
	})
	for _, limit := range []int{0, 1} {
		set := func(tr *sockhttp.Transport) { tr.MaxConnsPerHost = limit }
		asTask2(t, set, func(t *testing.T, l *ringo.Loop, tr *sockhttp.Transport) {
			mu.Lock()
			conns, most = 0, 0
			mu.Unlock()
			says(tr, request(t, "GET", s.url(), nil)) // with which SETTINGS have come
			g := ringo.NewGroup(l)
			for range 8 {
				g.Go(func() error {
					if got := says(tr, request(t, "GET", s.url(), nil)); got != `200 -1 "ok" <nil> map[]` {
						return errors.New(got)
					}
					return nil
				})
			}
			if err := g.Wait(); err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			if most > 2 || limit > 0 && conns > limit || limit == 0 && conns < 2 {
				t.Errorf("limit %d: %d connections, %d streams at once", limit, conns, most)
			}
		})
	}
}

// A request that is given up is so for its server, too, which is asked whether it is there.
func TestTransport2Cancel(t *testing.T) {
	said := make(chan string, 10)
	s := newRawServer(t, "", func(r *raw, n int) {
		for asked := false; ; {
			f, err := r.next()
			switch {
			case err != nil:
				return
			case f.kind == reset:
				said <- fmt.Sprint("stream ", f.id, " code ", f.code(), " asked ", asked)
				asked = false
			case f.kind == ping:
				asked = true
				r.send(made(ping, ack, 0, string(f.payload)))
			}
		}
	})
	asTask2(t, nil, func(t *testing.T, l *ringo.Loop, tr *sockhttp.Transport) {
		for _, want := range []string{"stream 1 code 8 asked true", "stream 3 code 8 asked false"} { // nothing comes
			err := l.WithTimeout(short, func() error { return askUntil(tr, request(t, "GET", s.url(), nil)) })
			if timed, ok := err.(net.Error); !ok || !timed.Timeout() {
				t.Errorf("the error is %v", err)
			}
			l.Offload(func(context.Context) error {
				if got := patience.Recv(t, want, said); got != want {
					t.Errorf("%q, want %q", got, want)
				}
				return nil
			})
		}
	})
}

// A server that does not answer in time is given up, with the error that HTTP/1 has.
func TestTransport2HeadTimeout(t *testing.T) {
	s := newRawServer(t, "", func(r *raw, n int) { r.drain() })
	set := func(tr *sockhttp.Transport) { tr.ResponseHeaderTimeout = short }
	asTask2(t, set, func(t *testing.T, l *ringo.Loop, tr *sockhttp.Transport) {
		_, err := tr.RoundTrip(request(t, "POST", s.url(), lately{strings.NewReader("abc")}))
		if !errors.Is(err, context.DeadlineExceeded) || err.Error() != "net/http: timeout awaiting response headers" {
			t.Errorf("the error is %v", err)
		}
	})
}

// A connection at rest has no task: a PING is answered all the same, and the end of its server is its own. A Run ends
// that has one.
func TestTransport2Rest(t *testing.T) {
	goes, said := make(chan bool), make(chan string, 10)
	s := newRawServer(t, "", func(r *raw, n int) {
		r.maybe(headers)
		r.send(okOn(1))
		<-goes
		r.send(made(ping, 0, 0, "whothere"))
		for {
			f, err := r.next()
			if err != nil {
				return
			}
			if f.kind == ping && f.flags&ack != 0 {
				said <- string(f.payload)
				break
			}
		}
		<-goes
	})
	socktest.EachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Loops = 1
		err := socktest.RunLoops(t, context.Background(), &cfg, func(l *ringo.Loop) error {
			tr := &sockhttp.Transport{Protocols: prior2(), IdleConnTimeout: time.Hour}
			answered := func() bool { // unless the connection ends just now
				return strings.HasPrefix(says(tr, request(t, "GET", s.url(), nil)), "200")
			}
			for range 2 {
				untilOn(t, l, "an answer", answered)
				untilOn(t, l, "rest", func() bool { return l.Stats().Tasks <= 1 })
				l.Offload(func(context.Context) error {
					goes <- true
					if got := patience.Recv(t, "an answer to PING", said); got != "whothere" {
						t.Errorf("%q", got)
					}
					goes <- true // the server ends
					return nil
				})
			}
			untilOn(t, l, "an answer", answered)
			return nil
		})
		if err != nil {
			t.Error(err)
		}
		goes <- true // of a connection that has ended with its loop
	})
}
