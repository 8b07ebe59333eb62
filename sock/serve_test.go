package sock_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"runtime/pprof"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ringo"
	"ringo/internal/handle"
	"ringo/internal/posix"
	"ringo/internal/rt/labels"
	"ringo/internal/test/patience"
	"ringo/internal/test/socktest"
	"ringo/sim"
	"ringo/sock"
)

const maxFrame = 60 << 10

var errTooLong = errors.New("the frame is too long")

func TestServeFramesInPieces(t *testing.T) {
	t.Parallel()
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		for _, size := range []int{64, 16384} {
			cfg.BufferSize = size
			s := serve(t, cfg, perRequest(&sock.Handler{Request: frames}))
			msg := framed(0, 1, 7, 100, 3)
			peer := s.dial()
			for i := 1; i < len(msg); i++ {
				wantEcho(t, peer, msg[:i], msg[i:])
			}
			single := make([][]byte, len(msg)) // one byte at a time
			for i := range msg {
				single[i] = msg[i : i+1]
			}
			wantEcho(t, peer, single...)
			long := framed(maxFrame, 0, maxFrame-1, 12345)
			wantEcho(t, peer, long)
			var chunks [][]byte
			for rest := long; len(rest) > 0; {
				n := min(len(rest), 1000)
				chunks = append(chunks, rest[:n])
				rest = rest[n:]
			}
			wantEcho(t, peer, chunks...)
			s.stop()
		}
	})
}

// A connection that rests with part of a frame costs nothing: the loop sleeps.
func TestServeRestsWithPartOfAFrame(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		for _, shape := range []string{"one piece", "two pieces", "dry"} {
			t.Run(shape, func(t *testing.T) {
				cfg := cfg
				if shape == "dry" {
					cfg.Buffers, cfg.BufferSize = 2, 64
				}
				var shown atomic.Int64
				s := serve(t, cfg, perRequest(&sock.Handler{Request: func(c *sock.Conn) error {
					defer shown.Add(1)
					return frames(c)
				}}))
				msg := framed(1000)
				peer := s.dial()
				wantEcho(t, peer, msg)
				eventually(t, "the handler is done with the first frame", func() bool { return shown.Load() > 0 })
				before := shown.Load()
				sent := 10
				send(t, peer, string(msg[:sent]))
				if shape != "one piece" {
					eventually(t, "the handler has seen the first piece", func() bool { return shown.Load() > before })
					send(t, peer, string(msg[sent:500]))
					sent = 500
				}
				if turns := idleTurns(t, s); turns > 20 {
					t.Errorf("%d turns in 30 ms with nothing to do", turns)
				}
				send(t, peer, string(msg[sent:]))
				got := make([]byte, len(msg))
				if _, err := io.ReadFull(peer, got); err != nil || !bytes.Equal(got, msg) {
					t.Errorf("the frame came back wrong: %v", err)
				}
			})
		}
	})
}

// A Request that has asked for the end of the input hears of it also behind bytes that nobody has read, however they
// came; and without an end what comes later is shown as ever.
func TestServeEndBehindInput(t *testing.T) {
	t.Parallel()
	ends := map[string]func(peer tcpPeer){
		"CloseWrite": func(peer tcpPeer) { peer.CloseWrite() },
		"reset":      func(peer tcpPeer) { peer.SetLinger(0); peer.Close() },
		"none":       nil,
	}
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.BufferSize = 64
		for how, end := range ends {
			for _, later := range []bool{false, true} {
				for _, size := range []int{1, 1000} { // which is more than waits for a reader
					t.Run(fmt.Sprintf("%s, %d, later %v", how, size, later), func(t *testing.T) {
						endBehindInput(t, cfg, end, later, size)
					})
				}
			}
		}
	})
}

func endBehindInput(t *testing.T, cfg ringo.Config, end func(tcpPeer), later bool, size int) {
	var asked, unread, goesOn, told atomic.Bool
	first := true
	s := serve(t, cfg, perRequest(&sock.Handler{Request: func(c *sock.Conn) error {
		awaits := func(what string, ok func() bool) {
			if err := patience.Poll(func() { socktest.Pause(c.Loop()) }, ok); err != nil {
				t.Errorf("%s: %v", what, err)
			}
		}
		if first {
			first = false
			c.Read(make([]byte, 1))
			handle.Sockets.Ends(c, func() { told.Store(true) })
			asked.Store(true)
			awaits("what is behind the first byte", func() bool { return c.Buffered() > 0 })
			unread.Store(true)
			awaits("the end, or the word to go on", func() bool { return told.Load() || goesOn.Load() })
			handle.Sockets.Ends(c, nil)
		}
		p := make([]byte, c.Buffered())
		c.Read(p)
		c.Write(p)
		return nil
	}}))
	peer := s.dial()
	if rest := strings.Repeat("b", size); later {
		send(t, peer, "a")
		eventually(t, "somebody asks for the end", asked.Load)
		send(t, peer, rest)
	} else {
		send(t, peer, "a"+rest)
	}
	eventually(t, "the rest is there", unread.Load)
	if end != nil {
		end(peer)
		eventually(t, "it is told", told.Load)
	} else {
		goesOn.Store(true)
		got := make([]byte, size+1)
		_, err := io.ReadFull(peer, got[:size])
		send(t, peer, "c")
		if err == nil {
			_, err = io.ReadFull(peer, got[size:])
		}
		if err != nil || got[size] != 'c' || told.Load() {
			t.Errorf("the rest is %q, %v, told %v", got, err, told.Load())
		}
	}
	peer.Close() // the drain waits for no request
	s.stop()
}

