//go:build linux

package sock_test

import (
	"io"
	"net"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"

	"ringo"
	"ringo/internal/seccomptest"
	"ringo/sock"
)

// A shutdown(2) that a signal has interrupted is made again: CloseWrite does not say that
// it has ended the stream when it has not. A task and a goroutine make it.
func TestCloseWriteInterrupted(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		for _, caller := range []string{"task", "goroutine"} {
			t.Run(caller, func(t *testing.T) {
				onLoop(t, cfg, func(l *ringo.Loop) {
					std, err := net.Listen("tcp", "127.0.0.1:0")
					if err != nil {
						t.Fatal(err)
					}
					defer std.Close()
					c, err := sock.Dial(l, "tcp", std.Addr().String())
					if err != nil {
						t.Fatal(err)
					}
					defer c.Close()
					peer, err := std.Accept()
					if err != nil {
						t.Fatal(err)
					}
					defer peer.Close()
					var unavailable, closed error
					calls := 0
					closeWrite := func() {
						stop, err := seccomptest.Interrupt(unix.SYS_SHUTDOWN, 2)
						if unavailable = err; err == nil {
							closed = c.CloseWrite()
							calls = stop()
						}
					}
					if caller == "task" {
						closeWrite() // the loop's thread ends with it
					} else {
						done := make(chan struct{})
						go func() {
							defer close(done)
							runtime.LockOSThread()
							closeWrite()
						}()
						<-done
					}
					if unavailable != nil {
						t.Skipf("no supervisor of system calls here (Linux 5.5): %v", unavailable)
					}
					if closed != nil || calls != 3 {
						t.Errorf("CloseWrite: %v after %d calls of shutdown, want nil after 3", closed, calls)
						return
					}
					if n, err := peer.Read(make([]byte, 1)); n != 0 || err != io.EOF {
						t.Errorf("the peer reads %d, %v, want EOF", n, err)
					}
				})
			})
		}
	})
}
