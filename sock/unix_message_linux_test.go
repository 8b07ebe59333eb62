//go:build linux

package sock_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"

	"ringo"
	"ringo/sock"
)

// eachMessage runs f for each driver, Unix network and caller, on a connection and its
// peer, which is package net's.
func eachMessage(t *testing.T, f func(c *sock.Conn, peer unixPeer) error) {
	eachUnix(t, func(t *testing.T, cfg ringo.Config, network string) {
		for _, by := range callers {
			t.Run(by.name, func(t *testing.T) {
				unixPair(t, cfg, network, func(l *ringo.Loop, c *sock.Conn, peer unixPeer) {
					if err := by.run(l, func() error { return f(c, peer) })(); err != nil {
						t.Error(err)
					}
				})
			})
		}
	})
}

// control asks fcntl(2) of a file.
func control(f *os.File, cmd int) int {
	n, _, _ := syscall.Syscall(syscall.SYS_FCNTL, uintptr(number(f)), uintptr(cmd), 0)
	return int(n)
}

func TestReadMsgUnix(t *testing.T) {
	eachMessage(t, func(c *sock.Conn, peer unixPeer) error {
		w, r, err := passed()
		if err != nil {
			return err
		}
		defer r.Close()
		defer w.Close()
		_, _, err = peer.(*net.UnixConn).WriteMsgUnix([]byte("look"), syscall.UnixRights(number(w)), nil)
		if err != nil {
			return err
		}
		p, oob := make([]byte, 10), make([]byte, 64)
		n, oobn, flags, addr, err := c.ReadMsgUnix(p, oob)
		if err != nil || string(p[:n]) != "look" || flags != 0 || addr != nil {
			return fmt.Errorf("%q, flags %#x, from %v, %v", p[:n], flags, addr, err)
		}
		fds, err := rightsOf(oob[:oobn])
		if err != nil || len(fds) != 1 {
			return fmt.Errorf("descriptors %v, %v", fds, err)
		}
		got := os.NewFile(uintptr(fds[0]), "got")
		defer got.Close()
		if control(got, syscall.F_GETFD)&syscall.FD_CLOEXEC == 0 {
			return errors.New("the descriptor survives exec")
		}
		return speaks(got, r)
	})
}

func rightsOf(oob []byte) (fds []int, err error) {
	messages, err := syscall.ParseSocketControlMessage(oob)
	for _, m := range messages {
		some, err := syscall.ParseUnixRights(&m)
		if err != nil {
			return nil, err
		}
		fds = append(fds, some...)
	}
	return fds, err
}

func TestWriteMsgUnix(t *testing.T) {
	eachMessage(t, func(c *sock.Conn, peer unixPeer) error {
		w, r, err := passed()
		if err != nil {
			return err
		}
		defer r.Close()
		defer w.Close()
		for _, text := range []string{"look", ""} {
			n, oobn, err := c.WriteMsgUnix([]byte(text), syscall.UnixRights(number(w)), nil)
			if err != nil || n != len(text) || oobn == 0 {
				return fmt.Errorf("WriteMsgUnix of %q: %d, %d, %v", text, n, oobn, err)
			}
			p, oob := make([]byte, 10), make([]byte, 64)
			n, oobn, _, _, err = peer.(*net.UnixConn).ReadMsgUnix(p, oob)
			if want := text + "\x00"[:max(0, 1-len(text))]; err != nil || string(p[:n]) != want {
				return fmt.Errorf("the peer has %q, %v, want %q", p[:n], err, want)
			}
			fds, err := rightsOf(oob[:oobn])
			if err != nil || len(fds) != 1 {
				return fmt.Errorf("descriptors %v, %v", fds, err)
			}
			got := os.NewFile(uintptr(fds[0]), "got")
			defer got.Close()
			if err := speaks(got, r); err != nil {
				return err
			}
		}
		_, _, err = c.WriteMsgUnix([]byte("x"), nil, &net.UnixAddr{Name: "/x", Net: "unix"})
		if !errors.Is(err, syscall.EISCONN) {
			return fmt.Errorf("to an address: %v, want EISCONN", err)
		}
		// A byte goes with what has none, and is read so.
		if _, _, err := peer.(*net.UnixConn).WriteMsgUnix(nil, syscall.UnixRights(number(w)), nil); err != nil {
			return err
		}
		oob := make([]byte, 64)
		n, oobn, _, _, err := c.ReadMsgUnix(nil, oob)
		fds, _ := rightsOf(oob[:oobn])
		for _, fd := range fds {
			syscall.Close(fd)
		}
		if n != 1 || len(fds) != 1 || err != nil {
			return fmt.Errorf("ReadMsgUnix into nothing: %d, %v, %v", n, fds, err)
		}
		return nil
	})
}