// Input that comes while Request runs, whatever it waits for, is shown to it again,
// and never to two at once.
func TestServeInputWhileRunning(t *testing.T) {
	t.Parallel()
	waits := map[string]func(c *sock.Conn) error{
		"Sleep": func(c *sock.Conn) error { return c.Loop().Sleep(2 * time.Millisecond) },
		"Offload": func(c *sock.Conn) error {
			return c.Loop().Offload(func(context.Context) error { time.Sleep(2 * time.Millisecond); return nil })
		},
		"Peek": func(c *sock.Conn) error {
			c.SetReadDeadline(time.Now().Add(2 * time.Millisecond))
			_, err := c.Peek(1000)
			c.SetReadDeadline(never)
			if errors.Is(err, os.ErrDeadlineExceeded) || err == io.EOF {
				err = nil
			}
			return err
		},
		"nothing": func(c *sock.Conn) error { return nil },
	}
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		for name, wait := range waits {
			t.Run(name, func(t *testing.T) {
				h := &sock.Handler{Request: func(c *sock.Conn) error {
					if c.Value() == "busy" {
						t.Error("Request runs twice at once")
					}
					c.SetValue("busy")
					defer c.SetValue("idle")
					p := make([]byte, c.Buffered())
					c.Read(p) // all that it is shown
					if err := wait(c); err != nil {
						return err
					}
					_, err := c.Write(p)
					return err
				}}
				s := serve(t, cfg, perRequest(h))
				peer := s.dial()
				msg := make([]byte, 100)
				pattern(msg, 0)
				var pieces [][]byte
				for i := range msg {
					pieces = append(pieces, msg[i:i+1])
				}
				wantEcho(t, peer, pieces...)
			})
		}
	})
}

// Requests of many connections wait in Write for slow peers while others are served.
func TestServeParksInWrite(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Buffers, cfg.BufferSize = 16, 4096
		s := serve(t, cfg, perRequest(&sock.Handler{Request: func(c *sock.Conn) error {
			for c.Buffered() > 0 {
				lease, err := c.Next()
				if err != nil {
					return err
				}
				_, err = c.Write(bytes.Repeat(lease.Bytes(), 100))
				lease.Release()
				if err != nil {
					return err
				}
			}
			return nil
		}}))
		var slow []tcpPeer
		for range 8 {
			peer := s.dial()
			slow = append(slow, peer)
			send(t, peer, string(make([]byte, 200_000)))
		}
		honest := s.dial()
		for range 20 {
			send(t, honest, "x")
			if _, err := io.ReadFull(honest, make([]byte, 100)); err != nil {
				t.Fatal(err)
			}
		}
		for _, peer := range slow {
			if n, err := io.CopyN(io.Discard, peer, 100*200_000); err != nil {
				t.Errorf("a slow peer got %d bytes: %v", n, err)
			}
		}
	})
}

// A handler that reads to the end by itself is done with the connection.
func TestServeRequestReadsToTheEnd(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		closed := make(chan error, 10)
		var got []byte
		read := make(chan int, 10)
		s := serve(t, cfg, perRequest(&sock.Handler{
			Request: func(c *sock.Conn) (err error) {
				p, err := io.ReadAll(io.TeeReader(c, writerFunc(func(p []byte) (int, error) {
					read <- len(p)
					return len(p), nil
				})))
				got = append(got, p...)
				return err
			},
			Closed: func(_ *sock.Conn, err error) { closed <- err },
		}))
		peer := s.dial()
		for _, part := range []string{"all ", "of it"} { // each by itself
			send(t, peer, part)
			for n := 0; n < len(part); {
				n += <-read
			}
		}
		peer.CloseWrite()
		patience.Within(t.Name(), func() {
			if err := <-closed; err != io.EOF {
				t.Errorf("Closed(%v), want io.EOF", err)
			}
		})
		if n, err := peer.Read(make([]byte, 1)); n != 0 || err != io.EOF {
			t.Errorf("the peer's Read() = %d, %v", n, err)
		}
		if string(got) != "all of it" {
			t.Errorf("the handler read %q", got)
		}
	})
}

// What is unread is kept, up to the bound.
func TestServeUnread(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.BufferSize, cfg.Buffers = 256, 8
		for _, c := range []struct{ unread, send int }{{0, 65536}, {100, 100}, {5000, 5000}, {200_000, 200_000}} {
			full := make(chan struct{}, 1)
			closed := make(chan error, 1)
			s := serve(t, cfg, perRequest(&sock.Handler{
				Unread: c.unread,
				Request: func(conn *sock.Conn) error {
					if conn.Buffered() == c.send {
						p, err := conn.Peek(c.send)
						if bad := mismatch(p, 0); err != nil || bad >= 0 {
							t.Errorf("Peek of all: %v, wrong byte at %d", err, bad)
						}
						select {
						case full <- struct{}{}:
						default:
						}
					}
					return nil
				},
				Closed: func(_ *sock.Conn, err error) { closed <- err },
			}))
			peer := s.dial()
			msg := make([]byte, c.send)
			pattern(msg, 0)
			send(t, peer, string(msg))
			patience.Within(t.Name(), func() { <-full })
			send(t, peer, "!") // one more than may be left
			patience.Within(t.Name(), func() {
				if err := <-closed; err == nil || err.Error() != "bufio: buffer full" {
					t.Errorf("Unread %d: Closed(%v), want bufio.ErrBufferFull", c.unread, err)
				}
			})
			s.stop()
		}
	})
}

func TestServeRefuses(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		onLoop(t, cfg, func(l *ringo.Loop) {
			ln := listen(t, l)
			defer ln.Close()
			for name, h := range map[string]*sock.Handler{
				"no handler": nil, "no Request": {}, "negative Unread": {Request: frames, Unread: -1},
			} {
				if err := sock.Serve(l, ln, h); err == nil {
					t.Errorf("Serve with %s: no error", name)
				}
			}
		})
	})
}

// handlerLabels gives the labels that a profile shows of the caller. One calls it at a time: the profile is searched
// for its name.
//
//go:noinline
func handlerLabels() string {
	var profile bytes.Buffer
	pprof.Lookup("goroutine").WriteTo(&profile, 1)
	for record := range strings.SplitSeq(profile.String(), "\n\n") {
		if !strings.Contains(record, "sock_test.handlerLabels") {
			continue
		}
		for line := range strings.SplitSeq(record, "\n") {
			if set, ok := strings.CutPrefix(line, "# labels: "); ok {
				return set
			}
		}
	}
	return ""
}

