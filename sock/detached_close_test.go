package sock_test

import (
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"ringo"
	"ringo/sock"
)

// awaitStack waits until some goroutine is in a function.
func awaitStack(t *testing.T, function string) {
	t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); runtime.Gosched() {
		if onStack(function) {
			return
		}
	}
	t.Errorf("nobody is in %s", function)
}

// onStack reports whether a goroutine is in a function.
func onStack(function string) bool {
	buf := make([]byte, 1<<20)
	return strings.Contains(string(buf[:runtime.Stack(buf, true)]), function)
}

// A Close that waits for the loop, since it lingers, returns when another one that does not need
// the loop has closed the connection.
func TestDetachedCloseBesideOneThatLingers(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		detachedConns(t, cfg, func(l *ringo.Loop, next func() (*sock.Conn, *net.TCPConn)) {
			c, peer := next()
			defer peer.Close()
			if err := c.SetLinger(1); err != nil {
				t.Error(err)
			}
			holds, release := make(chan struct{}), make(chan struct{})
			held := l.Go(func() { close(holds); <-release }) // the loop's thread
			<-holds
			closed := make(chan error, 1)
			go func() { closed <- c.Close() }()
			awaitStack(t, "handle.(*foreign).awaitClosed(")
			if err := c.SetLinger(-1); err != nil {
				t.Error(err)
			}
			if err := c.Close(); err != nil {
				t.Error(err)
			}
			close(release)
			within(patience, t.Name(), func() {
				if err := <-closed; err != nil {
					t.Error(err)
				}
				held.Wait()
			})
		})
	})
}
