package sock_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"ringo"
	"ringo/internal/posix"
	"ringo/internal/test/patience"
	"ringo/internal/test/socktest"
	"ringo/sock"
)

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
				return c.SetReadDeadline(c.Loop().Now().Add(span))
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
				c.Loop().Offload(func(context.Context) error { <-finish; return nil })
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

// Peers that are in the middle of talking when the drain begins are not reset:
// what they have sent is answered, in whole frames, and then comes the end.
func TestServeDrainResetsNobody(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		const peers = 10
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

// Serve goes on with its connections when its listener is closed, until the last.
func TestServeAfterListenerClose(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
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
			peer.CloseWrite()
			serving.Wait()
			if err != nil {
				t.Errorf("Serve: %v", err)
			}
		})
	})
}

// It need not wait for ever: cancelled, it closes what rests.
func TestServeCancelledAfterListenerClose(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		onLoop(t, cfg, func(l *ringo.Loop) {
			ln := listen(t, l)
			serving := l.Go(func() { sock.Serve(l, ln, &sock.Handler{Request: frames}) })
			peer := dial(t, ln.Addr().String())
			defer peer.Close()
			msg := framed(10)
			send(t, peer, string(msg))
			wantPeer(t, l, peer, string(msg))
			ln.Close()
			others(l)
			serving.Cancel()
			serving.Wait()
			wantPeerEOF(t, l, peer)
		})
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

// Tasks of one Serve share a Handler with those of other loops.
func TestServeSharedHandler(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Loops = 3
		var d diary
		s := serve(t, cfg, perRequest(d.over(sock.Handler{Request: frames})))
		var wg sync.WaitGroup
		const conns = 30
		for range conns {
			peer := s.dial()
			wg.Go(func() {
				wantEcho(t, peer, framed(100, 200, 300))
				peer.CloseWrite()
			})
		}
		wg.Wait()
		for range conns {
			d.wantEnd(t, "a peer's end", io.EOF)
		}
		s.stop()
		d.check(t, conns)
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
