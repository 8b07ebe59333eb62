package event_test

import (
	"context"
	"errors"
	"io"
	"net"
	"runtime"
	"slices"
	"syscall"
	"testing"

	"ringo"
	"ringo/event"
	"ringo/internal/test/socktest"
	"ringo/sock"
)

// A loop dials itself, by a name, and both ends talk.
func TestDial(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		var got []byte
		var why error
		var early error
		onLoop(t, cfg, func(l *event.Loop) {
			addr := listenOnce(t, l, &funcs{
				open: func(c *event.Conn) { c.Write([]byte("hello")) },
				end:  func(c *event.Conn) { c.Close() },
			})
			_, port, _ := net.SplitHostPort(addr)
			c := l.Dial("tcp4", "localhost:"+port, &funcs{
				data: func(c *event.Conn, p []byte) int {
					if got = append(got, p...); len(got) == 5 {
						c.Close()
					}
					return len(p)
				},
				close: func(_ *event.Conn, err error) { why = err },
			})
			early = c.Write([]byte("x"))
		})
		if string(got) != "hello" || why != nil || early == nil {
			t.Errorf("got %q, closed with %v; a Write before OnOpen: %v", got, why, early)
		}
	})
}

// What keeps a connection from being made OnClose is told, and nobody else is called.
func TestDialFails(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		var refused, closed error = io.EOF, io.EOF
		refusing, silent := socktest.Refusing(t), socktest.Silent(t)
		onLoop(t, cfg, func(l *event.Loop) {
			wrong := func(*event.Conn) { t.Error("OnOpen of a dial that has failed") }
			l.Dial("tcp", refusing, &funcs{open: wrong, close: func(_ *event.Conn, err error) { refused = err }})
			l.Dial("tcp", silent, &funcs{open: wrong,
				close: func(_ *event.Conn, err error) { closed = err }}).Close()
		})
		if !errors.Is(refused, syscall.ECONNREFUSED) || closed != nil {
			t.Errorf("refused: %v; closed meanwhile: %v", refused, closed)
		}
	})
}

// A Control that does not return is a dial that has failed, of a connection of any kind; then nothing is left of it.
func TestDialControlDoesNotReturn(t *testing.T) {
	for name, end := range map[string]func(){"panic": func() { panic("oops") }, "Goexit": runtime.Goexit} {
		for _, network := range []string{"tcp", "unix"} {
			t.Run(name+"/"+network, func(t *testing.T) {
				eachDriver(t, func(t *testing.T, cfg ringo.Config) {
					var panicked any
					cfg.OnPanic = func(_ *ringo.Loop, v any, _ []byte) { panicked = v }
					d := &sock.Dialer{Control: func(string, string, syscall.RawConn) error { end(); return nil }}
					closed := 0
					var why error
					onLoop(t, cfg, func(l *event.Loop) {
						address := map[string]string{"tcp": "127.0.0.1:1", "unix": "@nobody"}[network]
						l.DialBy(d, network, address, &funcs{
							open:  func(*event.Conn) { t.Error("OnOpen") },
							close: func(_ *event.Conn, err error) { closed, why = closed+1, err },
						})
					})
					if closed != 1 || !errors.Is(why, event.ErrNoReturn) || name == "panic" && panicked != "oops" {
						t.Errorf("closed %d times, with %v; told of %v", closed, why, panicked)
					}
				})
			})
		}
	}
}

// A connection goes from a task to callbacks and back, while its peer goes on sending and does not read: no byte is
// lost, either way.
func TestBetweenTasksAndCallbacks(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		const rounds = 20
		up, down := pattern(3_000_000), pattern(rounds*2*30_000)
		var got []byte
		onLoop(t, cfg, func(l *event.Loop) {
			r := l.Ringo()
			ln, err := sock.Listen(r, "tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer ln.Close()
			addr := ln.Addr().String()
			outside(t, l, func() error { return talk(addr, up, down) })
			c, err := ln.AcceptConn()
			if err != nil {
				t.Fatal(err)
			}
			p := make([]byte, 3000)
			left := down
			for len(left) > 0 {
				n, err := c.Read(p)
				if err == io.EOF {
					break
				}
				if err != nil {
					t.Fatalf("Read: %v", err)
				}
				got = append(got, p[:n]...)
				part := left[:60_000]
				left = left[60_000:]
				if _, err := c.Write(part[:4000]); err != nil { // is accepted
					t.Fatal(err)
				}
				if _, err := c.Write(part[4000:30_000]); err != nil {
					t.Fatal(err)
				}
				c = throughCallbacks(t, l, c, part[30_000:], &got)
			}
			if _, err := c.Write(left); err != nil {
				t.Fatal(err)
			}
			rest, err := io.ReadAll(c)
			if err != nil {
				t.Errorf("the rest: %v", err)
			}
			got = append(got, rest...)
			if err := c.Close(); err != nil {
				t.Errorf("Close: %v", err)
			}
		})
		if !slices.Equal(got, up) {
			t.Errorf("%d bytes came of %d, or others", len(got), len(up))
		}
	})
}

// throughCallbacks has callbacks see some of what comes and write p, and gives the connection back.
func throughCallbacks(t *testing.T, l *event.Loop, c *sock.Conn, p []byte, got *[]byte) *sock.Conn {
	t.Helper()
	r := l.Ringo()
	seen := ringo.NewChan[bool](1)
	closed := ringo.NewChan[error](1)
	e, err := l.Adopt(c, &funcs{
		open: func(c *event.Conn) {
			c.SetUnreadMax(10 << 20)
			if err := c.Write(p); err != nil {
				t.Errorf("Write: %v", err)
			}
		},
		data: func(c *event.Conn, p []byte) int {
			n := (len(p) + 1) / 2
			*got = append(*got, p[:n]...)
			seen.TrySend(true)
			return n
		},
		end:   func(*event.Conn) { seen.TrySend(true) },
		close: func(_ *event.Conn, err error) { closed.TrySend(err) },
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := seen.Recv(); err != nil {
		t.Fatal(err)
	}
	back, err := e.Detach()
	if err != nil {
		t.Fatal(err)
	}
	if why, _ := closed.Recv(); why != event.ErrDetached {
		t.Errorf("OnClose was told %v", why)
	}
	r.Yield()
	return back
}

// talk sends up while it reads down late.
func talk(addr string, up, down []byte) error {
	c, err := new(net.Dialer).DialContext(context.Background(), "tcp", addr)
	if err != nil {
		return err
	}
	defer c.Close()
	sent := make(chan error, 1)
	go func() {
		for p := up; len(p) > 0; p = p[min(len(p), 1000):] {
			if _, err := c.Write(p[:min(len(p), 1000)]); err != nil {
				sent <- err
				return
			}
		}
		sent <- c.(*net.TCPConn).CloseWrite()
	}()
	return errors.Join(wantBytes(c, down), wantEOF(c), <-sent)
}
