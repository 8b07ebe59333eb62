//go:build linux

package event_test

import (
	"net"
	"testing"
	"time"

	"ringo"
	"ringo/event"
	"ringo/sock"
)

// What has been made, and ends before that could be told, is told of all the same: OnOpen, then OnClose.
func TestEndedBeforeItOpens(t *testing.T) {
	for name, play := range map[string]func(t *testing.T, l *event.Loop, h *funcs, p *packets){
		"Adopt and Abort": func(t *testing.T, l *event.Loop, h *funcs, _ *packets) {
			adopt(t, l, h).Abort()
		},
		"Adopt and Close": func(t *testing.T, l *event.Loop, h *funcs, _ *packets) {
			adopt(t, l, h).Close()
		},
		"Adopt and Stop": func(t *testing.T, l *event.Loop, h *funcs, _ *packets) {
			adopt(t, l, h)
			l.Stop()
		},
		"Adopt behind Stop": func(t *testing.T, l *event.Loop, h *funcs, _ *packets) {
			c := dialSock(t, l)
			l.Stop()
			if _, err := l.Adopt(c, h); err != nil {
				t.Fatal(err)
			}
		},
		"Receive and Close": func(t *testing.T, l *event.Loop, _ *funcs, p *packets) {
			s, err := sock.ListenPacket(l.Ringo(), "udp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			l.Receive(s, p).Close()
		},
	} {
		t.Run(name, func(t *testing.T) {
			eachDriver(t, func(t *testing.T, cfg ringo.Config) {
				onLoop(t, cfg, func(l *event.Loop) {
					told := ""
					beside := l.AfterFunc(time.Hour, func() {}) // for which Wait waits until play has begun
					l.Ringo().Go(func() {
						defer beside.Stop()
						play(t, l, &funcs{open: func(*event.Conn) { told += "opened " },
							close: func(*event.Conn, error) { told += "closed " }},
							&packets{open: func(*event.PacketConn) { told += "opened " },
								close: func(*event.PacketConn, error) { told += "closed " }})
					})
					l.Wait()
					if told != "opened closed " {
						t.Errorf("told %q", told)
					}
				})
			})
		})
	}
}

// dialSock is a connection of tasks, whose peer goes with the test.
func dialSock(t *testing.T, l *event.Loop) *sock.Conn {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	c, err := sock.Dial(l.Ringo(), "tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func adopt(t *testing.T, l *event.Loop, h event.Handler) *event.Conn {
	t.Helper()
	c, err := l.Adopt(dialSock(t, l), h)
	if err != nil {
		t.Fatal(err)
	}
	return c
}