// Handlers have the labels of who called Serve or ListenAndServe, however many tasks with others ran in between.
func TestHandlersInheritLabels(t *testing.T) {
	if !labels.Readable() {
		t.Skip("labels can't be read on " + runtime.GOARCH)
	}
	labelled := func(value string, f func() error) (err error) {
		pprof.Do(context.Background(), pprof.Labels("who", value), func(context.Context) { err = f() })
		return err
	}
	answer := func(c *sock.Conn) error {
		_, err := io.WriteString(c, handlerLabels()+"\n")
		return err
	}
	h := &sock.Handler{Request: func(c *sock.Conn) error {
		if _, err := io.ReadFull(c, make([]byte, 2)); err != nil {
			return err
		}
		return answer(c)
	}}
	ask := func(t *testing.T, addr, want string) {
		t.Helper()
		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		in := bufio.NewReader(c)
		for range 3 {
			io.WriteString(c, "?\n")
			if got, err := in.ReadString('\n'); err != nil || got != want+"\n" {
				t.Errorf("a handler has labels %q, %v; want %s", got, err, want)
			}
		}
	}
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		s := serve(t, cfg, func(l *ringo.Loop, ln *sock.Listener) error {
			return labelled("serve", func() error {
				l.Go(func() { labelled("other", func() error { return nil }) }).Wait()
				return sock.Serve(l, ln, h)
			})
		})
		ask(t, s.addr, `{"who":"serve"}`)

		addr := freeAddr(t)
		stop := func() {}
		labelled("listen", func() error {
			stop = listenAndServe(t, cfg, addr, func(c *sock.Conn) {
				for h.Request(c) == nil {
				}
			})
			return nil
		})
		defer stop()
		ask(t, addr, `{"who":"listen"}`)
	})
}

// diary notes what a Handler is called for, per connection.
type diary struct {
	mu    sync.Mutex
	lines map[*sock.Conn][]string
	ends  chan error
}

func (d *diary) note(c *sock.Conn, line string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.lines == nil {
		d.lines = map[*sock.Conn][]string{}
	}
	d.lines[c] = append(d.lines[c], line)
}

// over gives h's calls a diary, and checks that each connection's entries are Open,
// Requests, Closed, in that order.
func (d *diary) over(h sock.Handler) *sock.Handler {
	d.ends = make(chan error, 100)
	open, request, closed := h.Open, h.Request, h.Closed
	h.Open = func(c *sock.Conn) error {
		d.note(c, "open")
		if open != nil {
			return open(c)
		}
		return nil
	}
	h.Request = func(c *sock.Conn) error {
		d.note(c, "request")
		return request(c)
	}
	h.Closed = func(c *sock.Conn, err error) {
		d.note(c, "closed")
		if werr := write(c); !errors.Is(werr, net.ErrClosed) {
			d.note(c, fmt.Sprint("still open: ", werr))
		}
		if closed != nil {
			closed(c, err)
		}
		d.ends <- err
	}
	return &h
}

// requests counts the calls of Request.
func (d *diary) requests() (n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, lines := range d.lines {
		for _, line := range lines {
			if line == "request" {
				n++
			}
		}
	}
	return n
}

// conns is how many connections there have been.
func (d *diary) conns() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.lines)
}

// wantEnd waits for a connection's Closed.
func (d *diary) wantEnd(t *testing.T, what string, want error) {
	t.Helper()
	patience.Within(t.Name()+": Closed", func() {
		if err := <-d.ends; !errors.Is(err, want) {
			t.Errorf("%s: Closed(%v), want %v", what, err, want)
		}
	})
}

// check looks at the order of all calls, after the server's end.
func (d *diary) check(t *testing.T, conns int) {
	t.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.lines) != conns {
		t.Errorf("%d connections were opened, want %d", len(d.lines), conns)
	}
	for _, lines := range d.lines {
		requests := slices.DeleteFunc(slices.Clone(lines), func(s string) bool { return s == "request" })
		if lines[0] != "open" || lines[len(lines)-1] != "closed" || len(requests) != 2 {
			t.Errorf("calls: %s, want open, requests and one closed", strings.Join(lines, ", "))
		}
	}
}

var errHandler = errors.New("the handler's own")

