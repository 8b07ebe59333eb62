package proxy

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"ringo"
	"ringo/cmd/ringo/internal/server"
	"ringo/internal/posix"
	"ringo/sim"
	"ringo/sock"
	"ringo/sock/socktls"
)

// inWorld has a connection pass a relay of a world, between a client and a server that play their parts, and gives what
// it has said.
func inWorld(w *sim.World, o *options, secret *tls.Config, client, serve part) (said []string) {
	return inWorldOver(w, networks[0], o, secret, client, serve)
}

// network is what a relay of a world is between. The kernel counts what a peer of TCP has acknowledged, and of a Unix
// socket it does not: there only the bytes that the relay moves itself show that something moves.
type network struct{ name, server, proxy string }

var networks = [...]network{{"tcp", "server:8001", "proxy:8002"}, {"unix", "/server", "/proxy"}}

func inWorldOver(w *sim.World, over network, o *options, secret *tls.Config, client, serve part) (said []string) {
	here, far, near := w.Host("server"), w.Host("client"), w.Host("proxy")
	to := over.server
	if over.name == "unix" {
		here, far, to = near, near, "unix://"+to
	}
	w.Link = sim.Link{Latency: time.Millisecond}
	o.to.Set(to)
	o.rise, o.fall, o.dial, o.balance = 1, 1, time.Minute, balanceLeast
	r := &relay{Server: &server.Server{Context: context.Background(), Options: &o.Options}, o: o,
		tls: secret, ends: &teller{lines: make(chan string, linesMax)}}
	r.to = newRoutes(o, r.ends.say)
	for _, u := range r.to.all {
		u.backs.Dial = func(ctx context.Context, l *ringo.Loop) (net.Conn, error) { return r.connect(ctx, l, u) }
	}
	passed := near.Run(&ringo.Config{Loops: 1}, func(l *ringo.Loop) error {
		ln, err := sock.Listen(l, over.name, over.proxy)
		if err != nil {
			return err
		}
		if o.http {
			return newWeb(r, nil).serve(l, ln)
		}
		return r.accept(l, ln)
	})
	served := here.Run(&ringo.Config{Loops: 1}, func(l *ringo.Loop) error {
		ln, err := sock.Listen(l, over.name, over.server)
		if err != nil {
			return err
		}
		c, err := ln.AcceptConn()
		if err != nil {
			return err
		}
		ln.Close()
		defer c.Close()
		return serve(l, c)
	})
	w.RunFor(time.Second)
	asked := far.Run(&ringo.Config{Loops: 1}, func(l *ringo.Loop) error {
		c, err := sock.Dial(l, over.name, over.proxy)
		if err != nil {
			return err
		}
		defer c.Close()
		return client(l, c)
	})
	if err := w.Wait(asked, served); err != nil {
		w.Errorf("%v", errors.Join(err, passed.Err()))
	}
	for len(r.ends.lines) > 0 {
		said = append(said, <-r.ends.lines)
	}
	if n := r.idled.Load(); n != int64(len(said)) && !o.http {
		w.Errorf("%d connections were idle, and the lines are %q", n, said)
	}
	return said
}

const idleTime = 8 * time.Second

// wantIdle reads to the end, which must be a reset when nothing has moved for that time, or a quarter more. One whose
// peer has ended before learns of it when it writes.
func wantIdle(l *ringo.Loop, c *sock.Conn, since time.Time) error {
	_, err := io.Copy(io.Discard, struct{ io.Reader }{c})
	d, slack := l.Now().Sub(since), time.Second/10
	if err == nil {
		l.Sleep(idleTime*5/4 + slack - d)
		for range 2 { // the first is answered by the reset
			_, err = c.Write([]byte("late"))
			l.Sleep(time.Second)
		}
		if errors.Is(err, posix.EPIPE) || errors.Is(err, posix.ECONNRESET) {
			return nil
		}
	}
	if !errors.Is(err, posix.ECONNRESET) || d < idleTime-slack || d > idleTime*5/4+slack {
		return fmt.Errorf("it ends with %v after %v, want a reset after %v", err, d, idleTime)
	}
	return nil
}

