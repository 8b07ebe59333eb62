//go:build linux

package sock_test

import (
	"errors"
	"io"
	"net"
	"syscall"
	"testing"
	"time"

	"ringo/sock"
)

// movedOn moves a connection to the other of two loops.
func movedOn(t *testing.T, c *sock.Conn) *sock.Conn {
	t.Helper()
	moved, err := c.MoveTo(c.Loop().Loops()[1-c.Loop().Index()])
	if err != nil {
		t.Fatal(err)
	}
	return moved
}

// What the old loop has learned of the stream's end the new one knows: the kernel says
// a reset once, and gives what comes after CloseRead.
func TestMoveToCarriesTheEnd(t *testing.T) {
	for _, e := range []struct {
		name   string
		before func(t *testing.T, c *sock.Conn, peer *net.TCPConn)
		unread string
		want   error
	}{
		{"reset", func(t *testing.T, c *sock.Conn, peer *net.TCPConn) {
			send(t, peer, "abc")
			reset(peer)
			if p, err := c.Peek(4); string(p) != "abc" || !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("Peek: %q, %v", p, err)
			}
		}, "abc", syscall.ECONNRESET},
		{"end", func(t *testing.T, c *sock.Conn, peer *net.TCPConn) {
			if err := c.CloseRead(); err != nil {
				t.Error(err)
			}
			wantEOF(t, c)
			send(t, peer, "late")
		}, "", io.EOF},
	} {
		t.Run(e.name, func(t *testing.T) {
			eachCaller(t, func(t *testing.T, c *sock.Conn, peer *net.TCPConn, start starter) {
				start.run(func() {
					e.before(t, c, peer)
					moved := movedOn(t, c)
					defer moved.Close()
					if n := moved.Buffered(); n != len(e.unread) {
						t.Errorf("%d bytes unread, want %d", n, len(e.unread))
					}
					if e.unread != "" {
						wantRead(t, moved, 10, e.unread)
					}
					for range 2 {
						n, err := moved.Read(make([]byte, 10))
						if n != 0 || !errors.Is(err, e.want) {
							t.Errorf("Read: %d, %v; want %v", n, err, e.want)
						}
					}
				})
			})
		})
	}
}

// What is written without a copy is so on the new loop, too, if that can.
func TestMoveToCarriesZeroCopy(t *testing.T) {
	eachCaller(t, func(t *testing.T, c *sock.Conn, peer *net.TCPConn, start starter) {
		err := c.SetZeroCopy(10_000)
		if err != nil && !errors.Is(err, errors.ErrUnsupported) {
			t.Fatal(err)
		}
		start.run(func() {
			want := c.ZeroCopy()
			if (want == 10_000) != (err == nil) {
				t.Errorf("from %d bytes on", want)
			}
			moved := movedOn(t, c)
			defer moved.Close()
			if got := moved.ZeroCopy(); got != want {
				t.Errorf("moved: from %d bytes on, was %d", got, want)
			}
		})
	})
}

// A connection whose Close may wait does so beside its new loop, too.
func TestMoveToCarriesLinger(t *testing.T) {
	t.Parallel()
	eachCaller(t, func(t *testing.T, c *sock.Conn, peer *net.TCPConn, start starter) {
		var moved *sock.Conn
		total := 0
		start.run(func() {
			total = fill(t, c.Loop(), c)
			if err := c.SetLinger(int(patience / 2 / time.Second)); err != nil {
				t.Error(err)
			}
			moved = movedOn(t, c)
		})
		if moved == nil {
			return
		}
		there := moved.Loop()
		closed := make(chan bool)
		there.Go(func() {
			there.Go(func() { moved.Close(); close(closed) })
			for range 3 {
				others(there)
			}
		}).Wait()
		select {
		case <-closed:
			t.Error("the loop has waited for the peer, or Close has not")
		default:
		}
		n, err := io.Copy(io.Discard, peer)
		if <-closed; n != int64(total) || err != nil {
			t.Errorf("the peer read %d bytes of %d, %v", n, total, err)
		}
	})
}
