//go:build linux

package sock_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ringo"
	"ringo/event"
	"ringo/internal/test/socktest"
	"ringo/sock"
)

// vsockHere says why no connection of this machine to itself is possible.
var vsockHere = sync.OnceValue(func() error {
	if set, err := sock.Reserve("vsock", ":0"); err != nil { // also where this build does not have it
		return err
	} else if err := set.Close(); err != nil {
		return err
	}
	family := unix.SOCK_STREAM | unix.SOCK_CLOEXEC
	ln, err := unix.Socket(unix.AF_VSOCK, family, 0)
	if err != nil {
		return fmt.Errorf("socket: %w", err)
	}
	defer unix.Close(ln)
	at := &unix.SockaddrVM{CID: unix.VMADDR_CID_ANY, Port: unix.VMADDR_PORT_ANY}
	if err := errors.Join(unix.Bind(ln, at), unix.Listen(ln, 1)); err != nil {
		return err
	}
	name, err := unix.Getsockname(ln)
	if err != nil {
		return err
	}
	c, err := unix.Socket(unix.AF_VSOCK, family, 0)
	if err != nil {
		return err
	}
	defer unix.Close(c)
	to := &unix.SockaddrVM{CID: unix.VMADDR_CID_LOCAL, Port: name.(*unix.SockaddrVM).Port}
	if err := unix.Connect(c, to); err != nil { // in vain it takes two seconds
		return fmt.Errorf("connect to CID 1, for which the kernel needs the module vsock_loopback: %w", err)
	}
	return nil
})

func needVsock(t *testing.T) {
	t.Helper()
	if err := vsockHere(); err != nil {
		t.Skipf("vsock: %v", err)
	}
}

// vsockPair returns both ends of a connection: the one that was dialled, and the one that ln has accepted.
func vsockPair(t *testing.T, l *ringo.Loop, ln *sock.Listener) (a, b *sock.Conn) {
	t.Helper()
	var failed error
	dialled := l.Go(func() { a, failed = sock.Dial(l, "vsock", here(ln.Addr())) })
	b, err := ln.AcceptConn()
	if err = errors.Join(err, dialled.Wait(), failed); err != nil {
		t.Fatal(err)
	}
	return a, b
}

// here is the address at which this machine itself reaches a listener.
func here(addr net.Addr) string { return fmt.Sprint("1:", addr.(*sock.VsockAddr).Port) }

func listenVsock(t *testing.T, l *ringo.Loop) *sock.Listener {
	t.Helper()
	ln, err := sock.Listen(l, "vsock", ":0")
	if err != nil {
		t.Fatal(err)
	}
	return ln
}

// pass sends bytes from one end to the other.
func pass(t *testing.T, l *ringo.Loop, from, to *sock.Conn, n int) {
	t.Helper()
	p := bytes.Repeat([]byte("0123456789abcdef"), n/16)
	var failed error
	writes := l.Go(func() { _, failed = from.Write(p) })
	got := make([]byte, len(p))
	_, err := io.ReadFull(to, got)
	if err = errors.Join(err, writes.Wait(), failed); err != nil || !bytes.Equal(got, p) {
		t.Fatalf("%d bytes: %v, equal %v", n, err, bytes.Equal(got, p))
	}
}

// wantVsock checks that an error is of the kind, and one of package net's that names the network.
func wantVsock(t *testing.T, what string, err, want error) {
	t.Helper()
	var op *net.OpError
	if !errors.Is(err, want) || !errors.As(err, &op) || op.Net != "vsock" {
		t.Errorf("%s: %v, want %v in an error of net's for vsock", what, err, want)
	}
}

