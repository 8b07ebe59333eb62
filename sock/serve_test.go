package sock_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"runtime"
	"runtime/pprof"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"ringo"
	"ringo/internal/rt/labels"
	"ringo/internal/test/patience"
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
				send(t, peer, string(msg[:10]))
				if shape != "one piece" {
					eventually(t, "the handler has seen the first piece", func() bool { return shown.Load() > before })
					send(t, peer, string(msg[10:500]))
				}
				if turns := idleTurns(t, s); turns > 20 {
					t.Errorf("%d turns in 30 ms with nothing to do", turns)
				}
				send(t, peer, string(msg[len(msg)-(len(msg)-10):][max(0, 490*boolInt(shape != "one piece")):]))
				got := make([]byte, len(msg))
				if _, err := io.ReadFull(peer, got); err != nil || !bytes.Equal(got, msg) {
					t.Errorf("the frame came back wrong: %v", err)
				}
			})
		}
	})
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
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
