package socktls_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"ringo"
	"ringo/internal/posix"
	"ringo/internal/test/socktest"
	"ringo/internal/test/testmain"
	"ringo/sock/socktls"
)

// An attack is what a peer does that has done its handshake, and has stopped reading.
type attack struct {
	name string
	do   func(f *forger) error
	// want says whether the reader's error is right; nil: the reader goes on waiting.
	want func(err error) bool
}

func is(target error) func(err error) bool {
	return func(err error) bool { return errors.Is(err, target) }
}

// alerted wants the error of an alert.
func alerted(op string) func(err error) bool {
	return func(err error) bool {
		var e *net.OpError
		return errors.As(err, &e) && e.Op == op
	}
}

func send(f *forger, records ...[]byte) error {
	for _, r := range records {
		if _, err := f.raw.Write(r); err != nil {
			return err
		}
	}
	return nil
}

var attacks = []attack{
	{"bad record", func(f *forger) error { return send(f, badRecord()) }, alerted("local error")},
	{"empty record", func(f *forger) error { return send(f, []byte{typeApplication, 3, 3, 0, 0}) },
		alerted("local error")},
	{"oversized record", func(f *forger) error { return send(f, []byte{typeApplication, 3, 3, 0xff, 0xff}) },
		func(err error) bool { _, ok := err.(tls.RecordHeaderError); return ok }},
	{"old version", func(f *forger) error { return send(f, []byte{typeApplication, 3, 0, 0, 32}) },
		func(err error) bool { _, ok := err.(tls.RecordHeaderError); return ok }},
	{"alert", func(f *forger) error { return send(f, f.seal(typeAlert, 2, 40)) }, alerted("remote error")},
	{"close_notify", func(f *forger) error { return send(f, f.seal(typeAlert, 1, 0)) }, is(io.EOF)},
	{"one KeyUpdate", func(f *forger) error { return send(f, f.keyUpdate()) }, nil},
	{"KeyUpdates", func(f *forger) error {
		for range 17 {
			if err := send(f, f.keyUpdate()); err != nil {
				return err
			}
		}
		return nil
	}, func(err error) bool { return err != nil }},
	{"KeyUpdates among data", func(f *forger) error {
		for send(f, f.keyUpdate(), f.seal(typeApplication, 'x')) == nil { // until it has heard enough
		}
		return nil
	}, is(socktls.ErrReplies)},
	{"half a header", func(f *forger) error { return send(f, []byte{typeApplication, 3, 3}) }, nil},
	{"half a record", func(f *forger) error { return send(f, f.seal(typeApplication, 'x')[:20]) }, nil},
	{"half a record and the end", func(f *forger) error {
		return errors.Join(send(f, f.seal(typeApplication, 'x')[:20]), f.raw.(*net.TCPConn).CloseWrite())
	}, is(io.ErrUnexpectedEOF)},
	{"the end", func(f *forger) error { return f.raw.(*net.TCPConn).CloseWrite() }, is(io.EOF)},
	{"reset", func(f *forger) error {
		return errors.Join(f.raw.(*net.TCPConn).SetLinger(0), f.raw.Close())
	}, func(err error) bool { // a kernel tells one of those who wait of a reset, and the others of the end
		return errors.Is(err, posix.ECONNRESET) || err == io.EOF
	}},
	{"nothing", func(*forger) error { return nil }, nil},
}

// A bystander is another connection of the loop, whose task must be served whatever comes.
type bystander struct {
	l    *ringo.Loop
	peer net.Conn
}

func stand(t testing.TB, l *ringo.Loop) (b *bystander, leave func()) {
	c, peer := connect(t, l)
	b = &bystander{l: l, peer: peer}
	echo := l.Go(func() { io.Copy(c, c); c.Close() })
	return b, func() { peer.Close(); echo.Wait() }
}

// trip goes there and back, from a goroutine.
func (b *bystander) trip() error {
	p := []byte("hello")
	if _, err := b.peer.Write(p); err != nil {
		return err
	}
	_, err := io.ReadFull(b.peer, p)
	return err
}

// served has the test's task wait for n round trips of the bystander.
func (b *bystander) served(t *testing.T, n int) {
	t.Helper()
	socktest.Offloaded(t, b.l, func() error {
		for range n {
			if err := b.trip(); err != nil {
				return fmt.Errorf("the bystander: %w", err)
			}
		}
		return nil
	})
}

// reader reads to an error.
func readAll(c io.Reader) error {
	p := make([]byte, 1<<14)
	for {
		if _, err := c.Read(p); err != nil {
			return err
		}
	}
}