func TestVsock(t *testing.T) {
	needVsock(t)
	socktest.EachDriver(t, func(t *testing.T, cfg ringo.Config) {
		onLoop(t, cfg, func(l *ringo.Loop) {
			ln := listenVsock(t, l)
			defer ln.Close()
			a, b := vsockPair(t, l, ln)
			defer a.Close()
			defer b.Close()
			if at := ln.Addr().(*sock.VsockAddr); at.Port == 0 || at.String() != fmt.Sprint(":", at.Port) {
				t.Errorf("the listener has %v", at)
			}
			port := ln.Addr().(*sock.VsockAddr).Port
			if got := *a.RemoteAddr().(*sock.VsockAddr); got != (sock.VsockAddr{CID: 1, Port: port}) {
				t.Errorf("RemoteAddr of the dialled end = %v", got)
			}
			// The kernel gives a socket that dials any CID, and tells only its peer the real one.
			local := a.LocalAddr().(*sock.VsockAddr)
			if got := *b.RemoteAddr().(*sock.VsockAddr); got != (sock.VsockAddr{CID: 1, Port: local.Port}) {
				t.Errorf("RemoteAddr of the accepted end = %v, and its peer says %v", got, local)
			}
			if got := *b.LocalAddr().(*sock.VsockAddr); got != (sock.VsockAddr{CID: 1, Port: port}) {
				t.Errorf("LocalAddr of the accepted end = %v", got)
			}
			pass(t, l, a, b, 1<<20)
			pass(t, l, b, a, 1<<20)

			a.SetReadDeadline(time.Now().Add(time.Millisecond))
			_, err := a.Read(make([]byte, 1))
			wantVsock(t, "Read", err, os.ErrDeadlineExceeded)
			a.SetReadDeadline(time.Time{})

			wantVsock(t, "SetKeepAlive", a.SetKeepAlive(true), syscall.EOPNOTSUPP)
			wantVsock(t, "SetNoDelay", a.SetNoDelay(true), syscall.ENOPROTOOPT)
			wantVsock(t, "SetZeroCopy", a.SetZeroCopy(1), errors.ErrUnsupported)
			_, err = ln.AcceptTCP()
			wantVsock(t, "AcceptTCP", err, syscall.EOPNOTSUPP)
			_, _, err = a.DetachTCP()
			wantVsock(t, "DetachTCP", err, syscall.EOPNOTSUPP)
			_, _, err = a.DetachUnix()
			wantVsock(t, "DetachUnix", err, syscall.EOPNOTSUPP)
			_, err = a.DetachConn()
			wantVsock(t, "DetachConn, of which package net can make nothing", err, syscall.EAFNOSUPPORT)

			if err := a.CloseWrite(); err != nil {
				t.Error(err)
			}
			if _, err := b.Read(make([]byte, 1)); err != io.EOF {
				t.Errorf("Read behind the peer's end: %v", err)
			}
			pass(t, l, b, a, 1<<10)
		})
	})
}

// A copy goes by splice or by memory, a file by sendfile.
func TestVsockCopies(t *testing.T) {
	needVsock(t)
	socktest.EachDriver(t, func(t *testing.T, cfg ringo.Config) {
		onLoop(t, cfg, func(l *ringo.Loop) {
			ln := listenVsock(t, l)
			defer ln.Close()
			a, b := vsockPair(t, l, ln)
			c, d := vsockPair(t, l, ln)
			for _, x := range []*sock.Conn{a, b, c, d} {
				defer x.Close()
			}
			p := bytes.Repeat([]byte("0123456789abcdef"), 1<<14)
			path := filepath.Join(t.TempDir(), "f")
			if err := os.WriteFile(path, p, 0o600); err != nil {
				t.Fatal(err)
			}
			f, err := os.Open(path)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			var sent, copied error
			sends := l.Go(func() { _, sent = io.Copy(a, f); a.CloseWrite() })
			relays := l.Go(func() { _, copied = io.Copy(c, b); c.CloseWrite() })
			got, err := io.ReadAll(d)
			if err = errors.Join(err, sends.Wait(), relays.Wait(), sent, copied); err != nil || !bytes.Equal(got, p) {
				t.Errorf("%d bytes, %v", len(got), err)
			}
		})
	})
}