// TestIdle: a connection on which nothing moves is ended, and one on which bytes move in either direction is not, also
// where the other has ended, or neither peer reads.
func TestIdle(t *testing.T) {
	const trickles = 20
	silent := func(l *ringo.Loop, c *sock.Conn) error { return wantIdle(l, c, l.Now()) }
	sends := func(l *ringo.Loop, c *sock.Conn) error {
		for range trickles {
			if _, err := c.Write([]byte("x")); err != nil {
				return err
			}
			if err := l.Sleep(idleTime * 3 / 4); err != nil {
				return err
			}
		}
		return wantIdle(l, c, l.Now().Add(-idleTime*3/4))
	}
	gets := func(l *ringo.Loop, c *sock.Conn) error {
		if _, err := io.ReadFull(c, make([]byte, trickles)); err != nil {
			return err
		}
		return wantIdle(l, c, l.Now())
	}
	ends := func(then func(l *ringo.Loop, c *sock.Conn) error) func(l *ringo.Loop, c *sock.Conn) error {
		return func(l *ringo.Loop, c *sock.Conn) error { return errors.Join(c.CloseWrite(), then(l, c)) }
	}
	floods := func(l *ringo.Loop, c *sock.Conn) error {
		p := make([]byte, 1<<16)
		for {
			if _, err := c.Write(p); err != nil {
				if !errors.Is(err, posix.ECONNRESET) && !errors.Is(err, posix.EPIPE) {
					return err
				}
				return nil
			}
		}
	}
	for _, c := range []struct {
		name          string
		client, serve func(l *ringo.Loop, c *sock.Conn) error
	}{
		{"silent", silent, silent},
		{"client sends", sends, gets},
		{"server sends", gets, sends},
		{"client has ended", ends(gets), sends},
		{"server has ended", sends, ends(gets)},
		{"client has ended, silent", ends(silent), silent},
		{"nobody reads", floods, floods},
	} {
		for _, over := range networks {
			t.Run(c.name+"/"+over.name, func(t *testing.T) {
				sim.Explore(t, 5, func(w *sim.World) {
					said := inWorldOver(w, over, &options{idle: idleTime}, nil, c.client, c.serve)
					if len(said) != 1 {
						w.Errorf("the lines are %q, want one", said)
					}
				})
			})
		}
	}
}

// TestIdleSpeaks: a server that has not read all, and speaks as soon as the client is reset, is reset, too: what ends
// since the client's end is closed does not end the server's in order.
func TestIdleSpeaks(t *testing.T) {
	sim.Explore(t, 5, func(w *sim.World) {
		var over bool
		fills := func(l *ringo.Loop, c *sock.Conn) error {
			if _, err := c.Write(make([]byte, 1<<18)); err != nil {
				return err
			}
			err := wantIdle(l, c, l.Now())
			over = true
			return err
		}
		speaks := func(l *ringo.Loop, c *sock.Conn) error {
			for !over {
				if err := l.Sleep(time.Millisecond); err != nil {
					return err
				}
			}
			_, err := c.Write([]byte("late"))
			if err == nil {
				_, err = io.Copy(io.Discard, struct{ io.Reader }{c})
			}
			if !errors.Is(err, posix.ECONNRESET) {
				return fmt.Errorf("the server's end is %v, want a reset", err)
			}
			return nil
		}
		if said := inWorld(w, &options{idle: idleTime}, nil, fills, speaks); len(said) != 1 {
			w.Errorf("the lines are %q, want one", said)
		}
	})
}

// TestIdleTLS: what moves in TLS keeps a connection, though each look at it ends a read; then it is reset.
func TestIdleTLS(t *testing.T) {
	back := httptest.NewTLSServer(nil) // for its certificate
	back.Close()
	const trickles = 20
	gets := func(l *ringo.Loop, c *sock.Conn) error {
		if _, err := io.ReadFull(c, make([]byte, trickles)); err != nil {
			return err
		}
		return wantIdle(l, c, l.Now())
	}
	sends := func(l *ringo.Loop, c *sock.Conn) error {
		s := socktls.Client(c, &tls.Config{InsecureSkipVerify: true})
		for range trickles {
			if _, err := s.Write([]byte("x")); err != nil {
				return err
			}
			if err := l.Sleep(idleTime * 3 / 4); err != nil {
				return err
			}
		}
		return wantIdle(l, c, l.Now().Add(-idleTime*3/4))
	}
	sim.Explore(t, 5, func(w *sim.World) {
		o := &options{idle: idleTime, header: time.Minute}
		if said := inWorld(w, o, back.TLS, sends, gets); len(said) != 1 {
			w.Errorf("the lines are %q, want one", said)
		}
	})
}

