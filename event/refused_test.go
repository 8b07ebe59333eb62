package event_test

import (
	"errors"
	"io"
	"net"
	"testing"

	"ringo"
	"ringo/event"
)

// Who is refused room is told when there is some, also where the high-water mark was never reached.
func TestRefusedIsTold(t *testing.T) {
	for name, bound := range map[string]func(c *event.Conn){
		"the connection's": func(c *event.Conn) { c.SetMarks(100<<20, 1) },
		"all together's":   func(c *event.Conn) { c.SetMarks(100<<20, 100<<20); c.Loop().SetUnsentMax(1) },
	} {
		t.Run(name, func(t *testing.T) {
			eachDriver(t, func(t *testing.T, cfg ringo.Config) {
				p := pattern(8 << 20)
				told := false
				h := &funcs{
					open: func(c *event.Conn) {
						bound(c)
						if c.Congested() {
							t.Error("congested before anything was written")
						}
						err := c.Write(p[:len(p)-1])
						if refused := c.Write(p[len(p)-1:]); err != nil || refused != event.ErrFull || !c.Congested() {
							t.Errorf("Write: %v, then %v; congested: %v", err, refused, c.Congested())
						}
					},
					writable: func(c *event.Conn) {
						told = true
						if err := c.Write(p[len(p)-1:]); err != nil || c.Congested() {
							t.Errorf("Write when there is room: %v; congested: %v", err, c.Congested())
						}
						c.Close()
					},
				}
				pair(t, cfg, h, func(peer *net.TCPConn) error { return errors.Join(wantBytes(peer, p), wantEOF(peer)) })
				if !told {
					t.Error("OnWritable was not called")
				}
			})
		})
	}
}

// A slice is filled with what OnData has left, though nothing more comes.
func TestReadFullOfTheRest(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		got := make([]byte, 3)
		h := &funcs{data: func(c *event.Conn, p []byte) int {
			if len(p) < 5 {
				return 0
			}
			c.Loop().AfterFunc(0, func() {
				if err := c.ReadFull(got, func(n int, err error) {
					if n != len(got) || err != nil {
						t.Errorf("told %d, %v", n, err)
					}
					c.Write(got)
				}); err != nil {
					t.Error(err)
				}
			})
			return 2
		}}
		pair(t, cfg, h, func(peer *net.TCPConn) error {
			_, err := io.WriteString(peer, "hello")
			return errors.Join(err, wantBytes(peer, []byte("llo")))
		})
	})
}