// What leaves a loop is still a vsock socket, close-on-exec, and can return.
func TestVsockLeaves(t *testing.T) {
	needVsock(t)
	socktest.EachDriver(t, func(t *testing.T, cfg ringo.Config) {
		onLoop(t, cfg, func(l *ringo.Loop) {
			ln := listenVsock(t, l)
			defer ln.Close()
			a, b := vsockPair(t, l, ln)
			defer func() { a.Close() }()
			defer b.Close()
			for _, how := range []string{"Detach", "File"} {
				if _, err := b.Write([]byte("unread")); err != nil {
					t.Fatal(err)
				}
				var f *os.File
				var unread []byte
				if how == "Detach" {
					if _, err := a.Peek(1); err != nil {
						t.Fatal(err)
					}
					fd, p, err := a.Detach()
					if err != nil {
						t.Fatal(err)
					}
					f, unread = os.NewFile(uintptr(fd), "vsock"), p
				} else {
					var err error
					if f, err = a.File(); err != nil {
						t.Fatal(err)
					}
					a.Close()
				}
				if flags, err := unix.FcntlInt(f.Fd(), unix.F_GETFD, 0); err != nil || flags&unix.FD_CLOEXEC == 0 {
					t.Errorf("%s: flags %x, %v, want close-on-exec", how, flags, err)
				}
				var err error
				a, err = sock.Adopt[*sock.Conn](l, f, &sock.AdoptConfig{Exclusive: true, Unread: unread})
				if err != nil {
					t.Fatal(err)
				}
				got := make([]byte, 6)
				if _, err := io.ReadFull(a, got); err != nil || string(got) != "unread" {
					t.Errorf("%s: %q, %v", how, got, err)
				}
				if got, want := a.RemoteAddr().String(), here(ln.Addr()); got != want {
					t.Errorf("%s: its peer is %v, want %v", how, got, want)
				}
				pass(t, l, b, a, 1<<10)
			}
		})
	})
}

// The loops of a set share the one socket, also once it was passed on.
func TestVsockSet(t *testing.T) {
	needVsock(t)
	socktest.EachDriver(t, func(t *testing.T, cfg ringo.Config) {
		onLoop(t, cfg, func(l *ringo.Loop) {
			set, err := sock.Reserve("vsock", ":0")
			if err != nil {
				t.Fatal(err)
			}
			defer set.Close()
			f, err := set.File()
			if err != nil {
				t.Fatal(err)
			}
			passed, err := new(sock.ListenConfig).AdoptSet(f)
			if err != nil {
				t.Fatal(err)
			}
			defer passed.Close()
			if got, want := passed.Addr().String(), set.Addr().String(); got != want {
				t.Errorf("the adopted set has %v, want %v", got, want)
			}
			for _, s := range []*sock.ListenerSet{set, passed} {
				ln, err := s.Listen(l)
				if err != nil {
					t.Fatal(err)
				}
				a, b := vsockPair(t, l, ln)
				pass(t, l, a, b, 1<<10)
				ended := l.Go(func() { _, err = ln.AcceptConn() })
				l.Yield()
				ln.Close()
				ended.Wait()
				wantVsock(t, "Accept", err, net.ErrClosed)
				a.Close()
				b.Close()
			}
			_, err = sock.Dial(l, "vsock", here(set.Addr()))
			wantVsock(t, "Dial of a port at which nobody listens", err, syscall.ECONNRESET)
		})
	})
}

