//go:build linux

package main

import (
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ringo/internal/mask"
	"ringo/internal/patience"
	"ringo/internal/seccomptest"
)

// TestProxyFaults: an error that says nothing of a socket's end, such as want of memory, ends what
// it has cut: both peers see a reset, whichever half it was, and a line says why.
func TestProxyFaults(t *testing.T) {
	for _, c := range []struct {
		name string
		call uint32
		err  syscall.Errno // a splice that lacks memory is none: the copy goes on without
		size int
		ends bool // who speaks ends its side, so that the proxy passes that on
	}{
		{"write", unix.SYS_SENDTO, syscall.ENOMEM, 1000, false},
		{"splice", unix.SYS_SPLICE, syscall.EIO, 20_000_000, false},
		{"CloseWrite", unix.SYS_SHUTDOWN, syscall.ENOMEM, 1000, true},
	} {
		for _, speaker := range []string{"client", "server"} {
			t.Run(c.name+"/"+speaker, func(t *testing.T) {
				eachDriver(t, func(t *testing.T, driver string) {
					policy := seccomptest.Deny(seccomptest.Rule{Number: c.call, Errno: c.err})
					// A copy goes over to splices when full buffers come in a row, so the other side lets
					// what it gets pile up first.
					piled := make(chan struct{})
					speak := func(conn net.Conn) error {
						n, err := 0, error(nil)
						if c.size > 1<<20 {
							conn.SetWriteDeadline(time.Now().Add(time.Second))
							n, err = conn.Write(make([]byte, c.size))
							conn.SetWriteDeadline(patience.Deadline())
						}
						close(piled)
						if err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
							_, err = conn.Write(make([]byte, c.size-n))
						}
						if c.ends {
							err = errors.Join(err, conn.(*net.TCPConn).CloseWrite())
						}
						return err
					}
					listen := func(conn net.Conn) error {
						_, err := io.Copy(io.Discard, conn)
						return err
					}
					side := func(conn net.Conn, who string) error {
						wrote := make(chan error, 1)
						go func() {
							if who == speaker {
								wrote <- speak(conn)
							} else {
								wrote <- nil // it says nothing
							}
						}()
						if who != speaker {
							<-piled
						}
						return errors.Join(listen(conn), <-wrote)
					}
					ln, err := net.Listen("tcp", "127.0.0.1:0")
					if err != nil {
						t.Fatal(err)
					}
					ends := make(chan error, 1)
					backend(t, ln, func(conn net.Conn) { ends <- side(conn, "server") })
					cmd := denied(t, policy, "proxy", "-listen", anyPort, "-to", ln.Addr().String(), "-driver", driver,
						"-grace", "0s")
					if c.call == unix.SYS_SENDTO {
						cmd.Env = append(cmd.Env, mask.Variable+"=op:send") // an entry, which no filter sees
					}
					p := start(t, cmd)
					client, err := net.DialTimeout("tcp", p.addr(), patience.Max)
					if err == nil { // else the reset came before the connect returned
						defer client.Close()
						client.SetDeadline(patience.Deadline())
						err = side(client, "client")
					}
					if !ended(err) {
						t.Errorf("the client was told %v, want a reset", err)
					}
					if err := <-ends; !ended(err) {
						t.Errorf("the other side was told %v, want a reset", err)
					}
					if line := p.line("connection of 127.0.0.1:"); !strings.HasSuffix(line, c.err.Error()) {
						t.Errorf("the line is %q", line)
					}
					p.finish()
				})
			})
		}
	}
}

// ended reports whether an error is of a connection that was reset.
func ended(err error) bool {
	return errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}
