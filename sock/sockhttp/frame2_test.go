package sockhttp

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/http2/hpack"

	"ringo"
	"ringo/internal/test/socktest"
)

// scripted is a connection on which all has come already, and that keeps what is sent.
type scripted struct {
	net.Conn // nil: what else a connection can nobody asks for
	in       io.Reader
	mu       sync.Mutex
	out      bytes.Buffer
}

func (s *scripted) Read(p []byte) (int, error)       { return s.in.Read(p) }
func (s *scripted) Close() error                     { return nil }
func (s *scripted) RemoteAddr() net.Addr             { return &net.TCPAddr{} }
func (s *scripted) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (s *scripted) SetReadDeadline(time.Time) error  { return nil }
func (s *scripted) SetWriteDeadline(time.Time) error { return nil }

func (s *scripted) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.out.Write(p)
}

// Whatever a peer sends, what it gets are frames as they should be.
func FuzzHTTP2(f *testing.F) {
	var p bytes.Buffer
	e := hpack.NewEncoder(&p)
	for _, one := range [][2]string{{":method", "POST"}, {":scheme", "http"}, {":path", "/"}, {":authority", "x"},
		{"trailer", "a"}} {
		e.WriteField(hpack.HeaderField{Name: one[0], Value: one[1]})
	}
	open := append(appendFrame(nil, frameHeaders, flagEndHeaders, 1, p.Len()), p.Bytes()...)
	f.Add(open)
	f.Add(append(open, append(appendFrame(nil, frameData, flagEndStream, 1, 3), "abc"...)...))
	f.Add(append(appendFrame(nil, frameHeaders, 0, 1, 3), append(p.Bytes()[:3], append(appendFrame(nil,
		frameContinuation, flagEndHeaders, 1, p.Len()-3), p.Bytes()[3:]...)...)...))
	f.Add(appendSetting(appendFrame(nil, frameSettings, 0, 0, 6), settingWindow, 1))
	f.Add(append(open, appendWord(nil, frameWindow, 1, 5)...))
	f.Add(append(open, appendWord(nil, frameReset, 1, 8)...))
	f.Add(append(appendFrame(nil, framePing, 0, 0, 8), "12345678"...))
	f.Add(appendGoAway(nil, 0, codeNone))
	f.Fuzz(func(t *testing.T, p []byte) {
		s := &Server{ErrorLog: slog.New(slog.DiscardHandler), Handler: http.HandlerFunc(
			func(w http.ResponseWriter, r *http.Request) {
				n, _ := io.Copy(io.Discard, r.Body)
				w.Header().Set("Trailer", "After")
				w.Write(make([]byte, n%5000))
			})}
		nc := &scripted{in: io.MultiReader(bytes.NewReader([]byte(clientPreface)),
			bytes.NewReader(appendFrame(nil, frameSettings, 0, 0, 0)), bytes.NewReader(p))}
		c := newOrigin(s, context.Background(), nil).newConn(nc, &buffered{Conn: nc})
		c.serve2()
		checkFrames(t, nc.sent(), len(p) < 6)
	})
}

// sent is what has been sent so far.
func (s *scripted) sent() []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return bytes.Clone(s.out.Bytes())
}

// checkFrames wants frames as they should be, none of which is larger than one may be if the peer has said nothing.
func checkFrames(t *testing.T, q []byte, small bool) {
	t.Helper()
	d := hpack.NewDecoder(4096, nil)
	d.SetEmitFunc(func(hpack.HeaderField) {})
	for len(q) > 0 {
		if len(q) < frameHeaderSize {
			t.Fatalf("%d bytes that are no frame", len(q))
		}
		f := parseFrameHeader(q)
		if q = q[frameHeaderSize:]; f.size > len(q) || f.size > frameMax && small {
			t.Fatalf("a frame of %d bytes in %d", f.size, len(q))
		}
		f.payload = q[:f.size]
		if err := f.check(); err != nil {
			t.Fatalf("a frame of type %d: %v", f.kind, err)
		}
		if f.kind == frameHeaders || f.kind == frameContinuation {
			if _, err := d.Write(f.payload); err != nil {
				t.Fatal(err)
			}
		}
		q = q[f.size:]
	}
}

