//go:build linux

package sock_test

import (
	"context"
	"errors"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	"ringo"
	"ringo/internal/driver/drivertest"
	"ringo/internal/driver/open"
	"ringo/sock"
)

// Everybody who waits for a connection of a loop whose driver dies is told, whoever it is;
// the connection is closed, and its peer sees that.
func TestDriverDeathIsTold(t *testing.T) {
	cause := errors.New("dead on purpose")
	for _, first := range []string{"a task", "a goroutine"} {
		t.Run("read first by "+first, func(t *testing.T) {
			eachDriver(t, func(t *testing.T, cfg ringo.Config) {
				var mortal drivertest.Mortal
				defer open.Through(mortal.Wrap)()
				var all sync.WaitGroup
				errs := make(chan error, 10)
				read := func(c *sock.Conn) {
					_, err := c.Read(make([]byte, 1))
					errs <- err
				}
				var conn *sock.Conn
				var peer *net.TCPConn
				within(patience, t.Name(), func() {
					err := ringo.Run(context.Background(), &cfg, func(l *ringo.Loop) error {
						conn, peer = connect(t, l)
						if first == "a task" {
							l.Go(func() { read(conn) })
							pause(l)
						}
						for range 3 {
							all.Go(func() { read(conn) })
						}
						l.Sleep(20 * time.Millisecond)
						l.Go(func() { read(conn) })
						l.Sleep(20 * time.Millisecond)
						mortal.Current().Die(cause)
						l.Sleep(time.Hour)
						return nil
					})
					if !errors.Is(err, cause) {
						t.Errorf("Run: %v", err)
					}
					all.Wait()
				})
				want := 4
				if first == "a task" {
					want = 5
				}
				for range want {
					select {
					case err := <-errs:
						if err == nil {
							t.Error("a read gave nil")
						}
						t.Log(err)
					default:
						t.Fatal("a read was not told")
					}
				}
				if err := conn.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
					t.Errorf("Close afterwards: %v", err)
				}
				peer.SetReadDeadline(time.Now().Add(patience / 3))
				if _, err := peer.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
					t.Errorf("the peer's read: %v, want an end", err)
				}
				peer.Close()
			})
		})
	}
}
