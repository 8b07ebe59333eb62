package sock_test

import (
	"context"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"ringo"
	"ringo/event"
	"ringo/internal/driver"
	"ringo/internal/driver/open"
	"ringo/internal/loop"
	"ringo/internal/op"
	"ringo/internal/posix"
	"ringo/internal/sys"
	"ringo/internal/test/patience"
	"ringo/internal/watch"
	"ringo/sock"
)

// conn is what is common to both kinds of connection.
type conn interface {
	net.Conn
	CloseRead() error
	CloseWrite() error
	SetLinger(int) error
	SetNoDelay(bool) error
	SetReadBuffer(int) error
	SetKeepAliveConfig(net.KeepAliveConfig) error
}

var _ conn = (*sock.Conn)(nil)

// connErrors are situations of a connection. None of them waits for its loop.
var connErrors = []struct {
	name string
	do   func(c conn, peer tcpPeer) error
}{
	{"read at the end", func(c conn, peer tcpPeer) error { peer.CloseWrite(); return read(c) }},
	{"read after close", func(c conn, _ tcpPeer) error { c.Close(); return read(c) }},
	{"write after close", func(c conn, _ tcpPeer) error { c.Close(); return write(c) }},
	{"empty read after close", func(c conn, _ tcpPeer) error { c.Close(); _, err := c.Read(nil); return err }},
	{"empty write after close", func(c conn, _ tcpPeer) error { c.Close(); _, err := c.Write(nil); return err }},
	{"close write after close", func(c conn, _ tcpPeer) error { c.Close(); return c.CloseWrite() }},
	{"close read after close", func(c conn, _ tcpPeer) error { c.Close(); return c.CloseRead() }},
	{"deadline after close", func(c conn, _ tcpPeer) error { c.Close(); return c.SetDeadline(time.Time{}) }},
	{"read deadline after close", func(c conn, _ tcpPeer) error {
		c.Close()
		return c.SetReadDeadline(time.Time{})
	}},
	{"write deadline after close", func(c conn, _ tcpPeer) error {
		c.Close()
		return c.SetWriteDeadline(time.Time{})
	}},
	{"option after close", func(c conn, _ tcpPeer) error { c.Close(); return c.SetNoDelay(true) }},
	{"linger after close", func(c conn, _ tcpPeer) error { c.Close(); return c.SetLinger(1) }},
	{"keep-alive after close", func(c conn, _ tcpPeer) error {
		c.Close()
		return c.SetKeepAliveConfig(net.KeepAliveConfig{Enable: true})
	}},
	{"read past its deadline", func(c conn, _ tcpPeer) error {
		c.SetReadDeadline(time.Unix(1, 0))
		return read(c)
	}},
	{"empty read past its deadline", func(c conn, _ tcpPeer) error {
		c.SetReadDeadline(time.Unix(1, 0))
		_, err := c.Read(nil)
		return err
	}},
	{"read at the end past its deadline", func(c conn, peer tcpPeer) error {
		peer.CloseWrite()
		read(c)
		c.SetReadDeadline(time.Unix(1, 0))
		return read(c)
	}},
	{"read of bytes past its deadline", func(c conn, peer tcpPeer) error {
		peer.Write([]byte("x"))
		c.SetReadDeadline(time.Unix(1, 0))
		return read(c)
	}},
	{"read at its deadline", func(c conn, _ tcpPeer) error {
		c.SetReadDeadline(time.Now().Add(2 * time.Millisecond))
		return read(c)
	}},
	{"write past its deadline", func(c conn, _ tcpPeer) error {
		c.SetWriteDeadline(time.Unix(1, 0))
		return write(c)
	}},
	{"empty write past its deadline", func(c conn, _ tcpPeer) error {
		c.SetWriteDeadline(time.Unix(1, 0))
		_, err := c.Write(nil)
		return err
	}},
	{"write at its deadline", func(c conn, _ tcpPeer) error {
		c.SetWriteDeadline(time.Now().Add(20 * time.Millisecond))
		for {
			if _, err := c.Write(make([]byte, 1<<20)); err != nil {
				return err
			}
		}
	}},
	{"write after close write", func(c conn, _ tcpPeer) error { c.CloseWrite(); return write(c) }},
	{"close write twice", func(c conn, _ tcpPeer) error { c.CloseWrite(); return c.CloseWrite() }},
	{"close write of a reset connection", func(c conn, peer tcpPeer) error {
		reset(peer)
		read(c)
		return c.CloseWrite()
	}},
	{"bad buffer size", func(c conn, _ tcpPeer) error { return c.SetReadBuffer(-1) }},
	{"read from a peer that reset", func(c conn, peer tcpPeer) error { reset(peer); return read(c) }},
	{"write to a peer that reset", func(c conn, peer tcpPeer) error {
		reset(peer)
		read(c)
		return write(c)
	}},
}