// endings are the ways in which a served connection ends. provoke is the peer's
// part.
var endings = []struct {
	name    string
	h       sock.Handler
	cfg     func(*ringo.Config)
	provoke func(t *testing.T, s *server, peer tcpPeer)
	want    error
}{
	{name: "EOF", provoke: func(_ *testing.T, _ *server, peer tcpPeer) { peer.CloseWrite() }, want: io.EOF},
	{name: "EOF with bytes unread", provoke: func(t *testing.T, _ *server, peer tcpPeer) {
		send(t, peer, "\x00\x00\x00\x10part")
		peer.CloseWrite()
	}, want: io.EOF},
	{name: "reset", provoke: func(_ *testing.T, _ *server, peer tcpPeer) {
		reset(peer)
	}, want: posix.ECONNRESET},
	{name: "Request's error", h: sock.Handler{Request: func(*sock.Conn) error {
		return errHandler
	}}, provoke: sendOne, want: errHandler},
	{name: "Open's error", h: sock.Handler{Open: func(*sock.Conn) error { return errHandler }}, want: errHandler},
	{name: "Open closes", h: sock.Handler{Open: func(c *sock.Conn) error { return c.Close() }}, want: net.ErrClosed},
	{name: "Request closes", h: sock.Handler{Request: func(c *sock.Conn) error {
		return c.Close()
	}}, provoke: sendOne, want: net.ErrClosed},
	{name: "a deadline of Open passes", h: sock.Handler{Open: func(c *sock.Conn) error {
		return c.SetReadDeadline(time.Now().Add(2 * time.Millisecond))
	}}, want: os.ErrDeadlineExceeded},
	{name: "a deadline of Request passes between requests", h: sock.Handler{Request: func(c *sock.Conn) error {
		return c.SetReadDeadline(time.Now().Add(2 * time.Millisecond))
	}}, provoke: sendOne, want: os.ErrDeadlineExceeded},
	{name: "another task sets a deadline at rest", h: sock.Handler{Request: func(c *sock.Conn) error {
		c.Loop().AfterFunc(2*time.Millisecond, func() { c.SetReadDeadline(time.Now().Add(2 * time.Millisecond)) })
		return nil
	}}, provoke: sendOne, want: os.ErrDeadlineExceeded},
	{name: "another task brings a deadline forward at rest", h: sock.Handler{Request: func(c *sock.Conn) error {
		c.Loop().AfterFunc(2*time.Millisecond, func() { c.SetReadDeadline(longAgo) })
		return c.SetReadDeadline(time.Now().Add(time.Hour))
	}}, provoke: sendOne, want: os.ErrDeadlineExceeded},
	{name: "a deadline passes in Request", h: sock.Handler{Request: func(c *sock.Conn) error {
		c.SetReadDeadline(time.Now().Add(time.Millisecond))
		c.Peek(1000)
		return nil
	}}, provoke: sendOne, want: os.ErrDeadlineExceeded},
	{name: "a deadline in the past", h: sock.Handler{Open: func(c *sock.Conn) error {
		return c.SetReadDeadline(longAgo)
	}}, want: os.ErrDeadlineExceeded},
	{name: "too much unread", h: sock.Handler{Unread: 3, Request: func(*sock.Conn) error { return nil }},
		provoke: func(t *testing.T, _ *server, peer tcpPeer) { send(t, peer, "four") }, want: bufio.ErrBufferFull},
	{name: "a panic in Request", h: sock.Handler{Request: func(*sock.Conn) error {
		panic("on purpose")
	}}, cfg: ignorePanics, provoke: sendOne, want: sock.ErrNoReturn},
	{name: "a panic in Open", h: sock.Handler{Open: func(*sock.Conn) error {
		panic("on purpose")
	}}, cfg: ignorePanics, want: sock.ErrNoReturn},
	{name: "Goexit in Request", h: sock.Handler{Request: func(*sock.Conn) error {
		runtime.Goexit()
		return nil
	}}, provoke: sendOne, want: sock.ErrNoReturn},
	{name: "Goexit in Open", h: sock.Handler{Open: func(*sock.Conn) error {
		runtime.Goexit()
		return nil
	}}, want: sock.ErrNoReturn},
	{name: "another task closes it at rest", h: sock.Handler{Request: func(c *sock.Conn) error {
		c.Loop().AfterFunc(time.Millisecond, func() { c.Close() })
		return nil
	}}, provoke: sendOne, want: net.ErrClosed},
	{name: "another task detaches it at rest", h: sock.Handler{Request: func(c *sock.Conn) error {
		c.Loop().AfterFunc(time.Millisecond, func() {
			if n, err := c.DetachConn(); err == nil { // the same in a world, which has descriptors of its own
				n.Close()
			} else {
				c.Close()
			}
		})
		return nil
	}}, provoke: sendOne, want: net.ErrClosed},
	{name: "another task moves it at rest", cfg: func(cfg *ringo.Config) { cfg.Loops = 2 },
		h: sock.Handler{Request: func(c *sock.Conn) error {
			c.Loop().AfterFunc(time.Millisecond, func() {
				if moved, err := c.MoveTo(otherLoop(c.Loop())); err == nil {
					moved.Loop().Go(func() { moved.Close() })
				}
			})
			return nil
		}}, provoke: sendOne, want: net.ErrClosed},
	{name: "another task closes it in Request", h: sock.Handler{Request: func(c *sock.Conn) error {
		c.Loop().Go(func() { c.Close() })
		_, err := c.Peek(1000)
		return err
	}}, provoke: sendOne, want: net.ErrClosed},
	{name: "another task closes it while it is queued", h: sock.Handler{Request: func(c *sock.Conn) error {
		c.Loop().Post(func() { c.Close() })
		return nil
	}}, provoke: func(t *testing.T, _ *server, peer tcpPeer) {
		for range 10 {
			peer.Write([]byte("x"))
		}
	}, want: net.ErrClosed},
	{name: "drain at rest", provoke: func(t *testing.T, s *server, peer tcpPeer) {
		wantEcho(t, peer, framed(1)) // a drain waits five seconds for who has not spoken yet
		s.cancel()
	}, want: net.ErrClosed},
	{name: "drain at rest with bytes unread", cfg: func(cfg *ringo.Config) {
		cfg.Grace = 100 * time.Millisecond // all of it is for who has sent a part
	}, provoke: func(t *testing.T, s *server, peer tcpPeer) {
		wantEcho(t, peer, framed(1))
		send(t, peer, "\x00\x00\x00\x10part")
		idleTurns(t, s)
		s.cancel()
	}, want: net.ErrClosed},
	{name: "cancelled in Request", h: sock.Handler{Request: func(c *sock.Conn) error {
		_, err := c.Peek(1000)
		return err
	}}, cfg: func(cfg *ringo.Config) { cfg.Grace = -1 }, provoke: func(t *testing.T, s *server, peer tcpPeer) {
		sendOne(t, s, peer)
		idleTurns(t, s)
		s.cancel()
	}, want: context.Canceled},
}

func sendOne(t *testing.T, _ *server, peer tcpPeer) { send(t, peer, "x") }

func ignorePanics(cfg *ringo.Config) { cfg.OnPanic = func(*ringo.Loop, any, []byte) {} }

// However a connection ends, Closed says so, once, and the peer sees the end.
func TestServeEndings(t *testing.T) {
	t.Parallel()
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		for _, e := range endings {
			t.Run(e.name, func(t *testing.T) {
				t.Parallel()
				cfg := cfg
				if e.cfg != nil {
					e.cfg(&cfg)
				}
				h := e.h
				if h.Request == nil {
					h.Request = frames
				}
				var d diary
				s := serve(t, cfg, perRequest(d.over(h)))
				peer := s.dial()
				eventually(t, "Open", func() bool { d.mu.Lock(); defer d.mu.Unlock(); return len(d.lines) == 1 })
				if e.provoke != nil {
					e.provoke(t, s, peer)
				}
				d.wantEnd(t, e.name, e.want)
				if _, err := io.Copy(io.Discard, peer); err != nil && e.name != "reset" &&
					!errors.Is(err, posix.ECONNRESET) {
					t.Errorf("the peer's Read: %v", err)
				}
				s.stop()
				d.check(t, 1)
			})
		}
	})
}

// A greeting is sent before anything comes.
func TestServeOpenGreets(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		var d diary
		s := serve(t, cfg, perRequest(d.over(sock.Handler{
			Open: func(c *sock.Conn) error {
				c.SetValue(0)
				_, err := c.Write([]byte("hello"))
				return err
			},
			Request: func(c *sock.Conn) error {
				n := c.Buffered()
				c.Discard(n)
				c.SetValue(c.Value().(int) + n)
				_, err := fmt.Fprintf(c, "%03d", c.Value())
				return err
			},
			Closed: func(c *sock.Conn, _ error) {
				if c.Value() != 3 {
					t.Errorf("Value() = %v in Closed, want 3", c.Value())
				}
			},
		})))
		peer := s.dial()
		got := make([]byte, 5)
		if _, err := io.ReadFull(peer, got); err != nil || string(got) != "hello" {
			t.Fatalf("%q, %v", got, err)
		}
		for i := range 3 {
			send(t, peer, "x")
			if _, err := io.ReadFull(peer, got[:3]); err != nil || string(got[:3]) != fmt.Sprintf("%03d", i+1) {
				t.Fatalf("%q, %v", got[:3], err)
			}
		}
		peer.CloseWrite()
		d.wantEnd(t, "the end", io.EOF)
		s.stop()
		d.check(t, 1)
	})
}

