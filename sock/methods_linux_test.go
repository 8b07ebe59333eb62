//go:build linux

package sock_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ringo"
	"ringo/sock"
)

// Keep-alive probes are as with package net, whatever the two fields say, of what is dialled and of what is accepted.
func TestKeepAliveFields(t *testing.T) {
	for name, c := range map[string]struct {
		idle   time.Duration
		config net.KeepAliveConfig
	}{
		"zero": {},
		"idle": {idle: 77 * time.Second},
		"off":  {idle: -1},
		"config": {config: net.KeepAliveConfig{Enable: true, Idle: 9 * time.Second, Interval: 3 * time.Second,
			Count: 4}},
		"config alone": {idle: -1, config: net.KeepAliveConfig{Enable: true, Idle: 1500 * time.Millisecond}},
		"left":         {config: net.KeepAliveConfig{Enable: true, Idle: -1, Interval: -1, Count: -1}},
		"not enabled":  {idle: 8 * time.Second, config: net.KeepAliveConfig{Idle: time.Second}},
	} {
		t.Run(name, func(t *testing.T) {
			lc := net.ListenConfig{KeepAlive: c.idle, KeepAliveConfig: c.config}
			std, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer std.Close()
			peer, err := (&net.Dialer{KeepAlive: c.idle, KeepAliveConfig: c.config}).Dial("tcp", std.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer peer.Close()
			other, err := std.Accept()
			if err != nil {
				t.Fatal(err)
			}
			defer other.Close()
			want, wantDialled := optionsOf(t, other), optionsOf(t, peer)
			onLoop(t, ringo.Config{}, func(l *ringo.Loop) {
				lc := sock.ListenConfig{KeepAlive: c.idle, KeepAliveConfig: c.config}
				ln, err := lc.Listen(l, "tcp", "127.0.0.1:0")
				if err != nil {
					t.Fatal(err)
				}
				defer ln.Close()
				d := sock.Dialer{KeepAlive: c.idle, KeepAliveConfig: c.config}
				dialled, err := d.Dial(l, "tcp", ln.Addr().String())
				if err != nil {
					t.Fatal(err)
				}
				defer dialled.Close()
				accepted, err := ln.AcceptTCP()
				if err != nil {
					t.Fatal(err)
				}
				defer accepted.Close()
				if got := optionsOf(t, accepted); got != want {
					t.Errorf("accepted:\n got %s\nwant %s", got, want)
				}
				if got := optionsOf(t, dialled); got != wantDialled {
					t.Errorf("dialled:\n got %s\nwant %s", got, wantDialled)
				}
			})
		})
	}
}

type contextKey struct{}

// ControlContext goes before Control, and knows the context where there is one.
func TestControlContext(t *testing.T) {
	onLoop(t, ringo.Config{}, func(l *ringo.Loop) {
		var seen []string
		d := sock.Dialer{
			Control: func(string, string, syscall.RawConn) error { return errors.New("Control was called") },
			ControlContext: func(ctx context.Context, network, _ string, _ syscall.RawConn) error {
				word, _ := ctx.Value(contextKey{}).(string)
				seen = append(seen, network+word)
				return nil
			},
		}
		ln := listen(t, l)
		defer ln.Close()
		ctx := context.WithValue(context.Background(), contextKey{}, " known")
		c, err := d.DialContext(ctx, l, "tcp", ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		c.Close()
		p, err := d.DialPacket(l, "udp", "127.0.0.1:1")
		if err != nil {
			t.Fatal(err)
		}
		p.Close()
		if len(seen) != 2 || seen[0] != "tcp4 known" || seen[1] != "udp4" {
			t.Errorf("ControlContext was called with %q", seen)
		}
	})
}

// Dialer.Deadline ends a dial, also where Timeout would leave it more time.
func TestDialerDeadline(t *testing.T) {
	onLoop(t, ringo.Config{}, func(l *ringo.Loop) {
		ln := listen(t, l)
		defer ln.Close()
		d := sock.Dialer{Deadline: time.Now().Add(-time.Second), Timeout: time.Hour}
		_, err := d.Dial(l, "tcp", ln.Addr().String())
		var timeout net.Error
		if !errors.As(err, &timeout) || !timeout.Timeout() {
			t.Errorf("Dial behind its deadline: %v, want a timeout", err)
		}
		d = sock.Dialer{Deadline: time.Now().Add(time.Hour)}
		c, err := d.Dial(l, "tcp", ln.Addr().String())
		if err != nil {
			t.Fatalf("Dial before its deadline: %v", err)
		}
		c.Close()
	})
}

// A listener whose deadline has passed accepts nobody, as package net's; whoever has come is still there.
func TestListenerDeadlinePassed(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		onLoop(t, cfg, func(l *ringo.Loop) {
			ln := listen(t, l)
			defer ln.Close()
			peers := []net.Conn{dial(t, ln.Addr().String()), dial(t, ln.Addr().String())}
			for _, who := range []func(func()){
				func(f func()) { f() },
				func(f func()) { l.Offload(func(context.Context) error { f(); return nil }) },
			} {
				who(func() {
					if err := ln.SetDeadline(time.Now().Add(-time.Second)); err != nil {
						t.Error(err)
					}
					for range 2 {
						_, err := ln.Accept()
						var timeout net.Error
						if !errors.Is(err, os.ErrDeadlineExceeded) || !errors.As(err, &timeout) || !timeout.Timeout() {
							t.Errorf("Accept behind the deadline: %v, want a timeout", err)
						}
					}
					if err := ln.SetDeadline(time.Time{}); err != nil {
						t.Error(err)
					}
					c, err := ln.Accept()
					if err != nil {
						t.Errorf("Accept of a peer that has come: %v", err)
						return
					}
					c.Close()
				})
			}
			for _, c := range peers {
				c.Close()
			}
		})
	})
}