// What goes wrong on a connection looks as it does in package net.
func TestConnErrorsAsNet(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		for _, c := range connErrors {
			t.Run(c.name, func(t *testing.T) {
				want := shape(netConnError(t, c.do))
				pair(t, cfg, func(l *ringo.Loop, conn *sock.Conn, peer tcpPeer) {
					err := c.do(conn, peer)
					if op, ok := err.(*net.OpError); ok && strings.Contains(c.name, "deadline after close") {
						op.Source = nil // which package net leaves out just here
					}
					if shape(err) != want {
						t.Errorf("\n got %s (%v)\nwant %s", shape(err), err, want)
					}
				})
			})
		}
	})
}

func netConnError(t *testing.T, do func(c conn, peer tcpPeer) error) error {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	peer := dial(t, ln.Addr().String())
	defer peer.Close()
	c, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	return do(c.(*net.TCPConn), peer)
}

// Bytes that came before a reset are read before it.
func TestBytesBeforeReset(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		pair(t, cfg, func(l *ringo.Loop, c *sock.Conn, peer tcpPeer) {
			send(t, peer, "last words")
			if _, err := c.Peek(10); err != nil {
				t.Fatal(err)
			}
			reset(peer)
			l.Sleep(2 * time.Millisecond)
			wantAll(t, c, "last words")
			if err := read(c); !errors.Is(err, posix.ECONNRESET) {
				t.Errorf("Read: %v, want ECONNRESET", err)
			}
		})
	})
}

// spoiler is a driver that answers ops of one code with errors for a while, before
// it lets them through, and can break one that is in flight.
type spoiler struct {
	driver.Driver
	code   op.Code
	errs   []posix.Errno // of the next ops
	faults faults        // of the next attempts
	failed []*op.Op
	given  []posix.Errno

	flying *op.Op // the last one that was let through
	broken posix.Errno
	done   driver.Queue
}

// faults are what attempts at ops of some codes come to, and receives that are submitted. Any goroutine attempts.
type faults struct {
	codes   []op.Code
	err     posix.Errno   // EAGAIN: they would wait
	accepts []posix.Errno // of the next accepts that are attempted
	left    atomic.Int32
	failed  atomic.Int32
}

// next reports whether it is an op's turn to fail.
func (f *faults) next(o *op.Op) bool {
	if f.left.Load() == 0 || !slices.Contains(f.codes, o.Code) || f.left.Add(-1) < 0 {
		return false
	}
	f.failed.Add(1)
	return true
}

// fail has n ops of these codes fail, from now on.
func (s *spoiler) fail(err posix.Errno, n int32, codes ...op.Code) {
	s.faults.err, s.faults.codes = err, codes
	s.faults.left.Store(n)
}

func (s *spoiler) Try(o *op.Op) (int32, bool) {
	switch {
	case o.Code == op.Accept && len(s.faults.accepts) > 0: // who accepts is one at a time
		err := s.faults.accepts[0]
		s.faults.accepts = s.faults.accepts[1:]
		return posix.Result(err), true
	case o.Selects() || !s.faults.next(o):
		return s.Driver.Try(o)
	case s.faults.err == posix.EAGAIN:
		return 0, false
	}
	return posix.Result(s.faults.err), true
}

func (s *spoiler) Submit(o *op.Op) {
	if o.Code == op.Recv && s.faults.next(o) {
		o.State = op.Queued
		s.failed = append(s.failed, o)
		s.given = append(s.given, s.faults.err)
		return
	}
	if o.Code != s.code || len(s.errs) == 0 {
		if o.Code == s.code {
			s.flying = o
		}
		s.Driver.Submit(o)
		return
	}
	o.State = op.Queued
	s.failed = append(s.failed, o)
	s.given = append(s.given, s.errs[0])
	s.errs = s.errs[1:]
}

