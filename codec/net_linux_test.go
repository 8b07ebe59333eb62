//go:build linux

package codec_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"ringo"
	"ringo/codec"
	"ringo/event"
	"ringo/internal/race"
	"ringo/internal/test/alloctest"
	"ringo/internal/test/patience"
	"ringo/internal/test/socktest"
	"ringo/sock"
)

// eachPlace runs f for each driver and for simulated worlds.
func eachPlace(t *testing.T, f func(t *testing.T, cfg ringo.Config)) {
	t.Helper()
	socktest.EachPlace(t, "codec", f)
}

// formats are what travels in these tests, with texts that are long here and there.
var formats = map[string]struct {
	codec codec.Codec
	frame func(b, token []byte) []byte
}{
	"lines": {&codec.Delimited{Delim: "\r\n", Max: 1 << 20}, func(b, token []byte) []byte {
		return append(append(b, token...), "\r\n"...)
	}},
	"frames": {&codec.Prefixed{Size: 4, Max: 1 << 20}, func(b, token []byte) []byte {
		return append(append(b, be(4, uint64(len(token)), "")...), token...)
	}},
	"varints": {&codec.Prefixed{Max: 1 << 20}, func(b, token []byte) []byte {
		return append(append(b, varint(uint64(len(token)), "")...), token...)
	}},
}

// texts are tokens: empty ones, short ones, and some of more than what Peek shows.
func texts(r *rand.Rand) (tokens [][]byte) {
	for i := range 200 {
		n := r.IntN(100)
		switch {
		case i%50 == 20:
			n = 65536 + r.IntN(200_000)
		case i%20 == 0:
			n = r.IntN(70_000)
		}
		p := bytes.Repeat([]byte{byte('a' + i%26)}, n)
		if n > 0 {
			p[n-1] = '\r' // as if the delimiter began
		}
		tokens = append(tokens, p)
	}
	return tokens
}

// stream is tokens as they travel.
func stream(frame func(b, token []byte) []byte, tokens [][]byte) (all []byte) {
	for _, token := range tokens {
		all = frame(all, token)
	}
	return all
}

// send writes in pieces of any size, each of which is on its way before the next.
func send(c *sock.Conn, r *rand.Rand, all []byte) error {
	for len(all) > 0 {
		n := min(len(all), 1+r.IntN(10))
		if r.IntN(3) > 0 {
			n = min(len(all), 1+r.IntN(100_000))
		}
		if _, err := c.Write(all[:n]); err != nil {
			return err
		}
		if err := c.Flush(); err != nil {
			return err
		}
		all = all[n:]
		if r.IntN(4) == 0 {
			c.Loop().Sleep(0)
		}
	}
	return nil
}

// connect makes a connection between tasks of a loop.
func connect(t *testing.T, l *ringo.Loop) (c, peer *sock.Conn) {
	t.Helper()
	ln, err := sock.Listen(l, "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	if peer, err = sock.Dial(l, "tcp", ln.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if c, err = ln.AcceptConn(); err != nil {
		t.Fatal(err)
	}
	return c, peer
}

// small has a loop with hardly any buffers, each of a few bytes.
func small(cfg ringo.Config) ringo.Config {
	cfg.Buffers, cfg.BufferSize = 2, 64
	return cfg
}

// A task finds the tokens that a peer sends in any pieces, and the end between two of them or inside of one.
func TestTasks(t *testing.T) {
	eachPlace(t, func(t *testing.T, cfg ringo.Config) {
		for i, cfg := range []ringo.Config{cfg, small(cfg)} {
			socktest.OnLoop(t, cfg, func(l *ringo.Loop) {
				for name, f := range formats {
					for _, inside := range []bool{false, true} {
						r := rand.New(rand.NewPCG(uint64(i), 7))
						tokens := texts(r)
						c, peer := connect(t, l)
						sender := l.Go(func() {
							defer peer.CloseWrite()
							all := stream(f.frame, tokens)
							if inside {
								all = append(all, "\x01"...)
							}
							if err := send(peer, r, all); err != nil {
								t.Error(err)
							}
						})
						var want error
						if inside {
							want = io.ErrUnexpectedEOF
						}
						s := codec.Scanner{Codec: f.codec}
						if n, err := compare(&s, c, tokens); n != len(tokens) || err != want {
							t.Errorf("%s: %d tokens of %d, %v", name, n, len(tokens), err)
						}
						sender.Wait()
						c.Close()
						peer.Close()
					}
				}
			})
		}
	})
}

