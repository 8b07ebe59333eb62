package sockhttp_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/net/http2/hpack"

	"ringo/internal/posix"
	"ringo/internal/test/patience"
	"ringo/sock/sockhttp"
)

// Types, flags and codes of frames that the tests send, or wait for.
const (
	data = iota
	headers
	priority
	reset
	settings
	push
	ping
	goAway
	window
	continuation

	endStream  = 1
	ack        = 1
	endHeaders = 4
	padded     = 8

	protocolError = 1
	internalError = 2
	flowError     = 3
	streamClosed  = 5
	sizeError     = 6
	refused       = 7
	compression   = 9
	calm          = 11
)

// made is a frame.
func made(kind, flags byte, id uint32, payload string) string {
	n := len(payload)
	first := []byte{byte(n >> 16), byte(n >> 8), byte(n), kind, flags}
	return string(binary.BigEndian.AppendUint32(first, id)) + payload
}

func word(v uint32) string { return string(binary.BigEndian.AppendUint32(nil, v)) }

// setting is one of SETTINGS.
func setting(id uint16, v uint32) string {
	return string(binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint16(nil, id), v))
}

// got is a frame that was received.
type got struct {
	kind, flags byte
	id          uint32
	payload     []byte
}

func (f got) code() uint32 { return binary.BigEndian.Uint32(f.payload[len(f.payload)-4:]) }

// raw speaks frames.
type raw struct {
	t testing.TB
	net.Conn
	fields *hpack.Decoder
	all    []hpack.HeaderField
}

// dial2 connects, and says what a client says first.
func dial2(t testing.TB, url string, set ...string) *raw {
	t.Helper()
	return newRaw(t, dial(t, url[strings.LastIndex(url, "/")+1:]), set...)
}

func newRaw(t testing.TB, c net.Conn, set ...string) *raw {
	r := &raw{t: t, Conn: c}
	r.fields = hpack.NewDecoder(4096, func(f hpack.HeaderField) { r.all = append(r.all, f) })
	r.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + made(settings, 0, 0, strings.Join(set, "")))
	return r
}

func (r *raw) send(p string) error {
	_, err := io.WriteString(r, p)
	return err
}

// head is a head of a request.
func head(method, path string, more ...string) string {
	var p bytes.Buffer
	e := hpack.NewEncoder(&p)
	all := append([]string{":method", method, ":scheme", "http", ":path", path, ":authority", "x"}, more...)
	for i := 0; i < len(all); i += 2 {
		e.WriteField(hpack.HeaderField{Name: all[i], Value: all[i+1], Sensitive: true})
	}
	return p.String()
}

// getOn is a request without a body.
func getOn(id uint32) string { return made(headers, endStream|endHeaders, id, head("GET", "/")) }

// next reads a frame.
func (r *raw) next() (f got, err error) {
	p := make([]byte, 9)
	if _, err := io.ReadFull(r, p); err != nil {
		return f, err
	}
	f = got{p[3], p[4], binary.BigEndian.Uint32(p[5:]), make([]byte, int(p[0])<<16|int(p[1])<<8|int(p[2]))}
	_, err = io.ReadFull(r, f.payload)
	if f.kind == headers || f.kind == continuation {
		r.fields.Write(f.payload)
	}
	return f, err
}

// until reads frames up to one of a kind, on a stream if id is not 0.
func (r *raw) until(kind byte, id uint32) got {
	r.t.Helper()
	for {
		f, err := r.next()
		if err != nil {
			r.t.Fatalf("no frame of type %d came on stream %d: %v", kind, id, err)
		}
		if f.kind == kind && (id == 0 || f.id == id) {
			return f
		}
		if f.kind == goAway {
			r.t.Fatalf("GOAWAY with code %d in the place of a frame of type %d", f.code(), kind)
		}
	}
}

// ends reads to the end, and gives the code of GOAWAY.
func (r *raw) ends() (code uint32, err error) {
	for code = 1 << 31; ; {
		f, err := r.next()
		if err != nil {
			if errors.Is(err, io.EOF) {
				err = nil
			}
			return code, err
		}
		if f.kind == goAway {
			code = f.code()
		}
	}
}

