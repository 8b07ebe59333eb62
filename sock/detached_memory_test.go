package sock_test

import (
	"net"
	"runtime"
	"testing"
	"time"
	"weak"

	"ringo"
	"ringo/sock"
)

// Of connections that goroutines have closed a loop keeps nothing.
func TestDetachedThatAreClosedAreForgotten(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		detachedConns(t, cfg, func(l *ringo.Loop, next func() (*sock.Conn, *net.TCPConn)) {
			const conns = 20
			var kept []weak.Pointer[sock.Conn]
			for i := range conns {
				c, peer := next()
				if i%2 == 0 {
					read := make(chan bool)
					go func() { // the last who is at it closes the descriptor
						c.Read(make([]byte, 1))
						close(read)
					}()
					awaitStack(t, "sock.(*Conn).Read(")
					defer func() { <-read }()
				}
				c.Close()
				peer.Close()
				kept = append(kept, weak.Make(c))
			}
			left := conns
			for end := time.Now().Add(patience); left > 1 && time.Now().Before(end); { // one may still be on a stack
				runtime.GC()
				left = 0
				for _, p := range kept {
					if p.Value() != nil {
						left++
					}
				}
			}
			if left > 1 {
				t.Errorf("%d of %d closed connections are kept", left, conns)
			}
		})
	})
}