// The words that net's listeners have for Accept are for their networks.
func TestAcceptOfAnotherNetwork(t *testing.T) {
	onLoop(t, ringo.Config{}, func(l *ringo.Loop) {
		ln := listen(t, l)
		defer ln.Close()
		if _, err := ln.AcceptUnix(); !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("AcceptUnix of a TCP listener: %v, want errors.ErrUnsupported", err)
		}
		unix, err := sock.Listen(l, "unix", "@ringo-"+t.Name())
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Close()
		if _, err := unix.AcceptTCP(); !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("AcceptTCP of a Unix listener: %v, want errors.ErrUnsupported", err)
		}
	})
}

// ReadFromUnix and WriteToUnix say of a stream what package net's say.
func TestReadFromUnixAsNet(t *testing.T) {
	name := "@ringo-" + t.Name()
	std, err := net.Listen("unix", name)
	if err != nil {
		t.Fatal(err)
	}
	defer std.Close()
	type ends interface {
		ReadFromUnix(b []byte) (int, *net.UnixAddr, error)
		WriteToUnix(b []byte, addr *net.UnixAddr) (int, error)
	}
	steps := func(c ends, peer net.Conn) []string {
		var said []string
		say := func(n int, addr *net.UnixAddr, err error) {
			what := "no error"
			if err != nil {
				what = err.Error()
			}
			said = append(said, addr.String()+" "+what+" "+string(rune('0'+n)))
		}
		peer.Write([]byte("four"))
		say(c.ReadFromUnix(make([]byte, 9)))
		n, err := c.WriteToUnix([]byte("x"), nil)
		say(n, nil, err)
		n, err = c.WriteToUnix([]byte("x"), &net.UnixAddr{Name: name, Net: "unix"})
		say(n, nil, err)
		peer.Close()
		say(c.ReadFromUnix(make([]byte, 9)))
		return said
	}
	connect := func() (*net.UnixConn, net.Conn) {
		c, err := net.Dial("unix", name)
		if err != nil {
			t.Fatal(err)
		}
		peer, err := std.Accept()
		if err != nil {
			t.Fatal(err)
		}
		return c.(*net.UnixConn), peer
	}
	theirs, peer := connect()
	want := steps(theirs, peer)
	theirs.Close()
	onLoop(t, ringo.Config{}, func(l *ringo.Loop) {
		c, peer := connect()
		ours, err := sock.Adopt[*sock.Conn](l, c, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer ours.Close()
		got := steps(ours, peer)
		for i := range want {
			if got[i] != want[i] {
				t.Errorf("step %d: %s, want %s", i, got[i], want[i])
			}
		}
	})
}

// Ours are asked for by both ends, and known by both.
func TestMultipathTCPOfOurs(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		onLoop(t, cfg, func(l *ringo.Loop) {
			for _, multi := range []bool{true, false} {
				ln, err := (&sock.ListenConfig{MultipathTCP: multi}).Listen(l, "tcp", "127.0.0.1:0")
				if err != nil {
					t.Fatal(err)
				}
				c, err := (&sock.Dialer{MultipathTCP: true}).Dial(l, "tcp", ln.Addr().String())
				if err != nil {
					t.Fatal(err)
				}
				peer, err := ln.AcceptTCP()
				if err != nil {
					t.Fatal(err)
				}
				want := multi && hasMultipathTCP()
				for name, c := range map[string]*sock.Conn{"dialled": c, "accepted": peer} {
					if got, err := c.MultipathTCP(); got != want || err != nil {
						t.Errorf("%s, asked for %v: %v, %v, want %v", name, multi, got, err, want)
					}
				}
				msg := make([]byte, 1<<20)
				pattern(msg, 0)
				write := l.Go(func() { c.Write(msg); c.CloseWrite() })
				got, err := io.ReadAll(peer)
				if err != nil || !bytes.Equal(got, msg) {
					t.Errorf("%d bytes came, %v", len(got), err)
				}
				write.Wait()
				c.Close()
				peer.Close()
				ln.Close()
			}
		})
	})
}

// hasMultipathTCP asks whether the kernel makes such sockets, and can tell whether they are in use (Linux 5.16).
func hasMultipathTCP() bool {
	const protoMPTCP, solMPTCP, mptcpInfo = 262, 284, 1
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, protoMPTCP)
	if err != nil {
		return false
	}
	defer syscall.Close(fd)
	_, err = unix.GetsockoptInt(fd, solMPTCP, mptcpInfo)
	return err != unix.EOPNOTSUPP && err != unix.ENOPROTOOPT
}

// A connection of Multipath TCP that comes from package net is known as one, and one of ours is none.
func TestMultipathTCP(t *testing.T) {
	lc := new(net.ListenConfig)
	lc.SetMultipathTCP(true)
	std, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer std.Close()
	for _, multi := range []bool{true, false} {
		d := new(net.Dialer)
		d.SetMultipathTCP(multi)
		c, err := d.Dial("tcp", std.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		want, err := c.(*net.TCPConn).MultipathTCP()
		if err != nil {
			t.Fatal(err)
		}
		if want != multi {
			t.Logf("this kernel makes no such connections: want %v of one that asked for %v", want, multi)
		}
		onLoop(t, ringo.Config{}, func(l *ringo.Loop) {
			ours, err := sock.Adopt[*sock.Conn](l, c, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer ours.Close()
			if got, err := ours.MultipathTCP(); got != want || err != nil {
				t.Errorf("MultipathTCP = %v, %v, want %v", got, err, want)
			}
		})
	}
}