// eachClear2 runs f for each way of HTTP/2 in the clear.
func eachClear2(t *testing.T, h http.Handler, set func(*sockhttp.Server), f func(t *testing.T, url string)) {
	eachWay(t, h, func(s *sockhttp.Server) {
		s.Protocols = clear2()
		if set != nil {
			set(s)
		}
	}, func(t *testing.T, addr string) { f(t, "http://"+addr) })
}

// Peers that make the server work for nothing are told to calm down, whatever they do.
func TestFloods(t *testing.T) {
	open := made(headers, endHeaders, 1, head("POST", "/"))
	for name, flood := range map[string]struct {
		first string
		one   func(i int) string
	}{
		"PING":          {"", func(int) string { return made(ping, 0, 0, "12345678") }},
		"SETTINGS":      {"", func(int) string { return made(settings, 0, 0, setting(4, 1000)) }},
		"PRIORITY":      {"", func(int) string { return made(priority, 0, 3, word(0)+"x") }},
		"empty DATA":    {open, func(int) string { return made(data, 0, 1, "") }},
		"padding":       {open, func(int) string { return made(data, padded, 1, "\x03123") }},
		"WINDOW_UPDATE": {"", func(int) string { return made(window, 0, 0, word(1)) }},
		"not known":     {"", func(int) string { return made(99, 0, 0, "") }},
		"CONTINUATION": {made(headers, 0, 1, head("GET", "/")), func(int) string {
			return made(continuation, 0, 1, "")
		}},
		"rapid reset": {"", func(i int) string {
			return getOn(uint32(2*i+1)) + made(reset, 0, uint32(2*i+1), word(8))
		}},
		"made you reset": {"", func(i int) string { return open2(i) + made(window, 0, uint32(2*i+1), word(0)) }},
		"behind the end": {"", func(i int) string { return getOn(uint32(2*i+1)) + made(data, 0, uint32(2*i+1), "x") }},
		"bad heads": {"", func(i int) string {
			return made(headers, endHeaders|endStream, uint32(2*i+1), "\x82")
		}},
		"closed by reset": {getOn(1), func(int) string { return made(reset, 0, 1, word(8)) }},
	} {
		t.Run(name, func(t *testing.T) {
			waits := sockhttp.Goroutine(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				io.Copy(io.Discard, r.Body)
			}))
			eachClear2(t, waits, nil, func(t *testing.T, url string) {
				r := dial2(t, url)
				sent := make(chan int, 1)
				go func() {
					i := 0
					err := r.send(flood.first)
					for ; i < 1<<20 && err == nil; i += 50 {
						var p strings.Builder
						for k := range 50 {
							p.WriteString(flood.one(i + k))
						}
						err = r.send(p.String())
					}
					sent <- i
				}()
				code, err := r.ends()
				r.Close()
				if n := patience.Recv(t, "the end of the flood", sent); n >= 1<<20 {
					t.Errorf("%d were taken", n)
				}
				if code != calm && (code != 1<<31 || !errors.Is(err, posix.ECONNRESET)) { // which may have destroyed it
					t.Errorf("GOAWAY with code %#x (%v)", code, err)
				}
			})
		})
	}
}

func open2(i int) string { return made(headers, endHeaders, uint32(2*i+1), head("POST", "/")) }

