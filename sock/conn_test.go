package sock_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"testing"
	"time"

	"ringo"
	"ringo/internal/posix"
	"ringo/internal/test/patience"
	"ringo/sock"
)

func TestReadWrite(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		pair(t, cfg, func(l *ringo.Loop, c *sock.Conn, peer tcpPeer) {
			send(t, peer, "hello")
			wantRead(t, c, 3, "hel")
			wantRead(t, c, 3, "lo")
			l.Go(func() { send(t, peer, "later") })
			wantRead(t, c, 100, "later")
			if n, err := c.Write([]byte("back")); n != 4 || err != nil {
				t.Fatalf("Write() = %d, %v", n, err)
			}
			wantPeer(t, l, peer, "back")

			send(t, peer, "last")
			peer.CloseWrite()
			wantRead(t, c, 100, "last")
			wantEOF(t, c)
			wantEOF(t, c)
			if _, err := c.Write([]byte("after")); err != nil {
				t.Fatalf("Write() after the peer's end: %v", err)
			}
			wantPeer(t, l, peer, "after")
		})
	})
}

// An io.EOF in a wrapper would break bufio, net/http and all that compares.
func TestEOFIsBare(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		pair(t, cfg, func(l *ringo.Loop, c *sock.Conn, peer tcpPeer) {
			peer.CloseWrite()
			wantEOF(t, c)
			if _, err := c.Next(); err != io.EOF {
				t.Errorf("Next: %v", err)
			}
			if _, err := c.Peek(1); err != io.EOF {
				t.Errorf("Peek: %v", err)
			}
			if _, err := c.Discard(1); err != io.EOF {
				t.Errorf("Discard: %v", err)
			}
			if n, err := c.WriteTo(io.Discard); n != 0 || err != nil {
				t.Errorf("WriteTo() = %d, %v, want 0, nil", n, err)
			}
		})
	})
}

func TestZeroLength(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		pair(t, cfg, func(l *ringo.Loop, c *sock.Conn, peer tcpPeer) {
			none := func(when string) {
				t.Helper()
				for _, p := range [][]byte{nil, {}} {
					if n, err := c.Read(p); n != 0 || err != nil {
						t.Errorf("%s: Read of nothing = %d, %v", when, n, err)
					}
					if n, err := c.Write(p); n != 0 || err != nil {
						t.Errorf("%s: Write of nothing = %d, %v", when, n, err)
					}
				}
				if p, err := c.Peek(0); len(p) != 0 || err != nil {
					t.Errorf("%s: Peek(0) = %q, %v", when, p, err)
				}
				if n, err := c.Discard(0); n != 0 || err != nil {
					t.Errorf("%s: Discard(0) = %d, %v", when, n, err)
				}
			}
			none("with nothing there")
			send(t, peer, "x")
			if _, err := c.Peek(1); err != nil {
				t.Fatal(err)
			}
			none("with a byte there")
			wantRead(t, c, 10, "x")
			peer.CloseWrite()
			wantEOF(t, c)
			none("at the end")
			c.Write([]byte("y")) // nothing before it was taken for an end
			wantPeer(t, l, peer, "y")
		})
	})
}

// A Write beside another caller's CloseWrite goes out before the end of the stream, or says that it did not: also one
// that has waited for room together with the CloseWrite, and one that comes after SetBatching.
func TestWritesBesideCloseWrite(t *testing.T) {
	closers := map[string]func(l *ringo.Loop, c *sock.Conn) error{
		"a task": func(_ *ringo.Loop, c *sock.Conn) error { return c.CloseWrite() },
		"a goroutine": func(l *ringo.Loop, c *sock.Conn) error {
			return l.Offload(func(context.Context) error { return c.CloseWrite() })
		},
	}
	writers := map[string]func(c *sock.Conn, p []byte) (int, error){
		"Write": func(c *sock.Conn, p []byte) (int, error) { return c.Write(p) },
		"ReadFrom": func(c *sock.Conn, p []byte) (int, error) {
			n, err := c.ReadFrom(bytes.NewReader(p))
			return int(n), err
		},
	}
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		for by, closeWrite := range closers {
			for with, write := range writers {
				t.Run(with+" beside "+by, func(t *testing.T) {
					pair(t, cfg, func(l *ringo.Loop, c *sock.Conn, peer tcpPeer) {
						besideCloseWrite(t, l, c, peer, write, closeWrite)
					})
				})
			}
		}
	})
}