// breakOff ends the op in flight with an error. Only its loop's tasks call it.
func (s *spoiler) breakOff(err posix.Errno) {
	s.broken = err
	s.Driver.Cancel(s.flying)
}

func (s *spoiler) Wait(deadline int64, done *driver.Queue) error {
	if len(s.failed) > 0 {
		deadline = driver.Poll
	}
	s.done.Looked = false
	err := s.Driver.Wait(deadline, &s.done)
	done.Looked = s.done.Looked
	for c, ok := s.done.Pop(); ok; c, ok = s.done.Pop() {
		if c.Op == s.flying && s.broken != 0 && c.Flags&op.More == 0 {
			c.Res, s.broken = posix.Result(s.broken), 0
		}
		done.Push(c)
	}
	for i, o := range s.failed {
		o.State = op.Idle
		done.Push(driver.Completion{Op: o, Res: posix.Result(s.given[i])})
	}
	s.failed, s.given = nil, nil
	return err
}

// Cancel of an op that is about to fail changes nothing.
func (s *spoiler) Cancel(o *op.Op) {
	for _, f := range s.failed {
		if f == o {
			return
		}
	}
	s.Driver.Cancel(o)
}

// spoiled is onLoop with a spoiler for the driver.
func spoiled(t *testing.T, cfg ringo.Config, s *spoiler, body func(l *ringo.Loop)) {
	t.Helper()
	patience.Within(t.Name(), func() {
		err := loop.Run(t.Context(), &loop.Config{
			Loops: 1, Entries: 64, Buffers: 16, BufferSize: 1024, Leases: 4, Budget: 64, Grace: time.Second,
			Offload: 4, Stall: -1, HardStop: 5 * time.Second, Clock: time.Now, Warn: func(string, ...any) {},
			Observe: watch.Observe,
			Open: func(dc driver.Config) (d driver.Driver, err error) {
				s.Driver, err = open.Open(cfg.Driver, dc)
				return s, err
			},
		}, func(e *loop.Loop) error {
			l := (*ringo.Loop)(e)
			body(l)
			settle(t, l)
			return nil
		})
		if err != nil && !t.Failed() {
			t.Errorf("Run: %v", err)
		}
	})
}

// Accept hides shortages and what was wrong with a peer alone, and nothing else.
func TestAcceptErrors(t *testing.T) {
	for _, c := range []struct {
		name     string
		errs     []posix.Errno
		backoffs uint64
		visible  posix.Errno
	}{
		{"ECONNABORTED", []posix.Errno{posix.ECONNABORTED, posix.ECONNABORTED, posix.ECONNABORTED}, 0, 0},
		{"EMFILE", []posix.Errno{posix.EMFILE, posix.EMFILE}, 2, 0},
		{"ENFILE", []posix.Errno{posix.ENFILE}, 1, 0},
		{"ENOBUFS", []posix.Errno{posix.ENOBUFS}, 1, 0},
		{"ENOMEM", []posix.Errno{posix.ENOMEM}, 1, 0},
		{"ENOSPC", []posix.Errno{posix.ENOSPC, posix.ENOSPC}, 2, 0},
		{"a mixture", []posix.Errno{posix.ENOMEM, posix.ECONNABORTED, posix.EMFILE}, 2, 0},
		{"EINVAL", []posix.Errno{posix.EINVAL}, 0, posix.EINVAL},
		{"ENOMEM, then EINVAL", []posix.Errno{posix.ENOMEM, posix.EINVAL}, 1, posix.EINVAL},
	} {
		t.Run(c.name, func(t *testing.T) {
			eachDriver(t, func(t *testing.T, cfg ringo.Config) {
				spoiled(t, cfg, &spoiler{code: op.Accept, errs: c.errs}, func(l *ringo.Loop) {
					ln := listen(t, l)
					defer ln.Close()
					peer := dial(t, ln.Addr().String())
					defer peer.Close()
					before := l.Stats().Backoffs
					conn, err := ln.AcceptConn()
					if c.visible != 0 {
						if !errors.Is(err, c.visible) {
							t.Fatalf("Accept: %v, want %v", err, c.visible)
						}
						conn, err = ln.AcceptConn()
					}
					if err != nil {
						t.Fatalf("Accept: %v", err)
					}
					defer conn.Close()
					if n := l.Stats().Backoffs - before; n != c.backoffs {
						t.Errorf("%d back-offs, want %d", n, c.backoffs)
					}
					send(t, peer, "served")
					wantAll(t, conn, "served")
				})
			})
		})
	}
}