// What is wrong with a connection ends it, with the right code, and what is wrong with a stream that stream.
func TestFrameErrors(t *testing.T) {
	bomb := func(kind byte) string {
		return made(kind, 0, 1, strings.Repeat("\x00\x01a\x01b", 3000))
	}
	large := strings.Repeat("x", 16384)
	get := func(more ...string) string { return made(headers, endHeaders|endStream, 1, head("GET", "/", more...)) }
	post := func(more ...string) string { return made(headers, endHeaders, 1, head("POST", "/", more...)) }
	open := post()
	var bodies string // of streams that each keep to their window
	for i := range 20 {
		bodies += open2(i) + strings.Repeat(made(data, 0, uint32(2*i+1), large[:16000]), 4)
	}
	for name, c := range map[string]struct {
		sent string
		end  uint32 // of the connection; 0: of the stream
		code uint32
	}{
		"frame size 0":             {made(settings, 0, 0, setting(5, 0)), 1, protocolError},
		"extended CONNECT 2":       {made(settings, 0, 0, setting(8, 2)), 1, protocolError},
		"frame too long":           {made(ping, 0, 0, strings.Repeat("x", 16385)), 1, sizeError},
		"window too large":         {made(settings, 0, 0, setting(4, 1<<31)), 1, flowError},
		"too many settings":        {made(settings, 0, 0, strings.Repeat(setting(4, 1), 200)), 1, calm},
		"connection's window over": {made(window, 0, 0, word(1<<31-1)), 1, flowError},
		"stream's window over":     {open + made(window, 0, 1, word(1<<31-1)), 0, flowError},
		"window by settings over": {open + made(window, 0, 1, word(1<<30)) +
			made(settings, 0, 0, setting(4, 1<<31-1)), 1, flowError},
		"head goes on for ever":       {bomb(headers) + strings.Repeat(bomb(continuation), 100), 1, protocolError},
		"bad compression":             {made(headers, endHeaders, 1, strings.Repeat("\xff", 10)), 1, compression},
		"even stream":                 {made(headers, endHeaders, 2, head("GET", "/")), 1, protocolError},
		"push":                        {made(push, 0, 1, word(2)), 1, protocolError},
		"upper case":                  {get("X-Big", "1"), 0, protocolError},
		"bad value":                   {get("x", "a\nb"), 0, protocolError},
		"pseudo-header twice":         {get(":path", "/x"), 0, protocolError},
		"pseudo-header behind":        {get("x", "y", ":path", "/x"), 0, protocolError},
		"no path":                     {made(headers, endHeaders|endStream, 1, head("GET", "")), 0, protocolError},
		"method that is none":         {made(headers, endHeaders|endStream, 1, head("G T", "/")), 0, protocolError},
		"two hosts":                   {get("host", "y"), 0, protocolError},
		"two lengths":                 {post("content-length", "1", "content-length", "2"), 0, protocolError},
		"a length and no body":        {get("content-length", "1"), 0, protocolError},
		"more than the length":        {post("content-length", "1") + made(data, 0, 1, "xx"), 0, protocolError},
		"less than the length":        {post("content-length", "3") + made(data, endStream, 1, "xx"), 0, protocolError},
		"trailers without an end":     {open + made(headers, endHeaders, 1, ""), 0, protocolError},
		"pseudo-header as a trailer":  {open + get(), 0, protocolError},
		"more than all windows":       {bodies, 1, flowError},
		"more than the stream window": {open + strings.Repeat(made(data, 0, 1, large), 5), 0, flowError},
	} {
		t.Run(name, func(t *testing.T) {
			waits := sockhttp.Goroutine(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				<-r.Context().Done()
			}))
			small := func(s *sockhttp.Server) { s.HTTP2 = &http.HTTP2Config{MaxReceiveBufferPerStream: 65535} }
			eachClear2(t, waits, small, func(t *testing.T, url string) {
				r := dial2(t, url)
				go r.send(c.sent)
				if c.end == 0 {
					if f := r.until(reset, 1); f.code() != c.code {
						t.Errorf("RST_STREAM with code %d, want %d", f.code(), c.code)
					}
					return
				}
				if code, err := r.ends(); code != c.code || err != nil {
					t.Errorf("GOAWAY with code %d, want %d, and then %v", code, c.code, err)
				}
			})
		})
	}
}