// The peer's name is told, and the end is io.EOF.
func TestReadMsgUnixEnds(t *testing.T) {
	eachUnix(t, func(t *testing.T, cfg ringo.Config, network string) {
		onLoop(t, cfg, func(l *ringo.Loop) {
			ln := listenUnix(t, l, network, abstractName())
			defer ln.Close()
			own := &net.UnixAddr{Name: abstractName(), Net: network}
			d, err := (&sock.Dialer{LocalAddr: own}).Dial(l, network, ln.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			c, err := ln.AcceptConn()
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			d.Write([]byte("truncated"))
			d.Close()
			p := make([]byte, 3)
			n, _, flags, addr, err := c.ReadMsgUnix(p, nil)
			if n != 3 || err != nil || addr == nil || *addr != *own ||
				(flags&syscall.MSG_TRUNC != 0) != (network == "unixpacket") {
				t.Errorf("ReadMsgUnix: %d, flags %#x, from %v, %v", n, flags, addr, err)
			}
			if network == "unix" {
				io.ReadFull(c, make([]byte, 6))
			}
			if _, _, _, _, err := c.ReadMsgUnix(p, nil); err != io.EOF {
				t.Errorf("at the end: %v, want EOF", err)
			}
		})
	})
}

// Bytes that were fetched come first, and what belongs to others stays with them.
func TestReadMsgUnixAfterPeek(t *testing.T) {
	eachMessage(t, func(c *sock.Conn, peer unixPeer) error {
		w, r, err := passed()
		if err != nil {
			return err
		}
		defer r.Close()
		defer w.Close()
		peer.Write([]byte("plain"))
		if _, err := c.Peek(5); err != nil {
			return err
		}
		if _, _, err := peer.(*net.UnixConn).WriteMsgUnix([]byte("x"), syscall.UnixRights(number(w)), nil); err != nil {
			return err
		}
		p, oob := make([]byte, 3), make([]byte, 64)
		n, oobn, flags, _, err := c.ReadMsgUnix(p, oob)
		if n != 3 || oobn != 0 || err != nil ||
			(flags&syscall.MSG_TRUNC != 0) != strings.HasPrefix(c.LocalAddr().Network(), "unixpacket") {
			return fmt.Errorf("of what was here: %d, %d, %#x, %v", n, oobn, flags, err)
		}
		if !strings.HasPrefix(c.LocalAddr().Network(), "unixpacket") {
			if n, oobn, _, _, err := c.ReadMsgUnix(p, oob); n != 2 || oobn != 0 || err != nil {
				return fmt.Errorf("the rest of what was here: %d, %d, %v", n, oobn, err)
			}
		}
		n, files, err := c.RecvFiles(p, 1)
		if n != 1 || len(files) != 1 || err != nil {
			return fmt.Errorf("behind it: %d, %v, %v", n, files, err)
		}
		defer files[0].Close()
		return speaks(files[0], r)
	})
}

// What only Unix sockets can do is refused by others, and the other way round.
func TestUnixRefusals(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		pair(t, cfg, func(l *ringo.Loop, c *sock.Conn, _ tcpPeer) {
			for name, err := range map[string]error{
				"ReadMsgUnix":  func() error { _, _, _, _, err := c.ReadMsgUnix(nil, nil); return err }(),
				"WriteMsgUnix": func() error { _, _, err := c.WriteMsgUnix(nil, nil, nil); return err }(),
				"SendFiles":    func() error { _, err := c.SendFiles([]byte("x"), os.Stdin); return err }(),
				"RecvFiles":    func() error { _, _, err := c.RecvFiles(make([]byte, 1), 1); return err }(),
				"PeerCred":     func() error { _, _, _, err := c.PeerCred(); return err }(),
			} {
				var op *net.OpError
				if !errors.Is(err, syscall.EOPNOTSUPP) || !errors.Is(err, errors.ErrUnsupported) ||
					!errors.As(err, &op) || op.Net != "tcp" {
					t.Errorf("%s of a TCP connection: %v", name, err)
				}
			}
		})
	})
	eachMessage(t, func(c *sock.Conn, _ unixPeer) error {
		for name, err := range map[string]error{
			"SetNoDelay": c.SetNoDelay(true), "SetKeepAlive": c.SetKeepAlive(true),
			"SetKeepAlivePeriod": c.SetKeepAlivePeriod(1e9),
			"SetKeepAliveConfig": c.SetKeepAliveConfig(net.KeepAliveConfig{Enable: true}), "SetLinger": c.SetLinger(0),
		} {
			var op *net.OpError
			if !errors.Is(err, syscall.EOPNOTSUPP) && !errors.Is(err, syscall.ENOPROTOOPT) || !errors.As(err, &op) ||
				!strings.HasPrefix(op.Net, "unix") {
				return fmt.Errorf("%s: %v", name, err)
			}
		}
		return errors.Join(c.SetReadBuffer(1<<16), c.SetWriteBuffer(1<<16))
	})
}