// peersErrors are errors of accept(2) that are one peer's: those that it says to treat like EAGAIN, and those that it
// has of connections beside these.
var peersErrors = []posix.Errno{posix.ECONNABORTED, posix.ECONNRESET, posix.EPERM, posix.ETIMEDOUT, posix.EOPNOTSUPP,
	sys.EPROTO, sys.ENETDOWN, sys.ENETUNREACH, sys.EHOSTDOWN, sys.EHOSTUNREACH, sys.ENONET, sys.ENOPROTOOPT,
	sys.EPROTONOSUPPORT, sys.ESOCKTNOSUPPORT, sys.ENOSR}

// acceptances are ways in which a connection gets from a listener to somebody who closes it. Each ends when one has.
var acceptances = []struct {
	name string
	do   func(l *ringo.Loop, ln *sock.Listener) error
}{
	{"a task", acceptAny},
	{"a goroutine", func(l *ringo.Loop, ln *sock.Listener) error {
		return l.Offload(func(context.Context) error { return acceptAny(l, ln) })
	}},
	{"Serve", func(l *ringo.Loop, ln *sock.Listener) error {
		came := ringo.NewChan[bool](1)
		serving := l.Go(func() {
			sock.Serve(l, ln, &sock.Handler{
				Open:    func(*sock.Conn) error { came.TrySend(true); return io.EOF },
				Request: func(*sock.Conn) error { return io.EOF },
			})
			came.Close()
		})
		defer func() { ln.Close(); serving.Wait() }()
		_, err := came.Recv()
		return err
	}},
	{"callbacks", func(l *ringo.Loop, ln *sock.Listener) error {
		e, why := event.On(l), error(nil)
		events := e.Accept(ln, acceptedEvents{ln: ln})
		events.OnClose(func(err error) { why = err })
		e.Wait()
		if errors.Is(why, net.ErrClosed) {
			return nil // by OnOpen
		}
		return why
	}},
}

func acceptAny(_ *ringo.Loop, ln *sock.Listener) error {
	c, err := ln.AcceptConn()
	if err == nil {
		c.Close()
	}
	return err
}

type acceptedEvents struct {
	event.Base
	ln *sock.Listener
}

func (a acceptedEvents) OnOpen(c *event.Conn) {
	c.Close()
	c.Loop().Ringo().Go(func() { a.ln.Close() })
}

// An error that is one peer's keeps no other out, whoever accepts, of a listener of the loop's own and of one that
// loops share; one that lasts costs pauses.
func TestAcceptGoesOnBehindPeersErrors(t *testing.T) {
	many := slices.Repeat([]posix.Errno{posix.EPERM}, 40)
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		for _, network := range []string{"tcp", "unix"} {
			for _, way := range acceptances {
				for what, errs := range map[string][]posix.Errno{"each": peersErrors, "one that lasts": many} {
					t.Run(network+"/"+way.name+"/"+what, func(t *testing.T) {
						s := new(spoiler)
						spoiled(t, cfg, s, func(l *ringo.Loop) {
							address := "127.0.0.1:0"
							if network == "unix" {
								address = socketPath(t)
							}
							set, err := sock.Reserve(network, address)
							if err != nil {
								t.Fatal(err)
							}
							defer set.Close()
							ln, err := set.Listen(l)
							if err != nil {
								t.Fatal(err)
							}
							defer ln.Close()
							peer, err := net.Dial(network, ln.Addr().String())
							if err != nil {
								t.Fatal(err)
							}
							defer peer.Close()
							s.code, s.errs = op.Accept, slices.Clone(errs)
							s.faults.accepts = slices.Clone(errs)
							if err := way.do(l, ln); err != nil {
								t.Error(err)
							}
							stats := ln.Stats()
							if n := len(s.errs); n > 0 && len(s.faults.accepts) > 0 {
								t.Errorf("%d errors are left: nobody has accepted", n)
							}
							if paused := stats.Backoffs > 0; paused != (what != "each") || stats.Errors > 0 {
								t.Errorf("%d pauses, %d errors counted", stats.Backoffs, stats.Errors)
							}
						})
					})
				}
			}
		}
	})
}