// compare reads until the end or an error, and says how many tokens were those that are wanted.
func compare(s *codec.Scanner, c codec.Source, want [][]byte) (n int, err error) {
	for token, err := range s.Tokens(c) {
		if err != nil {
			return n, err
		}
		if n == len(want) || !bytes.Equal(token, want[n]) {
			return n, fmt.Errorf("token %d is %.50q", n, token)
		}
		n++
	}
	return n, nil
}

// served is what a test has of a server: a connection to it, and why the server ended that.
type served struct {
	peer  *sock.Conn
	ended *ringo.Chan[error]
}

// serve runs a handler on a loop and connects to it.
func serve(t *testing.T, l *ringo.Loop, h *sock.Handler) (s served, stop func()) {
	t.Helper()
	ln, err := sock.Listen(l, "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.ended = ringo.NewChan[error](1)
	closed := h.Closed
	h.Closed = func(c *sock.Conn, err error) {
		if closed != nil {
			closed(c, err)
			err, _ = c.Value().(error)
		}
		s.ended.TrySend(err)
	}
	task := l.Go(func() {
		if err := sock.Serve(l, ln, h); err != nil {
			t.Error(err)
		}
	})
	if s.peer, err = sock.Dial(l, "tcp", ln.Addr().String()); err != nil {
		t.Fatal(err)
	}
	return s, func() {
		s.peer.Close()
		ln.Close()
		task.Wait()
	}
}

// exchange has a peer send tokens and compare what comes back with them.
func exchange(t *testing.T, l *ringo.Loop, name string, peer *sock.Conn, c codec.Codec,
	frame func(b, token []byte) []byte, seed uint64) {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, 7))
	tokens := texts(r)
	sender := l.Go(func() {
		if err := send(peer, r, stream(frame, tokens)); err != nil {
			t.Error(err)
		}
		peer.CloseWrite()
	})
	if n, err := compare(&codec.Scanner{Codec: c}, peer, tokens); n != len(tokens) || err != nil {
		t.Errorf("%s: %d tokens of %d came back, %v", name, n, len(tokens), err)
	}
	sender.Wait()
}

// A Request takes what is whole and never waits for the rest, with a Scanner for each call or for all.
func TestServe(t *testing.T) {
	eachPlace(t, func(t *testing.T, cfg ringo.Config) {
		for i, cfg := range []ringo.Config{cfg, small(cfg)} {
			socktest.OnLoop(t, cfg, func(l *ringo.Loop) {
				for name, f := range formats {
					echo := func(s *codec.Scanner, c *sock.Conn) error {
						var answer []byte
						for token, err := range s.Buffered(c) {
							if err != nil {
								return err
							}
							answer = f.frame(answer[:0], token)
							if _, err := c.Write(answer); err != nil {
								return err
							}
						}
						return nil
					}
					for kind, h := range map[string]*sock.Handler{
						"each": {Unread: 1 << 20, Request: func(c *sock.Conn) error {
							return echo(&codec.Scanner{Codec: f.codec}, c)
						}},
						"all": {
							Unread: 1 << 20,
							Open: func(c *sock.Conn) error {
								c.SetValue(&codec.Scanner{Codec: f.codec})
								return nil
							},
							Request: func(c *sock.Conn) error { return echo(c.Value().(*codec.Scanner), c) },
						},
					} {
						s, stop := serve(t, l, h)
						exchange(t, l, name+", a Scanner for "+kind, s.peer, f.codec, f.frame, uint64(i))
						if err, _ := s.ended.Recv(); err != io.EOF {
							t.Errorf("%s: the server ended the connection with %v", name, err)
						}
						stop()
					}
				}
			})
		}
	})
}

