//go:build linux

package main

import (
	"errors"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"ringo/internal/seccomptest"
)

// TestProxyFaults: an error that says nothing of a socket's end, such as want of memory, ends what
// it has cut: both peers see a reset, whichever half it was, and a line says why.
func TestProxyFaults(t *testing.T) {
	for _, c := range []struct {
		name string
		call uint32
		size int
		asks bool // the client ends its side, so that the proxy passes that on
	}{
		{"write", unix.SYS_SENDTO, 1000, false},
		{"splice", unix.SYS_SPLICE, 20_000_000, false},
		{"CloseWrite", unix.SYS_SHUTDOWN, 1000, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			eachDriver(t, func(t *testing.T, driver string) {
				policy := seccomptest.Deny(seccomptest.Rule{Number: c.call, Errno: syscall.ENOMEM})
				ends := make(chan error, 1)
				ln, err := net.Listen("tcp", "127.0.0.1:0")
				if err != nil {
					t.Fatal(err)
				}
				backend(t, ln, func(c net.Conn) { // it answers nothing
					_, err := io.Copy(io.Discard, c)
					ends <- err
				})
				p := start(t, denied(t, policy, "proxy", "-listen", anyPort, "-to", "tcp://"+ln.Addr().String(),
					"-driver", driver, "-grace", "0s"))
				client := dial(t, p.addr())
				wrote := make(chan error, 1)
				go func() {
					_, err := client.Write(make([]byte, c.size))
					if c.asks {
						err = errors.Join(err, client.CloseWrite())
					}
					wrote <- err
				}()
				if err := <-ends; !errors.Is(err, syscall.ECONNRESET) {
					t.Errorf("the other side was told %v, want a reset", err)
				}
				_, err = io.ReadAll(client)
				if err = errors.Join(err, <-wrote); !ended(err) {
					t.Errorf("the client was told %v, want a reset", err)
				}
				if line := p.line("connection of 127.0.0.1:"); !strings.HasSuffix(line, "cannot allocate memory") {
					t.Errorf("the line is %q", line)
				}
				p.finish()
			})
		})
	}
}

// ended reports whether an error is of a connection that was reset.
func ended(err error) bool {
	return errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}