// Whoever resets streams does not get more handlers than streams: others wait, and too many end the connection.
func TestResetHoldsItsSlot(t *testing.T) {
	var runs, most atomic.Int64
	h := &halting{make(chan struct{}, 1000), make(chan struct{})}
	waits := sockhttp.Goroutine(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		most.Store(max(most.Load(), runs.Add(1)))
		h.in <- struct{}{}
		<-h.goes
		runs.Add(-1)
	}))
	set := func(s *sockhttp.Server) { s.HTTP2 = &http.HTTP2Config{MaxConcurrentStreams: 4} }
	eachClear2(t, waits, set, func(t *testing.T, url string) {
		r := dial2(t, url)
		h.goes = make(chan struct{})
		for i := range 24 {
			r.send(getOn(uint32(2*i+1)) + made(reset, 0, uint32(2*i+1), word(8)))
		}
		for range 4 {
			patience.Recv(t, "a handler", h.in)
		}
		if code, err := r.ends(); code != calm && !errors.Is(err, posix.ECONNRESET) { // which may destroy it
			t.Errorf("GOAWAY with code %#x (%v)", code, err)
		}
		close(h.goes)
		patience.Until(t, "the end of the handlers", func() bool { return runs.Load() == 0 })
		if most.Load() > 4 {
			t.Errorf("%d handlers ran for 4 streams", most.Load())
		}
	})
}

// A head of many fields that are one in the table is refused when it is too long, and the connection goes on.
func TestHeadTooLong(t *testing.T) {
	set := func(s *sockhttp.Server) { s.MaxHeaderBytes = 20 << 10 }
	eachClear2(t, http.HandlerFunc(echo), set, func(t *testing.T, url string) {
		r := dial2(t, url)
		big := "\x40\x01a\x7f\xb2\x1e" + strings.Repeat("b", 4017) // into the table
		p := head("GET", "/") + big + strings.Repeat("\xbe", 4000)
		r.send(made(headers, endHeaders|endStream, 1, p))
		r.until(headers, 1)
		r.fields.Close()
		if r.all[0].Value != "431" {
			t.Errorf("%v", r.all)
		}
		r.all = nil
		r.send(made(headers, endHeaders, 3, p) + made(data, 0, 3, "a body, too"))
		r.until(headers, 3)
		if r.all[0].Value != "431" {
			t.Errorf("%v", r.all)
		}
		r.all = nil
		r.send(getOn(5))
		r.until(headers, 5)
		if r.all[0].Value != "200" {
			t.Errorf("%v", r.all)
		}
	})
}

// No more of an answer's body is sent than the windows of stream and connection allow, and none of it is lost.
func TestFlowControl(t *testing.T) {
	const size = 200_000
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == "POST" {
			n, err := io.Copy(io.Discard, r.Body)
			fmt.Fprint(w, n, err)
			return
		}
		w.Write(bytes.Repeat([]byte("x"), size))
	})
	eachClear2(t, h, nil, func(t *testing.T, url string) {
		r := dial2(t, url, setting(4, 1000))
		took := func(id uint32, want int) {
			t.Helper()
			for n := 0; n < want; {
				if n += len(r.until(data, id).payload); n > want {
					t.Fatalf("%d bytes came, into a window of %d", n, want)
				}
			}
		}
		none := func(token string) { // what was to come has come before the answer
			t.Helper()
			r.send(made(ping, 0, 0, token))
			for {
				f, err := r.next()
				if err != nil || f.kind == data {
					t.Fatalf("a frame of type %d beyond the window: %v", f.kind, err)
				}
				if f.kind == ping {
					return
				}
			}
		}
		r.send(getOn(1))
		took(1, 1000)
		none("11111111")
		r.send(made(settings, 0, 0, setting(4, 500))) // the window is -500 now
		none("22222222")
		r.send(made(window, 0, 1, word(500)))
		none("33333333")
		r.send(made(window, 0, 1, word(7)))
		took(1, 7)
		r.send(made(window, 0, 1, word(size)))
		took(1, 65535-1007) // of the connection's window
		none("44444444")
		r.send(made(window, 0, 0, word(size)))
		took(1, size-65535)

		// The other way: windows are opened for what was read, and for padding.
		r.send(made(headers, endHeaders, 3, head("POST", "/")))
		const pieces, piece = 5000, 100
		piled := made(data, padded, 3, "\xff"+strings.Repeat("x", piece)+strings.Repeat("\x00", 255))
		left := [2]int{65535 + 1<<20 - 65535, 1 << 20} // of the connection, once it has opened it, and of the stream
		for range pieces {
			for left[0] < piece+256 || left[1] < piece+256 {
				f := r.until(window, 0)
				n := int(binary.BigEndian.Uint32(f.payload))
				if f.id == 0 {
					left[0] += n
				} else {
					left[1] += n
				}
			}
			r.send(piled)
			left[0] -= piece + 256
			left[1] -= piece + 256
		}
		r.send(made(data, endStream, 3, ""))
		if got, want := string(r.until(data, 3).payload), fmt.Sprint(pieces*piece, nil); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	})
}

