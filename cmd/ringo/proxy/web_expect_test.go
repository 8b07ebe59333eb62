package proxy

import (
	"fmt"
	"testing"
	"time"

	"ringo"
	"ringo/sim"
	"ringo/sock"
)

// TestWebExpect: a client that waits for 100 Continue is told to go on after a while, once, where the upstream knows
// none or sends it too late.
func TestWebExpect(t *testing.T) {
	const post = "POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 20\r\n\r\n"
	waits := func(l *ringo.Loop, c *sock.Conn) error {
		since := l.Now()
		if err := reads(0)(l, c); err != nil {
			return err
		}
		if d := l.Now().Sub(since); d < continueTime || d > 2*continueTime {
			return fmt.Errorf("it is told to go on after %v, want %v", d, continueTime)
		}
		return says("01234567890123456789", gets(200, true, false))(l, c)
	}
	for _, late := range []string{"", "HTTP/1.1 100 Continue\r\n\r\n"} {
		sim.Explore(t, 5, func(w *sim.World) {
			said := inWorld(w, &options{http: true, answer: time.Hour}, nil, says(post, waits),
				plays(reads(20), says(late+"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", ends)))
			if len(said) > 0 {
				w.Errorf("the lines are %q", said)
			}
		})
	}
}
