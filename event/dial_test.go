package event_test

import (
	"errors"
	"io"
	"net"
	"runtime"
	"syscall"
	"testing"

	"ringo"
	"ringo/event"
	"ringo/internal/posix"
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
		if !errors.Is(refused, posix.ECONNREFUSED) || closed != nil {
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

// A connection that is paused while it is being dialled is paused when it is open, and not if that was undone.
func TestPauseOfADial(t *testing.T) {
	for _, resumed := range []bool{false, true} {
		eachDriver(t, func(t *testing.T, cfg ringo.Config) {
			isPaused, shown := true, 0
			onLoop(t, cfg, func(l *event.Loop) {
				var server, client *event.Conn
				told := func() {
					if server == nil || client == nil { // both are open
						return
					}
					server.Write([]byte("hello"))
					if resumed {
						isPaused = false
						return
					}
					turns := 0
					var idle *event.Hook
					idle = l.Idle(func() {
						if turns++; turns == 20 {
							idle.Stop()
							isPaused = false
							client.Resume()
						}
					})
				}
				addr := listenOnce(t, l, &funcs{open: func(c *event.Conn) { server = c; told() }})
				c := l.Dial("tcp", addr, &funcs{
					open: func(c *event.Conn) { client = c; told() },
					data: func(c *event.Conn, p []byte) int {
						if shown++; isPaused {
							t.Error("shown while paused")
						}
						c.Close()
						return len(p)
					},
				})
				c.Pause()
				if resumed {
					c.Resume()
				}
			})
			if shown != 1 {
				t.Errorf("shown %d times", shown)
			}
		})
	}
}