// A deadline that is moved on by each request closes only who goes quiet.
func TestServeDeadlineMoves(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		for span := 30 * time.Millisecond; ; span *= 2 {
			var d diary
			s := serve(t, cfg, perRequest(d.over(sock.Handler{Request: func(c *sock.Conn) error {
				c.Discard(c.Buffered())
				return c.SetReadDeadline(time.Now().Add(span)) // the loop's clock is of when its turn began
			}})))
			peer := s.dial()
			last := time.Now()
			inTime := true
			for begin := last; inTime && last.Sub(begin) < 2*span; {
				send(t, peer, "x")
				time.Sleep(span / 10)
				now := time.Now()
				inTime = now.Sub(last) < span/2
				last = now
				select {
				case err := <-d.ends:
					if inTime {
						t.Fatalf("closed with %v after %v", err, last.Sub(begin))
					}
				default:
				}
			}
			if !inTime && span < patience.Max/10 {
				s.stop()
				continue // the sender was too slow to tell
			}
			d.wantEnd(t, "a quiet peer", os.ErrDeadlineExceeded)
			if took := time.Since(last); took < span/2 {
				t.Errorf("closed %v after the last byte, the deadline is %v", took, span)
			}
			return
		}
	})
}

// At drain connections at rest are closed at once, also while others are busy; those
// end with their Request, and their last bytes arrive.
func TestServeDrain(t *testing.T) {
	t.Parallel()
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		var d diary
		working := make(chan bool, 1)
		finish := make(chan bool)
		s := serve(t, cfg, perRequest(d.over(sock.Handler{Request: func(c *sock.Conn) error {
			p := make([]byte, c.Buffered())
			c.Read(p)
			if string(p) == "work" {
				working <- true
				awaitIn(c.Loop(), finish)
			}
			_, err := c.Write(p)
			return err
		}})))
		var idle []tcpPeer
		for range 10 {
			peer := s.dial()
			wantEcho(t, peer, []byte("x"))
			idle = append(idle, peer)
		}
		busy := s.dial()
		send(t, busy, "work")
		<-working
		s.cancel()
		for _, peer := range idle {
			if n, err := peer.Read(make([]byte, 1)); n != 0 || err != io.EOF {
				t.Errorf("a peer at rest: Read() = %d, %v, want the end", n, err)
			}
		}
		for range idle {
			d.wantEnd(t, "at rest", net.ErrClosed)
		}
		eventually(t, "the port to be free", func() bool {
			c, err := net.Dial("tcp", s.addr)
			if err == nil {
				c.Close()
			}
			return errors.Is(err, posix.ECONNREFUSED)
		})
		close(finish)
		got, err := io.ReadAll(busy)
		if string(got) != "work" || err != nil {
			t.Errorf("the busy peer got %q, %v", got, err)
		}
		d.wantEnd(t, "busy", net.ErrClosed)
		s.stop()
		d.check(t, 11)
	})
}

// A Handler's Drain is called once for each connection when it is between two requests in a drain, which goes on as
// long as Drain has it.
func TestServeDrainTells(t *testing.T) {
	t.Parallel()
	errDrain := errors.New("not here")
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		var d diary
		ends := []error{errDrain, os.ErrDeadlineExceeded, net.ErrClosed} // in whatever order
		working := make(chan bool, 1)
		finish := make(chan bool)
		h := d.over(sock.Handler{
			Request: func(c *sock.Conn) error {
				p := make([]byte, c.Buffered())
				c.Read(p)
				c.SetValue(string(p))
				if string(p) == "work" {
					working <- true
					awaitIn(c.Loop(), finish)
				}
				_, err := c.Write(p)
				return err
			},
			Drain: func(c *sock.Conn) error {
				d.note(c, "request") // in whose place it is
				c.Write([]byte("bye"))
				switch c.Value() {
				case "fails":
					return errDrain
				case "limits":
					c.SetReadDeadline(c.Loop().Now().Add(time.Millisecond))
				case "closes":
					c.Close()
				}
				return nil
			},
		})
		s := serve(t, cfg, perRequest(h))
		peers := map[string]tcpPeer{}
		for _, does := range []string{"stays", "fails", "limits", "closes", "work"} {
			peers[does] = s.dial()
			if does != "work" {
				wantEcho(t, peers[does], []byte(does))
			}
		}
		send(t, peers["work"], "work")
		<-working
		peers[""] = s.dial() // and says nothing
		eventually(t, "all to be served", func() bool { return d.conns() == len(peers) })
		s.cancel()
		for _, does := range []string{"fails", "limits", "closes"} {
			if got, err := io.ReadAll(peers[does]); string(got) != "bye" || err != nil {
				t.Errorf("%s: the peer got %q, %v", does, got, err)
			}
		}
		patience.Within(t.Name(), func() {
			for range 3 {
				got := <-d.ends
				ends = slices.DeleteFunc(ends, func(want error) bool { return errors.Is(got, want) })
			}
		})
		if len(ends) != 0 {
			t.Errorf("Closed was not called with %v", ends)
		}
		close(finish)
		for does, want := range map[string]string{"stays": "bye", "work": "workbye", "": "bye"} {
			got := make([]byte, len(want))
			if _, err := io.ReadFull(peers[does], got); string(got) != want || err != nil {
				t.Errorf("%q: the peer got %q, %v, want %s", does, got, err, want)
			}
			wantEcho(t, peers[does], []byte("once more"))
			wantEcho(t, peers[does], []byte("and again"))
			peers[does].Close()
			d.wantEnd(t, does, io.EOF)
		}
		s.stop()
		d.check(t, 6)
	})
}

// What Drain has go on ends with Grace, and not before.
func TestServeDrainTellsUntilGrace(t *testing.T) {
	for _, lends := range []bool{false, true} {
		t.Run(fmt.Sprint("lends ", lends), func(t *testing.T) { drainTellsUntilGrace(t, lends) })
	}
}