// What a Scanner says of the end behind a Request, or an OnData, is whether there was a part of a token. One that is
// too long is the end.
func TestEndsOfServers(t *testing.T) {
	lines := &codec.Delimited{Delim: "\n", Max: 100}
	check := func(t *testing.T, l *ringo.Loop, sent string, want error) {
		kept := codec.Scanner{Codec: lines}
		s, stop := serve(t, l, &sock.Handler{
			Request: func(c *sock.Conn) error {
				for _, err := range kept.Buffered(c) {
					if err != nil {
						return err
					}
				}
				return nil
			},
			Closed: func(c *sock.Conn, err error) {
				if err == io.EOF {
					_, _, err = kept.Split(nil, true)
				}
				c.SetValue(err)
			},
		})
		io.WriteString(s.peer, sent)
		s.peer.CloseWrite()
		if err, _ := s.ended.Recv(); !is(err, want) {
			t.Errorf("Serve, behind %q: %v, want %v", sent, err, want)
		}
		stop()

		e := event.On(l)
		h := &lineHandler{s: codec.Scanner{Codec: lines}, ended: ringo.NewChan[error](1)}
		peer := listenBy(t, e, h)
		io.WriteString(peer, sent)
		peer.CloseWrite()
		if err, _ := h.ended.Recv(); !is(err, want) {
			t.Errorf("event, behind %q: %v, want %v", sent, err, want)
		}
		peer.Close()
		e.Stop()
		e.Wait()
	}
	eachPlace(t, func(t *testing.T, cfg ringo.Config) {
		socktest.OnLoop(t, cfg, func(l *ringo.Loop) {
			check(t, l, "", nil)
			check(t, l, "one\n", nil)
			check(t, l, "one\ntw", io.ErrUnexpectedEOF)
			check(t, l, "o", io.ErrUnexpectedEOF)
			check(t, l, strings.Repeat("x", 99)+"\n", nil)
			check(t, l, "one\n"+strings.Repeat("x", 100), bufio.ErrTooLong)
			check(t, l, "one\n"+strings.Repeat("x", 100)+"\n", bufio.ErrTooLong)
		})
	})
}