// Whatever a peer does that doesn't read, whoever waits in Write, the loop goes on, readers are told what crypto/tls
// would tell them, and Close ends all.
func TestHostile(t *testing.T) {
	testmain.NeedLong(t, "18 s of forged records by all callers; TestReplies has some")
	eachCallers(t, func(t *testing.T, l *ringo.Loop, read, write starter) {
		b, leave := stand(t, l)
		defer leave()
		for _, a := range attacks {
			crowds := []int{0, 1, 3}
			if !testmain.Long() {
				crowds = []int{2}
			}
			for _, writers := range crowds {
				if fault := hostile(t, l, read, write, a, writers, b); fault != nil {
					t.Errorf("%s, %d writers: %v", a.name, writers, fault)
				}
			}
		}
	})
}

func hostile(t *testing.T, l *ringo.Loop, read, write starter, a attack, writers int, b *bystander) error {
	c, peer := pair(t, l, serverConfig())
	defer peer.Close()
	f := handshakes(t, l, c, peer)
	var ends []func()
	var written atomic.Int64
	for range writers {
		ends = append(ends, write(func() {
			p := make([]byte, 100_000)
			for {
				n, err := c.Write(p)
				if written.Add(int64(n)); err != nil {
					return
				}
			}
		}))
	}
	if writers > 0 { // they come to their wait: for a while nothing more is written
		for last, same := int64(-1), 0; same < 5; {
			if now := written.Load(); now == last && now > 0 {
				same++
			} else {
				last, same = now, 0
			}
			socktest.Pause(l)
		}
	}
	var err error
	var told atomic.Bool
	ends = append(ends, read(func() { err = readAll(c); told.Store(true) }))
	var failed error
	attacked := asGoroutine(l)(func() { failed = a.do(f) })
	b.served(t, 5)
	if a.want == nil {
		attacked()
	} else {
		socktest.EventuallyOn(t, l, a.name+": the reader's error", told.Load)
	}
	b.served(t, 5)
	if a.want == nil && told.Load() {
		return fmt.Errorf("the reader has not waited: %w", err)
	}
	c.Close()
	attacked()
	for _, end := range ends {
		end()
	}
	switch {
	case failed != nil:
		return fmt.Errorf("the peer: %w", failed)
	case a.want == nil && !errors.Is(err, net.ErrClosed):
		return fmt.Errorf("the reader's error after Close: %w", err)
	case a.want != nil && !a.want(err):
		return fmt.Errorf("the reader's error: %w", err)
	}
	if _, err := c.Write([]byte("x")); !errors.Is(err, net.ErrClosed) {
		return fmt.Errorf("Write after Close: %w", err)
	}
	return nil
}

// handshakes does that of both ends, as the test's task and a goroutine.
func handshakes(t *testing.T, l *ringo.Loop, c *socktls.Conn, peer net.Conn) (f *forger) {
	t.Helper()
	var failed error
	server := l.Go(func() { failed = c.Handshake() })
	socktest.Offloaded(t, l, func() (err error) { f, err = forge(peer); return err })
	if server.Wait(); failed != nil {
		t.Fatal(failed)
	}
	return f
}

// What reaches a peer that begins to read again: the replies to its KeyUpdates in their places, and the alert.
func TestReplies(t *testing.T) {
	t.Parallel()
	eachCallers(t, func(t *testing.T, l *ringo.Loop, read, write starter) {
		c, peer := pair(t, l, serverConfig())
		defer peer.Close()
		f := handshakes(t, l, c, peer)
		const size = 4 << 20 // more than there is room for
		var n int
		var wrote, got error
		ends := []func(){write(func() {
			p := make([]byte, size)
			socktest.Pattern(p, 0)
			n, wrote = c.Write(p)
		}), read(func() { got = readAll(c) })}
		var alert error
		socktest.Offloaded(t, l, func() error {
			// Of replies to KeyUpdates, crypto/tls takes 16 in a row.
			p := make([]byte, size/16)
			for at := 0; at < size; {
				if err := send(f, f.keyUpdate(), f.seal(typeApplication, 'x')); err != nil {
					return err
				}
				k, err := io.ReadFull(f, p)
				if err != nil {
					return fmt.Errorf("from %d on: %w", at, err)
				}
				if bad := socktest.Mismatch(p[:k], at); bad >= 0 {
					return fmt.Errorf("wrong byte at %d", bad)
				}
				at += k
			}
			if err := send(f, badRecord()); err != nil {
				return err
			}
			_, alert = f.Read(p)
			return nil
		})
		for _, end := range ends {
			end()
		}
		if n != size || wrote != nil {
			t.Errorf("wrote %d: %v", n, wrote)
		}
		if !alerted("local error")(got) {
			t.Errorf("the reader: %v", got)
		}
		if !alerted("remote error")(alert) {
			t.Errorf("the peer, after a bad record: %v", alert)
		}
		c.Close()
	})
}