func drainTellsUntilGrace(t *testing.T, lends bool) {
	const grace = 10 * time.Millisecond
	sim.Run(t, 1, func(w *sim.World) {
		a := w.Host("a")
		a.Lends = lends
		var d diary
		told := 0
		server := a.Run(&ringo.Config{Loops: 1, Grace: grace}, func(l *ringo.Loop) error {
			ln, err := sock.Listen(l, "tcp", "a:7000")
			if err != nil {
				return err
			}
			return sock.Serve(l, ln, d.over(sock.Handler{
				Request: func(c *sock.Conn) error {
					p := make([]byte, c.Buffered())
					c.Read(p)
					_, err := c.Write(p)
					return err
				},
				Drain: func(*sock.Conn) error { told++; return nil },
			}))
		})
		client := w.Host("b").Run(nil, func(l *ringo.Loop) error {
			l.Sleep(time.Second)
			peer, err := sock.Dial(l, "tcp", "a:7000")
			if err != nil {
				return err
			}
			defer peer.Close()
			asks := func() {
				if n, err := peer.Write([]byte("x")); n != 1 || err != nil {
					t.Errorf("Write = %d, %v", n, err)
				}
				if err := socktest.WantBytes(peer, []byte("x")); err != nil {
					t.Error(err)
				}
			}
			asks()
			begun := l.Now()
			server.Drain()
			l.Sleep(grace / 2)
			asks()
			if err := socktest.WantEOF(peer); err != nil {
				t.Error(err)
			}
			if took := l.Now().Sub(begun).Round(time.Millisecond); took != grace || told != 1 {
				t.Errorf("the end comes after %v, and Drain was called %d times, want %v, once", took, told, grace)
			}
			return nil
		})
		w.Check(w.Wait(client))
		w.Check(w.Wait(server))
		d.wantEnd(t, "after Grace", net.ErrClosed)
		d.check(t, 1)
	})
}

// Connections that did not come by the listener are served as if they had, from what they have unread, and Serve
// returns when no more come.
func TestServeMore(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		onLoop(t, cfg, func(l *ringo.Loop) {
			ln, err := sock.Listen(l, "tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			var d diary
			returned, closed := false, 0
			come := ringo.NewChan[*sock.Conn](0)
			done := l.Go(func() {
				defer func() { returned = true }()
				err := sock.Serve(l, ln, d.over(sock.Handler{
					Request: func(c *sock.Conn) error {
						p := make([]byte, c.Buffered())
						if len(p) == 0 { // the end
							return nil
						}
						c.Read(p)
						_, err := c.Write(p)
						return err
					},
					Closed: func(*sock.Conn, error) { closed++ },
					More: func(at *ringo.Loop) (*sock.Conn, error) {
						if at != l {
							t.Errorf("More is called for another loop")
						}
						return come.Recv()
					},
				}))
				if err != nil {
					t.Error(err)
				}
			})
			for i := range 3 {
				if i == 2 {
					ln.Close()
				}
				c, peer, err := sock.Pipe(l)
				if err != nil {
					t.Fatal(err)
				}
				defer peer.Close()
				wantHello := func() {
					p := make([]byte, 5)
					if n, err := io.ReadFull(peer, p); string(p) != "hello" || err != nil {
						t.Errorf("the peer read %q, %v", p[:n], err)
					}
				}
				if i > 0 { // it has been read from, and has something unread
					peer.Write([]byte("hello"))
					peer.Flush()
					if p, err := c.Peek(1); len(p) != 1 || err != nil {
						t.Errorf("Peek: %q, %v", p, err)
					}
				}
				if err := come.Send(c); err != nil {
					t.Error(err)
				}
				if i > 0 {
					wantHello()
				}
				peer.Write([]byte("hello"))
				wantHello()
				peer.Close()
			}
			for closed < 3 {
				l.Sleep(0)
			}
			for range 5 { // in which it would
				l.Yield()
			}
			if returned {
				t.Error("Serve has returned, and More has not")
			}
			come.Close()
			done.Wait()
			for range 3 {
				d.wantEnd(t, "a connection that has come", io.EOF)
			}
			d.check(t, 3)
		})
	})
}

// A Serve that is cancelled waits for no more.
func TestServeMoreCancelled(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		onLoop(t, cfg, func(l *ringo.Loop) {
			ln, err := sock.Listen(l, "tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			var d diary
			c, peer, err := sock.Pipe(l)
			if err != nil {
				t.Fatal(err)
			}
			defer peer.Close()
			never := ringo.NewChan[int](0)
			gives := []*sock.Conn{c}
			serve := l.Go(func() {
				sock.Serve(l, ln, d.over(sock.Handler{
					Request: func(c *sock.Conn) error { return nil },
					More: func(*ringo.Loop) (*sock.Conn, error) {
						if len(gives) == 0 {
							_, err := never.Recv()
							return nil, err
						}
						defer func() { gives = nil }()
						return gives[0], nil
					},
				}))
			})
			for len(gives) > 0 {
				l.Yield()
			}
			serve.Cancel()
			serve.Wait()
			ln.Close()
			d.wantEnd(t, "cancelled", net.ErrClosed)
			d.check(t, 1)
		})
	})
}

// Peers that are in the middle of talking when the drain begins are not reset:
// what they have sent is answered, in whole frames, and then comes the end.
func TestServeDrainResetsNobody(t *testing.T) {
	t.Cleanup(sock.SetLeaveMax(patience.Max)) // a machine that stands still for a second would have all reset
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		const peers = 10
		cfg.Grace = patience.Max // a busy machine takes its time
		var d diary
		s := serve(t, cfg, perRequest(d.over(sock.Handler{Request: func(c *sock.Conn) error {
			c.Loop().Sleep(50 * time.Microsecond)
			return frames(c)
		}})))
		frame := framed(500)
		var talking sync.WaitGroup
		warm := make(chan bool, peers)
		for range peers {
			peer := s.dial()
			talking.Go(func() {
				ended, answered := make(chan bool), make(chan bool)
				var writing sync.WaitGroup
				writing.Go(func() { // goes on until the end is read
					for i := 0; ; i++ {
						select {
						case <-ended:
							return
						default:
						}
						if _, err := peer.Write(frame); err != nil {
							t.Errorf("the peer's Write before the end was read: %v", err)
							return
						}
						if i == 20 {
							<-answered // until then it may be in the listener's queue only, which the end resets
							warm <- true
						}
						time.Sleep(100 * time.Microsecond)
					}
				})
				first := make([]byte, len(frame))
				_, err := io.ReadFull(peer, first)
				close(answered)
				rest, restErr := io.ReadAll(peer)
				got := append(first, rest...)
				close(ended)
				writing.Wait()
				if err = errors.Join(err, restErr); err != nil {
					t.Errorf("the peer's Read: %v", err)
				}
				if n := len(got); n == 0 || n%len(frame) != 0 {
					t.Errorf("the peer got %d bytes, which is not whole frames of %d", n, len(frame))
				}
				peer.Close()
			})
		}
		for range peers {
			<-warm
		}
		s.cancel()
		patience.Within(t.Name(), talking.Wait)
		s.stop()
		d.check(t, peers)
	})
}

