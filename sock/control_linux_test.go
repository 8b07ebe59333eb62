//go:build linux

package sock_test

import (
	"errors"
	"net"
	"syscall"
	"testing"

	"ringo"
	"ringo/sock"
)

// mark sets the socket's priority, and shows that somebody did.
func mark(calls *[]string) func(network, address string, c syscall.RawConn) error {
	return func(network, address string, c syscall.RawConn) error {
		*calls = append(*calls, network+" "+address)
		var err error
		if cerr := c.Control(func(fd uintptr) {
			err = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_PRIORITY, 3)
		}); cerr != nil {
			return cerr
		}
		if c.Read(func(uintptr) bool { return true }) == nil || c.Write(func(uintptr) bool { return true }) == nil {
			return errors.New("a socket that is being made was read or written")
		}
		return err
	}
}

// What a program sets on its sockets is set before they are bound and connected, and
// who refuses one fails the call, without a descriptor left.
func TestControl(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		onLoop(t, cfg, func(l *ringo.Loop) {
			var listened, dialled []string
			lc := &sock.ListenConfig{Control: mark(&listened), Backlog: 5}
			ln, err := lc.Listen(l, "tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer ln.Close()
			d := &sock.Dialer{Control: mark(&dialled), LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 9)}}
			c, err := d.Dial(l, "tcp", ln.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if got := c.LocalAddr().(*net.TCPAddr); !got.IP.Equal(net.IPv4(127, 0, 0, 9)) || got.Port == 0 {
				t.Errorf("the connection is from %v", got)
			}
			if len(listened) != 1 || listened[0] != "tcp4 127.0.0.1:0" || len(dialled) != 1 ||
				dialled[0] != "tcp4 "+ln.Addr().String() {
				t.Errorf("Control was called with %q and %q", listened, dialled)
			}

			before := sockets(t)
			refusal := errors.New("not this one")
			refuse := func(string, string, syscall.RawConn) error { return refusal }
			if _, err := (&sock.ListenConfig{Control: refuse}).Listen(l, "tcp", "127.0.0.1:0"); !errors.Is(err,
				refusal) {
				t.Errorf("Listen: %v", err)
			}
			if _, err := (&sock.Dialer{Control: refuse}).Dial(l, "tcp", ln.Addr().String()); !errors.Is(err, refusal) {
				t.Errorf("Dial: %v", err)
			}
			if _, err := (&sock.ListenConfig{Backlog: -1}).Listen(l, "tcp", "127.0.0.1:0"); err == nil {
				t.Error("Listen with a negative backlog")
			}
			for _, local := range []net.Addr{&net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)}, &net.TCPAddr{},
				&net.TCPAddr{IP: net.IPv6loopback}, (*net.TCPAddr)(nil)} {
				if _, err := (&sock.Dialer{LocalAddr: local}).Dial(l, "tcp", ln.Addr().String()); err == nil {
					t.Errorf("Dial from %v", local)
				}
			}
			if _, err := (&sock.Dialer{LocalAddr: ln.Addr()}).Dial(l, "tcp", ln.Addr().String()); !errors.Is(err,
				syscall.EADDRINUSE) {
				t.Errorf("Dial from a port where somebody listens: %v", err)
			}
			if after := sockets(t); after != before {
				t.Errorf("%d sockets, there were %d", after, before)
			}
		})
	})
}