func TestPeerCred(t *testing.T) {
	eachMessage(t, func(c *sock.Conn, _ unixPeer) error {
		pid, uid, gid, err := c.PeerCred()
		if pid != os.Getpid() || uid != os.Getuid() || gid != os.Getgid() {
			return fmt.Errorf("pid %d, uid %d, gid %d, %v", pid, uid, gid, err)
		}
		return err
	})
}

// Messages cross while both sides write without reading: all go both ways, in order,
// each with its descriptor.
func TestMessagesCross(t *testing.T) {
	eachUnix(t, func(t *testing.T, cfg ringo.Config, network string) {
		eachCallers(t, func(t *testing.T, reader, writer byEach) {
			ringoPair(t, cfg, network, func(l *ringo.Loop, c, d *sock.Conn) {
				w, r, err := passed()
				if err != nil {
					t.Fatal(err)
				}
				defer r.Close()
				defer w.Close()
				const rounds, size = 200, 4000
				send := func(c *sock.Conn) func() error {
					return func() error {
						for i := range rounds {
							if n, err := c.SendFiles(bytes.Repeat([]byte{byte(i)}, size), w); n != size || err != nil {
								return fmt.Errorf("message %d: %d bytes out, %v", i, n, err)
							}
						}
						return nil
					}
				}
				recv := func(c *sock.Conn) func() error {
					return func() error {
						p := make([]byte, size)
						for i := range rounds {
							n, files, err := c.RecvFiles(p, 1)
							if err != nil || len(files) != 1 {
								return fmt.Errorf("message %d: %v, %v", i, files, err)
							}
							files[0].Close()
							if _, err := io.ReadFull(c, p[n:]); n < size && err != nil {
								return err
							}
							if !bytes.Equal(p, bytes.Repeat([]byte{byte(i)}, size)) {
								return fmt.Errorf("message %d has other bytes", i)
							}
						}
						return nil
					}
				}
				var waits []func() error
				for _, c := range []*sock.Conn{c, d} {
					waits = append(waits, writer.run(l, send(c)))
				}
				l.Sleep(0)
				for _, c := range []*sock.Conn{c, d} {
					waits = append(waits, reader.run(l, recv(c)))
				}
				for _, wait := range waits {
					if err := wait(); err != nil {
						t.Error(err)
					}
				}
			})
		})
	})
}