// Errors say what is wrong, whether the machine has vsock or not.
func TestVsockRefusals(t *testing.T) {
	socktest.EachDriver(t, func(t *testing.T, cfg ringo.Config) {
		onLoop(t, cfg, func(l *ringo.Loop) {
			for _, address := range []string{"", "1", ":5", "x:5", "-1:5", "4294967295:5", "1:", "1:x",
				"1:4294967295"} {
				var at *net.AddrError
				if _, err := sock.Dial(l, "vsock", address); !errors.As(err, &at) {
					t.Errorf("Dial of %q: %v", address, err)
				}
			}
			d := sock.Dialer{LocalAddr: &net.TCPAddr{}}
			if _, err := d.Dial(l, "vsock", "1:5"); err == nil || !strings.Contains(err.Error(), "mismatched") {
				t.Errorf("Dial from a TCP address: %v", err)
			}
			d = sock.Dialer{FastOpen: true}
			_, err := d.Dial(l, "vsock", "1:5")
			wantVsock(t, "Dial with FastOpen", err, errors.ErrUnsupported)
			lc := sock.ListenConfig{DeferAccept: time.Second}
			_, err = lc.Listen(l, "vsock", ":0")
			wantVsock(t, "Listen with DeferAccept", err, errors.ErrUnsupported)
			d = sock.Dialer{Timeout: time.Millisecond} // without vsock_loopback the kernel would take two seconds
			_, err = d.Dial(l, "vsock", "1:1")
			var op *net.OpError
			if !errors.As(err, &op) || op.Net != "vsock" || op.Addr.String() != "1:1" {
				t.Errorf("Dial of a port at which nobody listens: %v", err)
			}
		})
	})
}

// The first machine that this one reaches no transport for is CID 3, unless it is a host of such a one.
func TestVsockWithoutWay(t *testing.T) {
	s, err := unix.Socket(unix.AF_VSOCK, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err == nil {
		err = unix.Connect(s, &unix.SockaddrVM{CID: 3, Port: 5})
		unix.Close(s)
	}
	if err != syscall.ENODEV && err != syscall.EAFNOSUPPORT {
		t.Skipf("this machine may reach CID 3: %v", err)
	}
	want := err
	socktest.EachDriver(t, func(t *testing.T, cfg ringo.Config) {
		onLoop(t, cfg, func(l *ringo.Loop) {
			_, err := sock.Dial(l, "vsock", "3:5")
			if errors.Is(err, syscall.EAFNOSUPPORT) { // so has a build that uses what other systems have, too
				want = syscall.EAFNOSUPPORT
			}
			if wantVsock(t, "Dial", err, want); err == nil || !strings.Contains(err.Error(), "kernel") {
				t.Errorf("%v, want a likely cause", err)
			}
		})
	})
}

// vsockEvents greets each peer.
type vsockEvents struct {
	event.Base
	t    *testing.T
	here string
}

func (h vsockEvents) OnOpen(c *event.Conn) {
	if local, remote := c.LocalAddr(), c.RemoteAddr(); local.String() != h.here || remote.Network() != "vsock" {
		h.t.Errorf("a connection of callbacks from %v to %v, want to %s", remote, local, h.here)
	}
	if err := errors.Join(c.Write([]byte("hello")), c.CloseWrite()); err != nil {
		h.t.Error(err)
	}
	late := c.Write([]byte("x"))
	wantVsock(h.t, "Write behind CloseWrite", late, late)
	c.Close()
}

func TestVsockCallbacks(t *testing.T) {
	needVsock(t)
	socktest.EachDriver(t, func(t *testing.T, cfg ringo.Config) {
		onLoop(t, cfg, func(l *ringo.Loop) {
			ln := listenVsock(t, l)
			e := event.On(l)
			e.Accept(ln, vsockEvents{t: t, here: here(ln.Addr())})
			c, err := sock.Dial(l, "vsock", here(ln.Addr()))
			if err != nil {
				t.Fatal(err)
			}
			if got, err := io.ReadAll(c); err != nil || string(got) != "hello" {
				t.Errorf("%q, %v", got, err)
			}
			c.Close()
			ln.Close()
			e.Wait()
		})
	})
}