// listenBy has callbacks serve, and connects to them.
func listenBy(t *testing.T, e *event.Loop, h event.Handler) *sock.Conn {
	t.Helper()
	ln, err := e.Listen("tcp", "127.0.0.1:0", h)
	if err != nil {
		t.Fatal(err)
	}
	peer, err := sock.Dial(e.Ringo(), "tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return peer
}

// lineHandler is callbacks that send tokens back.
type lineHandler struct {
	event.Base
	s      codec.Scanner
	frame  func(b, token []byte) []byte
	answer []byte
	ended  *ringo.Chan[error]
	err    error
}

func (h *lineHandler) OnOpen(c *event.Conn) {
	c.SetUnreadMax(1 << 20)
	c.SetMarks(1<<24, 1<<25)
}

func (h *lineHandler) OnData(c *event.Conn, p []byte) (used int) {
	for {
		n, token, err := h.s.Split(p[used:], false)
		if err != nil {
			h.err = err
			c.Close()
		}
		if n == 0 {
			return used
		}
		used += n
		if h.frame != nil {
			h.answer = h.frame(h.answer[:0], token)
			if err := c.Write(h.answer); err != nil {
				h.err = err
			}
		}
	}
}

func (h *lineHandler) OnEnd(c *event.Conn) {
	_, _, h.err = h.s.Split(nil, true)
	c.Close()
}

func (h *lineHandler) OnClose(*event.Conn, error) { h.ended.TrySend(h.err) }

// Callbacks use whole tokens, and are shown the rest again.
func TestCallbacks(t *testing.T) {
	eachPlace(t, func(t *testing.T, cfg ringo.Config) {
		for i, cfg := range []ringo.Config{cfg, small(cfg)} {
			socktest.OnLoop(t, cfg, func(l *ringo.Loop) {
				for name, f := range formats {
					e := event.On(l)
					h := &lineHandler{s: codec.Scanner{Codec: f.codec}, frame: f.frame, ended: ringo.NewChan[error](1)}
					peer := listenBy(t, e, h)
					exchange(t, l, name, peer, f.codec, f.frame, uint64(i))
					if err, _ := h.ended.Recv(); err != nil {
						t.Errorf("%s: the callbacks ended with %v", name, err)
					}
					peer.Close()
					e.Stop()
					e.Wait()
				}
			})
		}
	})
}

// Goroutines, and tasks of another loop, read as tasks of the connection's loop do, by turns as well.
func TestCallersFromElsewhere(t *testing.T) {
	socktest.EachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Loops = 2
		f, end := formats["frames"], ringo.NewChan[bool](0)
		err := socktest.RunLoops(t, t.Context(), &cfg, func(l *ringo.Loop) error {
			if l.Index() != 0 {
				end.Recv()
				return nil
			}
			defer end.Close()
			r := rand.New(rand.NewPCG(3, 7))
			tokens := texts(r)
			c, peer := connect(t, l)
			defer c.Close()
			defer peer.Close()
			sender := l.Go(func() {
				if err := send(peer, r, stream(f.frame, tokens)); err != nil {
					t.Error(err)
				}
				peer.CloseWrite()
			})
			s := codec.Scanner{Codec: f.codec}
			n := 0
			some := func() error {
				for token, err := range s.Tokens(c) {
					if err != nil {
						return err
					}
					if !bytes.Equal(token, tokens[n]) {
						return fmt.Errorf("token %d is %.50q", n, token)
					}
					if n++; n%10 == 0 || n == len(tokens) {
						return nil
					}
				}
				return io.EOF
			}
			for n < len(tokens) {
				for _, by := range []func() error{some, func() error { return l.Loops()[1].Call(some) },
					func() error { return l.Offload(func(context.Context) error { return some() }) }} {
					if n == len(tokens) {
						break
					}
					if err := by(); err != nil {
						return err
					}
				}
			}
			if token, err := s.Next(nil, c); len(token) > 0 || err != io.EOF {
				t.Errorf("behind the last token: %q, %v", token, err)
			}
			sender.Wait()
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	})
}

// A wait that a deadline has ended goes on with the next loop, however much of the token had come.
func TestDeadlines(t *testing.T) {
	eachPlace(t, func(t *testing.T, cfg ringo.Config) {
		socktest.OnLoop(t, cfg, func(l *ringo.Loop) {
			s := codec.Scanner{Codec: &codec.Delimited{Delim: "\n", Max: 1 << 20}}
			c, peer := connect(t, l)
			defer c.Close()
			defer peer.Close()
			for _, n := range []int{0, 10, 65535, 65536, 200_000} {
				line := bytes.Repeat([]byte("x"), n)
				sender := l.Go(func() { peer.Write(line); peer.Flush() })
				for tries := 0; tries < 2; tries++ {
					err := l.WithTimeout(5*time.Millisecond, func() error { _, err := s.Next(nil, c); return err })
					if !errors.Is(err, os.ErrDeadlineExceeded) {
						t.Fatalf("%d bytes of a line: %v", n, err)
					}
				}
				sender.Wait()
				peer.Write([]byte("\nnext"))
				peer.Flush()
				if got, err := s.Next(nil, c); !bytes.Equal(got, line) || err != nil {
					t.Fatalf("a line of %d bytes: %d bytes, %v", n, len(got), err)
				}
				peer.Write([]byte("\n"))
				peer.Flush()
				if got, err := s.Next(nil, c); string(got) != "next" || err != nil {
					t.Fatalf("behind a line of %d bytes: %q, %v", n, got, err)
				}
			}
		})
	})
}

// A loop that is left has consumed what it has shown and nothing else, so that others may read on.
func TestLeavesTheRest(t *testing.T) {
	eachPlace(t, func(t *testing.T, cfg ringo.Config) {
		for _, cfg := range []ringo.Config{cfg, small(cfg)} {
			socktest.OnLoop(t, cfg, func(l *ringo.Loop) {
				s := codec.Scanner{Codec: &codec.Delimited{Delim: "\r\n", Max: 1 << 20}}
				c, peer := connect(t, l)
				defer c.Close()
				defer peer.Close()
				for _, n := range []int{3, 100_000} {
					line := strings.Repeat("y", n)
					sender := l.Go(func() { io.WriteString(peer, "one\r\n"+line+"\r\nraw\r\nand more") })
					got := 0
					for token, err := range s.Tokens(c) {
						if got++; err != nil || string(token) != []string{"one", line}[got-1] {
							t.Errorf("token %d: %.20q, %v", got, token, err)
						}
						if got == 2 {
							break
						}
					}
					rest := make([]byte, len("raw\r\nand more"))
					if _, err := io.ReadFull(c, rest); err != nil || string(rest) != "raw\r\nand more" {
						t.Errorf("behind a token of %d bytes: %q, %v", n, rest, err)
					}
					sender.Wait()
				}
			})
		}
	})
}

// A cancelled task, and a connection that is closed, also by the loop's body, end the loop with their errors: of what
// was here and is none of the connection's any more nothing is shown.
func TestFailures(t *testing.T) {
	eachPlace(t, func(t *testing.T, cfg ringo.Config) {
		socktest.OnLoop(t, cfg, func(l *ringo.Loop) {
			c, peer := connect(t, l)
			lines := &codec.Delimited{Delim: "\n"}
			s := codec.Scanner{Codec: lines}
			task := l.Go(func() {
				if _, err := s.Next(nil, c); !errors.Is(err, context.Canceled) {
					t.Errorf("Next of a cancelled task: %v", err)
				}
			})
			l.Sleep(0)
			task.Cancel()
			task.Wait()
			closes := func(c, peer *sock.Conn) error {
				var s codec.Scanner
				s.Codec = lines
				got := 0
				for token, err := range s.Tokens(c) {
					if got++; got == 1 && err == nil && string(token) == "one" {
						c.Close()
					} else if got != 2 || !errors.Is(err, net.ErrClosed) {
						return fmt.Errorf("value %d is %q, %v", got, token, err)
					}
				}
				if _, err := s.Next(nil, c); got != 2 || !errors.Is(err, net.ErrClosed) {
					return fmt.Errorf("%d values; Next on a closed connection: %v", got, err)
				}
				return nil
			}
			for _, by := range []func(func() error) error{
				func(f func() error) error { return f() },
				func(f func() error) error { return l.Offload(func(context.Context) error { return f() }) },
			} {
				io.WriteString(peer, "one\ntwo\nthree\n")
				peer.Flush()
				if _, err := c.Peek(14); err != nil {
					t.Error(err)
				}
				if err := by(func() error { return closes(c, peer) }); err != nil {
					t.Error(err)
				}
				peer.Close()
				c.Close()
				c, peer = connect(t, l)
			}
			peer.Close()
			c.Close()
		})
	})
}

// No round of a question and an answer allocates, whoever answers.
func TestRoundsDoNotAllocate(t *testing.T) {
	if race.Enabled {
		t.Skip("the race detector allocates")
	}
	lines := &codec.Delimited{Delim: "\n"}
	question := []byte("a question\nand another\n")
	socktest.EachDriver(t, func(t *testing.T, cfg ringo.Config) {
		socktest.OnLoop(t, cfg, func(l *ringo.Loop) {
			rounds := func(by string, peer *sock.Conn) {
				s, dst := codec.Scanner{Codec: lines}, make([]byte, 0, 100)
				n := alloctest.Least(200, 0.1, func() {
					if _, err := peer.Write(question); err != nil {
						t.Fatal(err)
					}
					for range 2 {
						var err error
						if dst, err = s.Next(dst[:0], peer); err != nil {
							t.Fatal(err)
						}
					}
				})
				if n > 0.1 {
					t.Errorf("%s: %v allocations a round", by, n)
				}
			}
			c, peer := connect(t, l)
			task := l.Go(func() {
				s, answer := codec.Scanner{Codec: lines}, []byte(nil)
				for line, err := range s.Tokens(c) {
					if answer, _ = lines.Append(answer[:0], line); err != nil {
						return
					}
					c.Write(answer)
				}
			})
			rounds("a task", peer)
			peer.Close()
			task.Wait()
			c.Close()

			var answer []byte
			served, stop := serve(t, l, &sock.Handler{Request: func(c *sock.Conn) error {
				s := codec.Scanner{Codec: lines}
				for line, err := range s.Buffered(c) {
					if err != nil {
						return err
					}
					answer, _ = lines.Append(answer[:0], line)
					c.Write(answer)
				}
				return nil
			}})
			rounds("Serve", served.peer)
			stop()

			e := event.On(l)
			h := &lineHandler{s: codec.Scanner{Codec: lines}, ended: ringo.NewChan[error](1)}
			h.frame = func(b, token []byte) []byte { b, _ = lines.Append(b, token); return b }
			peer = listenBy(t, e, h)
			rounds("event", peer)
			peer.Close()
			h.ended.Recv()
			e.Stop()
			e.Wait()
		})
	})
}

// A Conn of package net has a bufio.Reader before it, also one that is smaller than a token.
func TestOtherConnections(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 7))
	tokens := texts(r)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	f := formats["lines"]
	sent := make(chan error, 1)
	go func() {
		peer, err := net.Dial("tcp", ln.Addr().String())
		if err == nil {
			_, err = peer.Write(stream(f.frame, tokens))
			peer.Close()
		}
		sent <- err
	}()
	c, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(patience.Deadline())
	s := codec.Scanner{Codec: f.codec}
	if n, err := compare(&s, bufio.NewReader(c), tokens); n != len(tokens) || err != nil {
		t.Errorf("%d tokens of %d, %v", n, len(tokens), err)
	}
	if err := <-sent; err != nil {
		t.Error(err)
	}
}