// A peer that never stops sending does not hold up the drain for long.
func TestServeDrainEndsTalkers(t *testing.T) {
	t.Parallel()
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Grace = patience.Max
		var d diary
		s := serve(t, cfg, perRequest(d.over(sock.Handler{Request: func(c *sock.Conn) error {
			_, err := c.Discard(c.Buffered())
			return err
		}})))
		peer := s.dial()
		var talking sync.WaitGroup
		talking.Go(func() {
			for msg := make([]byte, 1000); ; {
				if _, err := peer.Write(msg); err != nil {
					return
				}
			}
		})
		eventually(t, "talk", func() bool { return d.requests() > 10 })
		s.stop()
		talking.Wait()
		d.check(t, 1)
	})
}

// Serve goes on with its connections when its listener is closed, until the last has gone, or it is cancelled: then it
// closes what rests.
func TestServeAfterListenerClose(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		for _, cancelled := range []bool{false, true} {
			onLoop(t, cfg, func(l *ringo.Loop) {
				ln := listen(t, l)
				var err error
				served := false
				serving := l.Go(func() { err = sock.Serve(l, ln, &sock.Handler{Request: frames}); served = true })
				peer := dial(t, ln.Addr().String())
				defer peer.Close()
				msg := framed(10)
				send(t, peer, string(msg))
				wantPeer(t, l, peer, string(msg))
				ln.Close()
				others(l)
				send(t, peer, string(msg))
				wantPeer(t, l, peer, string(msg))
				if served {
					t.Error("Serve did not wait for its connection")
				}
				if cancelled {
					serving.Cancel()
				} else {
					peer.CloseWrite()
				}
				serving.Wait()
				wantPeerEOF(t, l, peer)
				if !cancelled && err != nil {
					t.Errorf("Serve: %v", err)
				}
			})
		}
	})
}

// A cancelled Serve closes what rests, waits for what works, and says that it was
// cancelled.
func TestServeCancelled(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		onLoop(t, cfg, func(l *ringo.Loop) {
			ln := listen(t, l)
			defer ln.Close()
			var d diary
			var err error
			serving := l.Go(func() {
				err = sock.Serve(l, ln, d.over(sock.Handler{Request: func(c *sock.Conn) error {
					if p, _ := c.Peek(1); p[0] == 'w' {
						l.Sleep(5 * time.Millisecond)
					}
					_, err := c.Discard(1)
					return err
				}}))
			})
			rests := dial(t, ln.Addr().String())
			defer rests.Close()
			works := dial(t, ln.Addr().String())
			defer works.Close()
			send(t, rests, "r")
			send(t, works, "w")
			eventuallyOn(t, l, "both requests", func() bool { return d.requests() == 2 })
			serving.Cancel()
			serving.Wait()
			wantCanceled(t, "Serve", err)
			wantPeerEOF(t, l, rests)
			wantPeerEOF(t, l, works)
			d.check(t, 2)
		})
	})
}

// A request that came while the loop stood still, and in time, is read whole though the deadline has passed since, and
// another deadline counts from then on. What never came is late all the same.
func TestServeLateLoop(t *testing.T) {
	t.Parallel()
	socktest.EachDriver(t, func(t *testing.T, cfg ringo.Config) {
		var d diary
		var open []*sock.Conn
		all := make(chan bool)
		s := serve(t, cfg, perRequest(d.over(sock.Handler{
			Open: func(c *sock.Conn) error {
				if open = append(open, c); len(open) == 2 {
					close(all)
				}
				return nil
			},
			Request: func(c *sock.Conn) error {
				if _, err := c.Peek(2); err != nil {
					return err
				}
				p := make([]byte, 2)
				for i := range p {
					if _, err := c.Read(p[i : i+1]); err != nil {
						return err
					}
				}
				if err := c.SetReadDeadline(time.Time{}); err != nil {
					return err
				}
				_, err := c.Write(p)
				return err
			},
		})))
		peer, silent := s.dial(), s.dial()
		<-all
		held, release := make(chan bool), make(chan bool)
		var deadline time.Time
		open[0].Loop().Post(func() {
			for _, c := range open {
				deadline = time.Now().Add(time.Millisecond)
				c.SetReadDeadline(deadline)
			}
			close(held)
			<-release
		})
		<-held
		send(t, peer, "ab")
		eventually(t, "the deadline has passed", func() bool { return time.Now().After(deadline) })
		close(release)
		p := make([]byte, 2)
		if n, err := io.ReadFull(peer, p); err != nil {
			t.Errorf("the answer is %d bytes, %v", n, err)
		}
		d.wantEnd(t, "a peer that said nothing", os.ErrDeadlineExceeded)
		silent.Close()
		s.stop()
	})
}

