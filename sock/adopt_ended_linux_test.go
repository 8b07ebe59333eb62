//go:build linux

package sock_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"syscall"
	"testing"

	"ringo"
	"ringo/sock"
)

// lastWords are how a connection may have ended when it is adopted, ours and then its peer.
var lastWords = []struct {
	name string
	end  func(t *testing.T, ours, peer net.Conn)
	tcp  bool // only there
	want error
}{
	{"the peer's side first", func(t *testing.T, ours, peer net.Conn) {
		closeWrite(t, peer)
		closeWrite(t, ours)
	}, false, io.EOF},
	{"our side first", func(t *testing.T, ours, peer net.Conn) {
		closeWrite(t, ours)
		closeWrite(t, peer)
	}, false, io.EOF},
	{"the peer is gone", func(t *testing.T, ours, peer net.Conn) {
		closeWrite(t, ours)
		peer.Close()
	}, false, io.EOF},
	{"a reset", func(t *testing.T, _, peer net.Conn) { reset(peer.(*net.TCPConn)) }, true, syscall.ECONNRESET},
}

func closeWrite(t *testing.T, c net.Conn) {
	t.Helper()
	if err := c.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
		t.Error(err)
	}
}

// peerless waits until the kernel knows no peer of a TCP connection any more.
func peerless(t *testing.T, c syscall.Conn) {
	t.Helper()
	raw, err := c.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the connection has ended", func() (ended bool) {
		raw.Control(func(fd uintptr) {
			_, err := syscall.Getpeername(int(fd))
			ended = err == syscall.ENOTCONN
		})
		return ended
	})
}

// A connection that has ended is adopted with all that is still unread in it.
func TestAdoptEnded(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		for _, network := range []string{"tcp", "unix", "unixpacket"} {
			for _, ending := range lastWords {
				for _, sent := range []string{"", "the rest"} {
					for _, as := range []string{"conn", "file"} {
						if ending.tcp && network != "tcp" {
							continue
						}
						name := fmt.Sprintf("%s/%s/%q unread/%s", network, ending.name, sent, as)
						t.Run(name, func(t *testing.T) {
							onLoop(t, cfg, func(l *ringo.Loop) {
								a, b := strangers(t, network)
								defer b.Close()
								if sent != "" {
									if _, err := io.WriteString(b, sent); err != nil {
										t.Fatal(err)
									}
								}
								ending.end(t, a, b)
								if network == "tcp" {
									peerless(t, a.(syscall.Conn))
								}
								var s io.Closer = a
								if as == "file" {
									s = asFile(t, a, false)
								}
								c, err := sock.Adopt(l, s)
								if err != nil {
									t.Fatal(err)
								}
								defer c.Close()
								wantRest(t, c, sent, ending.want)
							})
						})
					}
				}
			}
		}
	})
}

// wantRest reads a connection's rest, and its end, which is one of those.
func wantRest(t *testing.T, c net.Conn, rest string, ends ...error) {
	t.Helper()
	got := make([]byte, len(rest))
	if n, err := io.ReadFull(c, got); string(got) != rest || err != nil {
		t.Errorf("read %q, %v; want %q", got[:n], err, rest)
	}
	n, err := c.Read(make([]byte, 10))
	if n != 0 || !slices.ContainsFunc(ends, func(end error) bool { return errors.Is(err, end) }) {
		t.Errorf("behind it: %d, %v; want %v", n, err, ends)
	}
}

// A connection that has ended goes out of Ringo and back in, as across a change of the process, with all its bytes.
func TestDetachAndAdoptEnded(t *testing.T) {
	for _, ending := range lastWords {
		t.Run(ending.name, func(t *testing.T) {
			eachCaller(t, func(t *testing.T, c *sock.Conn, peer *net.TCPConn, start starter) {
				send(t, peer, "first and the rest")
				start.run(func() {
					wantRead(t, c, 6, "first ")
					ending.end(t, c, peer)
					peerless(t, c)
					l := c.Loop()
					fd, unread, err := c.Detach()
					if err != nil {
						t.Errorf("Detach: %v", err)
						return
					}
					ac := &sock.AdoptConfig{Unread: unread}
					back, err := ac.Adopt(l, os.NewFile(uintptr(fd), "detached"))
					if err != nil {
						t.Errorf("Adopt: %v", err)
						return
					}
					defer back.Close()
					// The kernel says a reset once, and the loop may have heard it with the bytes.
					wantRest(t, back, "and the rest", ending.want, io.EOF)
				})
			})
		})
	}
}

// DetachConn gives package net all the bytes of a connection that has ended, and why it has.
func TestDetachConnEnded(t *testing.T) {
	for _, ending := range lastWords {
		t.Run(ending.name, func(t *testing.T) {
			eachCaller(t, func(t *testing.T, c *sock.Conn, peer *net.TCPConn, start starter) {
				send(t, peer, "first and the rest")
				start.run(func() {
					wantRead(t, c, 6, "first ")
					ending.end(t, c, peer)
					peerless(t, c)
					if p, err := c.Peek(100); string(p) != "and the rest" {
						t.Errorf("peeked %q, %v", p, err)
					}
					conn, err := c.DetachConn()
					if err != nil {
						t.Errorf("DetachConn: %v", err)
						return
					}
					defer conn.Close()
					wantRest(t, conn, "and the rest", ending.want)
				})
			})
		})
	}
}