func besideCloseWrite(t *testing.T, l *ringo.Loop, c *sock.Conn, peer tcpPeer,
	write func(c *sock.Conn, p []byte) (int, error), closeWrite func(l *ringo.Loop, c *sock.Conn) error) {
	c.SetWriteBuffer(4 << 10)
	written, full := 0, 0
	for full < 3 { // until some of what was accepted waits for room
		n, err := c.TryWrite(make([]byte, 1000))
		if err != nil {
			t.Fatal(err)
		}
		if written += n; n == 0 {
			full++
		}
		l.Yield()
	}
	writing := l.Go(func() {
		for {
			n, err := write(c, make([]byte, 100))
			written += n
			if err != nil {
				if !errors.Is(err, posix.EPIPE) {
					t.Errorf("a write beside CloseWrite: %v", err)
				}
				return
			}
		}
	})
	l.Yield()
	closing := l.Go(func() {
		if err := closeWrite(l, c); err != nil {
			t.Error(err)
		}
		c.SetBatching(true)
	})
	l.Yield()
	got := 0
	offloaded(t, l, func() error {
		n, err := io.Copy(io.Discard, peer)
		got = int(n)
		return err
	})
	closing.Wait()
	writing.Wait()
	if got != written {
		t.Errorf("%d bytes were written, and %d came before the end", written, got)
	}
}

func TestCloseWrite(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		pair(t, cfg, func(l *ringo.Loop, c *sock.Conn, peer tcpPeer) {
			big := bytes.Repeat([]byte("0123456789"), 30000)
			writing := l.Go(func() {
				if n, err := c.Write(big); n != len(big) || err != nil {
					t.Errorf("Write() = %d, %v", n, err)
				}
				if err := c.CloseWrite(); err != nil {
					t.Error(err)
				}
			})
			var got []byte
			offloaded(t, l, func() (err error) { got, err = io.ReadAll(peer); return err })
			if !bytes.Equal(got, big) {
				t.Fatalf("the peer got %d bytes before the end, want the %d written", len(got), len(big))
			}
			writing.Wait()
			if n, err := c.Write([]byte("x")); n != 0 || !errors.Is(err, posix.EPIPE) {
				t.Errorf("Write() after CloseWrite = %d, %v, want EPIPE", n, err)
			}
			send(t, peer, "still open")
			wantRead(t, c, 100, "still open")
		})
	})
}

func TestCloseRead(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		pair(t, cfg, func(l *ringo.Loop, c *sock.Conn, peer tcpPeer) {
			send(t, peer, "before")
			if _, err := c.Peek(6); err != nil {
				t.Fatal(err)
			}
			if err := c.CloseRead(); err != nil {
				t.Fatal(err)
			}
			wantAll(t, c, "before")
			wantEOF(t, c)
			c.Write([]byte("out"))
			wantPeer(t, l, peer, "out")
		})
		pair(t, cfg, func(l *ringo.Loop, c *sock.Conn, peer tcpPeer) {
			l.AfterFunc(time.Millisecond, func() {
				if err := c.CloseRead(); err != nil {
					t.Error(err)
				}
			})
			wantEOF(t, c) // while parked
		})
	})
}

// Close with linger waits for the bytes to arrive; nobody else does.
func TestLingerDoesNotStall(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		pair(t, cfg, func(l *ringo.Loop, c *sock.Conn, peer tcpPeer) {
			other, otherPeer := connect(t, l)
			defer otherPeer.Close()
			defer other.Close()

			total := fill(t, l, c)
			if err := c.SetLinger(int(patience.Max / time.Second)); err != nil {
				t.Fatal(err)
			}
			closed := false
			closing := l.Go(func() { c.Close(); closed = true })
			for range 50 {
				send(t, otherPeer, "ping")
				wantAll(t, other, "ping")
				l.Sleep(time.Millisecond)
			}
			if closed {
				t.Error("Close did not wait for the bytes that the peer has not read")
			}
			var n int64
			offloaded(t, l, func() (err error) { n, err = io.Copy(io.Discard, peer); return err })
			if n != int64(total) {
				t.Errorf("the peer read %d bytes of %d", n, total)
			}
			closing.Wait()
		})
	})
}

func TestAddresses(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		pair(t, cfg, func(l *ringo.Loop, c *sock.Conn, peer tcpPeer) {
			if got, want := c.LocalAddr().String(), peer.RemoteAddr().String(); got != want {
				t.Errorf("LocalAddr() = %s, the peer's remote address is %s", got, want)
			}
			if got, want := c.RemoteAddr().String(), peer.LocalAddr().String(); got != want {
				t.Errorf("RemoteAddr() = %s, the peer's local address is %s", got, want)
			}
			if c.LocalAddr().Network() != "tcp" {
				t.Errorf("Network() = %s", c.LocalAddr().Network())
			}
			if c.Loop() != l {
				t.Error("Loop() is not the loop that accepted it")
			}
			if c.Value() != nil {
				t.Errorf("Value() = %v at first", c.Value())
			}
			c.SetValue(7)
			if c.Value() != 7 {
				t.Errorf("Value() = %v, want 7", c.Value())
			}
		})
	})
}
