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

	"ringo/internal/mask"
	"ringo/internal/test/patience"
	"ringo/internal/test/seccomptest"
)

// TestProxyFaults: an error that says nothing of a socket's end, such as want of memory, ends what
// it has cut: both peers see a reset, whichever half it was, and a line says why.
func TestProxyFaults(t *testing.T) {
	for _, c := range []struct {
		name string
		call uint32
		err  syscall.Errno // a splice that lacks memory is none: the copy goes on without
		bulk bool          // what is spoken is without end
		ends bool          // who speaks ends its side, so that the proxy passes that on
	}{
		{"write", unix.SYS_SENDTO, syscall.ENOMEM, false, false},
		{"splice", unix.SYS_SPLICE, syscall.EIO, true, false},
		{"CloseWrite", unix.SYS_SHUTDOWN, syscall.ENOMEM, false, true},
	} {
		for _, speaker := range []string{"client", "server"} {
			t.Run(c.name+"/"+speaker, func(t *testing.T) {
				eachDriver(t, func(t *testing.T, driver string) {
					policy := seccomptest.Deny(seccomptest.Rule{Number: c.call, Errno: c.err})
					var p *process
					started := make(chan bool)
					speak := func(conn net.Conn) error {
						_, err := conn.Write(make([]byte, 1000))
						for err == nil && c.bulk {
							_, err = conn.Write(make([]byte, 1<<20))
						}
						if c.ends {
							err = errors.Join(err, conn.(*net.TCPConn).CloseWrite())
						}
						return err
					}
					// A copy goes over to splices when full buffers come in a row, so who listens lets what it
					// gets pile up, again and again.
					listen := func(conn net.Conn) error {
						for <-started; c.bulk; {
							if err := p.rests(); err != nil {
								return err
							}
							if _, err := io.CopyN(io.Discard, conn, 8<<20); err != nil {
								return err
							}
						}
						_, err := io.Copy(io.Discard, conn)
						return err
					}
					side := func(conn net.Conn, who string) error {
						if who != speaker {
							return listen(conn)
						}
						wrote := make(chan error, 1)
						go func() { wrote <- speak(conn) }()
						_, err := io.Copy(io.Discard, conn)
						return errors.Join(err, <-wrote)
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
					p = start(t, cmd)
					close(started)
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