// A fatal alert that a reader leaves is not lost by a Close at once.
func TestAlertBeforeClose(t *testing.T) {
	t.Parallel()
	eachCallers(t, func(t *testing.T, l *ringo.Loop, read, _ starter) {
		for range 5 {
			c, peer := pair(t, l, serverConfig())
			f := handshakes(t, l, c, peer)
			end := read(func() { readAll(c); c.Close() })
			var alert error
			socktest.Offloaded(t, l, func() error {
				err := send(f, badRecord())
				_, alert = f.Read(make([]byte, 10))
				return err
			})
			end()
			if !alerted("remote error")(alert) {
				t.Fatalf("the peer, after a bad record: %v", alert)
			}
			peer.Close()
		}
	})
}

// Any number of first calls do one handshake, and a peer that stalls in it, at whatever byte, holds up nobody else.
func TestHandshakeOnce(t *testing.T) {
	t.Parallel()
	eachCallers(t, func(t *testing.T, l *ringo.Loop, read, write starter) {
		b, leave := stand(t, l)
		defer leave()
		for _, stall := range []bool{true, false} {
			c, peer := pair(t, l, serverConfig())
			errs := make([]error, 6)
			var ends []func()
			for i := range errs {
				who, call := read, func() (int, error) { return c.Read(make([]byte, 1)) }
				switch i {
				case 1, 4:
					who, call = write, func() (int, error) { return c.Write([]byte("x")) }
				case 2:
					call = func() (int, error) { return 0, c.Handshake() }
				case 3:
					call = func() (int, error) {
						c.ConnectionState()
						return 0, c.HandshakeContext(context.Background())
					}
				}
				ends = append(ends, who(func() { _, errs[i] = call() }))
			}
			b.served(t, 5)
			socktest.Offloaded(t, l, func() error {
				if stall {
					_, err := peer.Write([]byte{typeHandshake, 3, 1, 0, 100})
					return err
				}
				client := tls.Client(peer, clientConfig())
				_, err := client.Write([]byte("123"))
				return err
			})
			b.served(t, 5)
			if stall {
				c.Close()
			}
			for _, end := range ends {
				end()
			}
			for i, err := range errs {
				if stall != errors.Is(err, net.ErrClosed) {
					t.Errorf("stalled %v: call %d: %v", stall, i, err)
				}
			}
			c.Close()
			peer.Close()
		}
	})
}

// A writer's deadline ends the Write of a peer that does not read, for good, and no reader is told.
func TestWriteDeadline(t *testing.T) {
	t.Parallel()
	eachCallers(t, func(t *testing.T, l *ringo.Loop, read, write starter) {
		c, peer := pair(t, l, serverConfig())
		defer peer.Close()
		f := handshakes(t, l, c, peer)
		var got []byte
		ends := []func(){read(func() {
			p := make([]byte, 5)
			if _, err := io.ReadFull(c, p); err == nil {
				got = p
			}
		})}
		c.SetWriteDeadline(time.Now().Add(10 * time.Millisecond))
		var first, second error
		write(func() {
			_, first = c.Write(make([]byte, 32<<20))
			c.SetWriteDeadline(time.Time{})
			_, second = c.Write([]byte("x"))
		})()
		for _, err := range []error{first, second} {
			e, ok := err.(net.Error)
			if !ok || !e.Timeout() || e.Temporary() {
				t.Errorf("Write: %v", err)
			}
		}
		socktest.Offloaded(t, l, func() error { return send(f, f.seal(typeApplication, []byte("hello")...)) })
		for _, end := range ends {
			end()
		}
		if string(got) != "hello" {
			t.Errorf("read %q", got)
		}
		c.Close()
	})
}

// A task that is cancelled in Read leaves the stream to others, as one does whose deadline passes.
func TestCanceledReader(t *testing.T) {
	socktest.EachDriver(t, func(t *testing.T, cfg ringo.Config) {
		socktest.OnLoop(t, cfg, func(l *ringo.Loop) {
			c, peer := pair(t, l, serverConfig())
			defer peer.Close()
			f := handshakes(t, l, c, peer)
			var err, behind error
			p := make([]byte, 5)
			reader := l.Go(func() { _, err = c.Read(make([]byte, 1)) })
			queued := l.Go(func() { _, behind = c.Read(make([]byte, 1)) })
			socktest.Others(l)
			socktest.Offloaded(t, l, func() error { return send(f, f.seal(typeApplication, []byte("hello")...)[:10]) })
			queued.Cancel()
			queued.Wait()
			reader.Cancel()
			reader.Wait()
			var e *net.OpError
			for _, err := range []error{err, behind} {
				if !errors.Is(err, context.Canceled) || !errors.As(err, &e) || e.Op != "read" {
					t.Errorf("a cancelled Read: %v", err)
				}
			}
			f.seq--
			socktest.Offloaded(t, l, func() error { return send(f, f.seal(typeApplication, []byte("hello")...)[10:]) })
			if _, err := io.ReadFull(c, p); err != nil || string(p) != "hello" {
				t.Errorf("read %q: %v", p, err)
			}
			c.Close()
		})
	})
}

var _ net.Conn = (*socktls.Conn)(nil)
var _ net.Listener = (*socktls.Listener)(nil)