// ServeSets serves several addresses, of several networks and configurations, from all loops, and at the end all who
// had connected.
func TestServeSets(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Loops = 2
		var sets []*sock.ListenerSet
		for _, a := range [][2]string{{"tcp", "127.0.0.1:0"}, {"tcp", "127.0.0.1:0"},
			{"unix", socketPath(t)}} {
			set, err := (&sock.ListenConfig{Backlog: 50}).Reserve(a[0], a[1])
			if err != nil {
				t.Fatal(err)
			}
			sets = append(sets, set)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() {
			done <- sock.ServeSets(ctx, &cfg, sets, func(c *sock.Conn) {
				io.WriteString(c, c.LocalAddr().String()+"\n")
				io.Copy(c, c)
			})
		}()
		var peers []net.Conn
		for range 3 {
			for _, set := range sets {
				peer, err := net.Dial(set.Addr().Network(), set.Addr().String())
				if err != nil {
					t.Fatal(err)
				}
				defer peer.Close()
				want := set.Addr().String() + "\n"
				p := make([]byte, len(want))
				if _, err := io.ReadFull(peer, p); err != nil || string(p) != want {
					t.Errorf("greeting %q, %v, want %q", p, err, want)
				}
				peers = append(peers, peer)
			}
		}
		var late []net.Conn
		for _, set := range sets { // who has connected by the end of ctx is served
			peer, err := net.Dial(set.Addr().Network(), set.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer peer.Close()
			late = append(late, peer)
		}
		cancel()
		for _, peer := range late {
			peer.SetDeadline(patience.Deadline())
			if n, err := peer.Read(make([]byte, 100)); n == 0 {
				t.Errorf("one that had connected to %v got no greeting: %v", peer.RemoteAddr(), err)
			}
			peer.Close()
		}
		for _, peer := range peers { // the grace
			peer.SetDeadline(patience.Deadline())
			send(t, peer, "x")
			if _, err := io.ReadFull(peer, make([]byte, 1)); err != nil {
				t.Errorf("echo in the drain: %v", err)
			}
			peer.Close()
		}
		patience.Within(t.Name(), func() {
			if err := <-done; err != nil {
				t.Errorf("ServeSets: %v", err)
			}
		})
		for _, set := range sets {
			if c, err := net.Dial(set.Addr().Network(), set.Addr().String()); err == nil {
				c.Close()
				t.Errorf("%v is still served", set.Addr())
			}
		}
	})
}

func TestServeSetsMisuse(t *testing.T) {
	fn := func(*sock.Conn) {}
	for want, got := range map[string]error{
		"ServeSets of a nil function":     sock.ServeSets(t.Context(), nil, []*sock.ListenerSet{{}}, nil),
		"ServeSets without a ListenerSet": sock.ServeSets(t.Context(), nil, nil, fn),
		"or with a nil one":               sock.ServeSets(t.Context(), nil, []*sock.ListenerSet{nil}, fn),
	} {
		if got == nil || !strings.Contains(got.Error(), want) {
			t.Errorf("%v, want %q", got, want)
		}
	}
	set, err := sock.Reserve("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	set.Close()
	if err := sock.ServeSets(t.Context(), nil, []*sock.ListenerSet{set}, fn); !errors.Is(err, net.ErrClosed) {
		t.Errorf("ServeSets of one that is closed: %v", err)
	}
}

// Handlers have the values of the block in which Serve was called, request after request.
func TestHandlersInheritValues(t *testing.T) {
	type key struct{}
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		look := func(what string, c *sock.Conn) {
			if got := c.Loop().Context().Value(key{}); got != "mine" {
				t.Errorf("%s has the value %v, want that of who called Serve", what, got)
			}
		}
		server := perRequest(&sock.Handler{
			Open:    func(c *sock.Conn) error { look("Open", c); return nil },
			Request: func(c *sock.Conn) error { look("Request", c); return frames(c) },
			Closed:  func(c *sock.Conn, _ error) { look("Closed", c) },
		})
		s := serve(t, cfg, func(l *ringo.Loop, ln *sock.Listener) error {
			ctx := context.WithValue(context.Background(), key{}, "mine")
			return l.WithContext(ctx, func() error { return server(l, ln) })
		})
		peer, msg := s.dial(), framed(100)
		wantEcho(t, peer, msg)
		wantEcho(t, peer, msg)
		peer.Close()
		s.stop()
	})
}

// Requests and datagrams are handled in the class in which their server was called, one after the other, with the
// values of the block around it.
func TestHandlersInheritClass(t *testing.T) {
	type key struct{}
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		class := ringo.NewClass("mine", 10)
		in := func(l *ringo.Loop, serve func() error) error {
			ctx := context.WithValue(context.Background(), key{}, "mine")
			return l.WithContext(ctx, func() error { return l.WithClass(class, serve) })
		}
		look := func(what string, l *ringo.Loop) {
			of := l.Stats().Classes
			if len(of) != 1 || of[0].Name != "mine" || of[0].Tasks != 2 {
				t.Errorf("in %s the classes are %v, want that of who called Serve, of two tasks", what, of)
			}
			if got := l.Context().Value(key{}); got != "mine" {
				t.Errorf("%s has the value %v, want that of who called Serve", what, got)
			}
		}
		onLoop(t, cfg, func(l *ringo.Loop) {
			ln, err := sock.Listen(l, "tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			h := &sock.Handler{
				Open: func(c *sock.Conn) error { look("Open", c.Loop()); return nil },
				Request: func(c *sock.Conn) error {
					look("Request", c.Loop())
					if c.Buffered() == 0 { // at the end
						return nil
					}
					p := make([]byte, 4)
					if _, err := io.ReadFull(c, p); err != nil {
						return err
					}
					look("Request, behind a wait", c.Loop())
					_, err := c.Write(p)
					return err
				},
				Closed: func(c *sock.Conn, _ error) { look("Closed", c.Loop()) },
			}
			served := l.Go(func() { in(l, func() error { return sock.Serve(l, ln, h) }) })
			peer, err := sock.Dial(l, "tcp", ln.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			for _, msg := range []string{"abcd", "efgh"} {
				p := make([]byte, 4)
				for _, part := range []string{msg[:1], msg[1:]} {
					if _, err := io.WriteString(peer, part); err != nil {
						t.Fatal(err)
					}
					l.Sleep(time.Microsecond)
				}
				if _, err := io.ReadFull(peer, p); err != nil || string(p) != msg {
					t.Fatalf("the peer got %q, %v, want %q", p, err, msg)
				}
			}
			peer.Close()
			ln.Close()
			served.Wait()

			c := listenPacket(t, l, "udp", "127.0.0.1:0")
			packets := &sock.PacketHandler{Packet: func(p *sock.Packet) {
				look("Packet", l)
				p.Reply(p.Bytes)
				look("Packet, behind a wait", l)
			}}
			served = l.Go(func() { in(l, func() error { return sock.ServePackets(l, c, packets) }) })
			from := peerOf(t, l, c.LocalAddr())
			for range 2 {
				post(t, from, "ask")
				wantReply(t, from, "ask")
			}
			from.Close()
			c.Close()
			served.Wait()
			if of := l.Stats().Classes; len(of) > 0 {
				t.Errorf("behind the servers the classes are %v, want none", of)
			}
		})
	})
}