// An answer that its peer does not read is held up, and bounded, until the peer goes, or is made to.
func TestPeerThatNeverReads(t *testing.T) {
	t.Parallel()
	var written atomic.Int64
	failed := make(chan error, 1)
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == "POST" {
			return
		}
		p := make([]byte, 16<<10)
		for {
			n, err := w.Write(p)
			if written.Add(int64(n)); err != nil {
				failed <- err
				return
			}
		}
	})
	for _, flood := range []bool{false, true} {
		t.Run(fmt.Sprint(flood), func(t *testing.T) {
			eachClear2(t, h, nil, func(t *testing.T, url string) {
				written.Store(0)
				r := dial2(t, url, setting(4, 1<<31-1))
				r.send(made(window, 0, 0, word(1<<30)) + getOn(1))
				r.until(data, 1)
				other := dial2(t, url)
				for i := range 100 { // others are served
					id := uint32(2*i + 1)
					other.send(made(headers, endHeaders|endStream, id, head("POST", "/")))
					other.until(headers, id)
				}
				if flood { // it is told of that, waited for a second, and not heard meanwhile
					pings := strings.Repeat(made(ping, 0, 0, "12345678"), 50)
					patience.Until(t, "the end of who floods", func() bool {
						for range 1000 {
							if r.send(pings) != nil {
								return true
							}
						}
						return false
					})
				}
				if !flood {
					r.Close()
				}
				if err := patience.Recv(t, "the end of the answer", failed); err == nil {
					t.Error("no error")
				}
				if n := written.Load(); n > 64<<20 {
					t.Errorf("%d bytes were taken that nobody has read", n)
				}
			})
		})
	}
}

// A peer that takes nothing does not hold its connection when that is to end.
func TestEndsWithoutReader(t *testing.T) {
	t.Parallel()
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p := make([]byte, 16<<10)
		for {
			if _, err := w.Write(p); err != nil {
				return
			}
		}
	})
	for _, how := range []string{"error", "calm", "ping", "idle"} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			var open atomic.Int32
			eachClear2(t, h, func(s *sockhttp.Server) {
				s.ConnState = func(_ net.Conn, state http.ConnState) {
					switch state {
					case http.StateNew:
						open.Add(1)
					case http.StateClosed:
						open.Add(-1)
					}
				}
				switch how {
				case "ping":
					s.HTTP2 = &http.HTTP2Config{SendPingTimeout: short, PingTimeout: short}
				case "idle":
					s.WriteTimeout, s.IdleTimeout = short, short
				}
			}, func(t *testing.T, url string) {
				r := dial2(t, url, setting(4, 1<<31-1))
				r.send(made(window, 0, 0, word(1<<30)) + getOn(1))
				for how == "idle" { // whose times may be over before it has begun
					if f, err := r.next(); err != nil || f.kind == data || f.kind == goAway {
						break
					}
				}
				if how != "idle" {
					r.until(data, 1)
				}
				switch how {
				case "error":
					r.send(made(data, 0, 0, ""))
				case "calm":
					r.send(strings.Repeat(made(ping, 0, 0, "12345678"), 5000))
				}
				patience.Until(t, "the end of the connection", func() bool { return open.Load() == 0 })
			})
		})
	}
}