// TestNoIdle: without -idle a connection may be silent for as long as it likes.
func TestNoIdle(t *testing.T) {
	sim.Explore(t, 5, func(w *sim.World) {
		waits := func(l *ringo.Loop, c *sock.Conn) error {
			if err := l.Sleep(24 * time.Hour); err != nil {
				return err
			}
			c.CloseWrite()
			_, err := io.Copy(io.Discard, struct{ io.Reader }{c})
			return err
		}
		inWorld(w, &options{}, nil, waits, waits)
	})
}

// TestIdleAcked: what a peer acknowledges moves, though the copy that writes to it has not come back, and what has come
// of a record of TLS, though its read has not.
func TestIdleAcked(t *testing.T) {
	var untold error
	err := ringo.Run(t.Context(), &ringo.Config{Loops: 1}, func(l *ringo.Loop) error {
		ln, err := sock.Listen(l, "tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		defer ln.Close()
		one, err := sock.Dial(l, "tcp", ln.Addr().String())
		if err != nil {
			return err
		}
		other, err := ln.AcceptConn()
		if err != nil {
			return err
		}
		if _, err := one.Write([]byte("abc")); err != nil {
			return err
		}
		if _, err := io.ReadFull(other, make([]byte, 3)); err != nil {
			return err
		}
		info, err := one.TCPInfo()
		if errors.Is(err, posix.ENOPROTOOPT) {
			untold = err
			return nil
		} else if err != nil {
			return err
		}
		for info.BytesAcked == 0 || info.Unacked > 0 {
			l.Sleep(time.Millisecond)
			if info, err = one.TCPInfo(); err != nil {
				return err
			}
		}
		in := movedBelow(socktls.Server(other, nil)) - movedBelow(other)
		if clear := movedBelow(other); in != 3 || clear != 0 {
			t.Errorf("of a record of TLS that is not whole %d bytes have moved, want 3; in the clear %d", in, clear)
		}
		r := &relay{o: &options{idle: time.Hour}, ends: &teller{lines: make(chan string, linesMax)}}
		i := r.idler(l, nil, one.LocalAddr(), &end{Conn: one}, &end{Conn: other})
		defer i.stop()
		for looks, want := range []int64{0, 1} {
			i.moved = l.Now().Add(-2 * time.Hour)
			if i.look(); r.idled.Load() != want {
				t.Errorf("after %d looks %d connections are idle, want %d", looks+1, r.idled.Load(), want)
			}
		}
		if _, err := one.Write([]byte("abc")); !errors.Is(err, net.ErrClosed) {
			t.Errorf("an idle connection takes bytes: %v", err)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	if untold != nil {
		t.Skip("this system tells nothing of a connection:", untold)
	}
}

// TestIdleCopy: a copy that comes back again and again loses no byte, whether it splices or not.
func TestIdleCopy(t *testing.T) {
	const size = 32 << 20
	sink, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer sink.Close()
	sums, sent := make(chan [sha256.Size]byte, 1), make([]byte, size)
	rand.NewChaCha8([32]byte{1}).Read(sent)
	var peers sync.WaitGroup
	defer peers.Wait()
	peers.Go(func() {
		c, err := sink.Accept()
		if err != nil {
			t.Error(err)
			return
		}
		defer c.Close()
		got, err := io.ReadAll(c)
		if err != nil {
			t.Error(err)
		}
		sums <- sha256.Sum256(got)
	})
	err = ringo.Run(t.Context(), &ringo.Config{Loops: 1}, func(l *ringo.Loop) error {
		ln, err := sock.Listen(l, "tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		defer ln.Close()
		at := ln.Addr().String()
		peers.Go(func() {
			c, err := net.Dial("tcp", at)
			if err != nil {
				t.Error(err)
				return
			}
			defer c.Close()
			c.Write(sent)
		})
		from, err := ln.AcceptConn()
		if err != nil {
			return err
		}
		defer from.Close()
		to, err := sock.Dial(l, "tcp", sink.Addr().String())
		if err != nil {
			return err
		}
		defer to.Close()
		i := &idler{r: &relay{o: &options{idle: idleSteps * 10 * time.Microsecond}}, l: l}
		n, err := i.copy(to, &end{Conn: from})
		if n != size {
			t.Errorf("%d bytes are copied, want %d", n, size)
		}
		return errors.Join(err, to.CloseWrite())
	})
	if err != nil {
		t.Fatal(err)
	}
	if <-sums != sha256.Sum256(sent) {
		t.Error("what came is not what was sent")
	}
}