// Whatever a server sends, its answers end, and what it gets are frames as they should be.
func FuzzTransport2(f *testing.F) {
	var p bytes.Buffer
	e := hpack.NewEncoder(&p)
	for _, one := range [][2]string{{":status", "200"}, {"trailer", "a"}, {"content-length", "3"}} {
		e.WriteField(hpack.HeaderField{Name: one[0], Value: one[1]})
	}
	open := append(appendFrame(nil, frameHeaders, flagEndHeaders, 1, p.Len()), p.Bytes()...)
	f.Add(open)
	f.Add(append(open, append(appendFrame(nil, frameData, flagEndStream, 1, 3), "abc"...)...))
	f.Add(append(open, append(appendFrame(nil, frameHeaders, flagEndHeaders|flagEndStream, 1, 5),
		"\x00\x01a\x011"...)...))
	f.Add(append(appendFrame(nil, frameHeaders, 0, 1, 3), append(p.Bytes()[:3], append(appendFrame(nil,
		frameContinuation, flagEndHeaders, 1, p.Len()-3), p.Bytes()[3:]...)...)...))
	f.Add(appendSetting(appendFrame(nil, frameSettings, 0, 0, 6), settingWindow, 1))
	f.Add(append(appendWord(nil, frameWindow, 1, 5), open...))
	f.Add(append(open, appendWord(nil, frameReset, 1, 8)...))
	f.Add(append(appendFrame(nil, framePing, 0, 0, 8), "12345678"...))
	f.Add(appendGoAway(nil, 0, codeNone))
	f.Fuzz(func(t *testing.T, p []byte) {
		socktest.OnLoop(t, ringo.Config{Loops: 1}, func(l *ringo.Loop) {
			var all []*scripted
			small := len(p) < 6
			tr := &Transport{Protocols: new(http.Protocols), MaxResponseHeaderBytes: 4000}
			tr.Protocols.SetUnencryptedHTTP2(true)
			tr.DialContext = func(context.Context, string, string) (net.Conn, error) {
				if len(all) > 0 {
					p = nil // one more try is enough
				}
				nc := &scripted{in: io.MultiReader(bytes.NewReader(appendFrame(nil, frameSettings, 0, 0, 0)),
					bytes.NewReader(p))}
				all = append(all, nc)
				return nc, nil
			}
			r, err := http.NewRequest("PUT", "http://x", bytes.NewReader(make([]byte, 10_000)))
			if err != nil {
				t.Fatal(err)
			}
			if a, err := tr.RoundTrip(r); err == nil {
				io.Copy(io.Discard, a.Body)
				a.Body.Close()
			}
			tr.CloseIdleConnections()
			for _, nc := range all {
				out, ok := bytes.CutPrefix(nc.sent(), []byte(clientPreface))
				if !ok {
					t.Fatalf("the preface is %q", out)
				}
				checkFrames(t, out, small)
			}
		})
	})
}

// slow is a connection whose peer takes so much by each deadline.
type slow struct {
	scripted
	takes   int
	limited bool // there is a deadline that has not passed
}

func (s *slow) SetWriteDeadline(at time.Time) error {
	s.limited = at.After(time.Now())
	return nil
}

func (s *slow) Write(p []byte) (n int, err error) {
	if !s.limited || len(p) > s.takes {
		p, err = p[:s.takes], &net.OpError{Op: "write", Err: os.ErrDeadlineExceeded}
	}
	s.limited = false
	n, _ = s.scripted.Write(p)
	return n, err
}

// WriteByteTimeout is for a peer that takes nothing. What it takes gives it more time.
func TestWriteByteTimeout(t *testing.T) {
	sent := bytes.Repeat([]byte("0123456789"), 1000)
	for takes := range 5 {
		nc := &slow{takes: 777 * takes}
		h := &conn2{c: &buffered{Conn: nc}, limits: limits2{write: time.Hour}}
		err := h.write(sent)
		want, wanted := sent, error(nil)
		if takes == 0 {
			want, wanted = nil, os.ErrDeadlineExceeded
		}
		if !bytes.Equal(nc.out.Bytes(), want) || !errors.Is(err, wanted) || wanted == nil && err != nil {
			t.Errorf("%d bytes at a time: %d of %d went, %v", nc.takes, nc.out.Len(), len(sent), err)
		}
	}
}