// A Serve whose listener breaks closes its connections, and says why.
func TestServeAcceptFails(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		s := &spoiler{code: op.Accept}
		spoiled(t, cfg, s, func(l *ringo.Loop) {
			ln := listen(t, l)
			defer ln.Close()
			var d diary
			var err error
			serving := l.Go(func() { err = sock.Serve(l, ln, d.over(sock.Handler{Request: frames})) })
			peer := dial(t, ln.Addr().String())
			defer peer.Close()
			msg := framed(10)
			send(t, peer, string(msg))
			wantPeer(t, l, peer, string(msg))
			s.breakOff(posix.EINVAL)
			serving.Wait()
			if !errors.Is(err, posix.EINVAL) {
				t.Errorf("Serve: %v, want EINVAL", err)
			}
			wantPeerEOF(t, l, peer)
			d.check(t, 1)
		})
	})
}

// A listener is closed and cancelled in the middle of a pause, too.
func TestAcceptPauseEnds(t *testing.T) {
	shortage := make([]posix.Errno, 1000)
	for i := range shortage {
		shortage[i] = posix.EMFILE
	}
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		spoiled(t, cfg, &spoiler{code: op.Accept, errs: shortage}, func(l *ringo.Loop) {
			ln := listen(t, l)
			var err error
			task := l.Go(func() { _, err = ln.Accept() })
			l.Sleep(20 * time.Millisecond)
			task.Cancel()
			task.Wait()
			wantCanceled(t, "Accept", err)
			l.AfterFunc(20*time.Millisecond, func() { ln.Close() })
			_, err = ln.Accept()
			wantClosed(t, "Accept", err)
		})
	})
}

// A receive or a poll that ends without bytes is begun again. One that fails is an
// error of its connection, and nobody else's.
func TestReceiveErrors(t *testing.T) {
	for _, c := range []struct {
		name    string
		code    op.Code
		errs    []posix.Errno
		visible bool
	}{
		{"a receive without a buffer", op.Recv, []posix.Errno{posix.ENOBUFS, posix.ENOBUFS, posix.ENOBUFS},
			false},
		{"a receive that nobody cancelled", op.Recv, []posix.Errno{posix.ECANCELED, posix.ECANCELED}, false},
		{"a poll that nobody cancelled", op.Poll, []posix.Errno{posix.ECANCELED, posix.ECANCELED}, false},
		{"a receive that fails", op.Recv, []posix.Errno{posix.ENOMEM}, true},
		{"a poll that fails", op.Poll, []posix.Errno{posix.ENOMEM}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			eachDriver(t, func(t *testing.T, cfg ringo.Config) {
				s := &spoiler{code: c.code, errs: c.errs}
				spoiled(t, cfg, s, func(l *ringo.Loop) {
					conn, peer := connect(t, l)
					defer peer.Close()
					defer conn.Close()
					wait := reader(l, conn)
					others(l)
					send(t, peer, "came")
					got, err := wait()
					if c.visible && len(s.errs) == 0 {
						if !errors.Is(err, posix.ENOMEM) {
							t.Errorf("Read() = %q, %v, want ENOMEM", got, err)
						}
						return
					}
					if got != "came" || err != nil {
						t.Errorf("Read() = %q, %v", got, err)
					}
					peer.CloseWrite()
					wantEOF(t, conn)
				})
			})
		})
	}
}

// A send that fails says how much went out before, and the stream goes on there.
func TestSendErrors(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		spoiled(t, cfg, &spoiler{code: op.Send, errs: []posix.Errno{posix.ENOMEM}}, func(l *ringo.Loop) {
			c, peer := connect(t, l)
			defer peer.Close()
			defer c.Close()
			msg := make([]byte, 16<<20)
			pattern(msg, 0)
			n, err := c.Write(msg)
			if n == 0 || n >= len(msg) || !errors.Is(err, posix.ENOMEM) {
				t.Fatalf("Write() = %d, %v, want some of it and ENOMEM", n, err)
			}
			writing := l.Go(func() {
				if k, err := c.Write(msg[n:]); n+k != len(msg) || err != nil {
					t.Errorf("Write of the rest = %d, %v", k, err)
				}
			})
			got := make([]byte, len(msg))
			offloaded(t, l, func() error { _, err := io.ReadFull(peer, got); return err })
			writing.Wait()
			if bad := mismatch(got, 0); bad >= 0 {
				t.Errorf("wrong byte at %d", bad)
			}
		})
	})
}
