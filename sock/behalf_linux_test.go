//go:build linux

package sock_test

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"ringo"
	"ringo/sock"
)

// What a loop does for a caller from elsewhere ends with the caller's cancel or time limit, and leaves nothing.
func TestWorkElsewhereEndsWithItsCaller(t *testing.T) {
	full := filepath.Join(t.TempDir(), "full")
	fillBacklog(t, full)
	server := newNameServer(t, nil)
	defer server.hold(typeA)()
	defer server.hold(typeAAAA)()
	defer func(r *net.Resolver) { net.DefaultResolver = r }(net.DefaultResolver)
	net.DefaultResolver = server.resolver()
	calls := []struct {
		name, op string
		call     func(l *ringo.Loop) error
	}{
		{"Dial to a Unix socket", "dial", func(l *ringo.Loop) error {
			_, err := sock.Dial(l, "unix", full)
			return err
		}},
		{"DialPacket", "dial", func(l *ringo.Loop) error {
			_, err := sock.DialPacket(l, "udp", "a.test.:1")
			return err
		}},
		{"ListenPacket", "listen", func(l *ringo.Loop) error {
			_, err := sock.ListenPacket(l, "udp", "a.test.:1")
			return err
		}},
	}
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		for _, test := range calls {
			onLoop(t, cfg, func(l *ringo.Loop) {
				other, leave := loopElsewhere(l)
				defer leave()
				begun := time.Now()
				var canceled, limited error
				task := other.Go(func() { canceled = test.call(l) })
				eventuallyOn(t, l, "the call is under way", func() bool { return l.Stats().Tasks > 1 })
				task.Cancel()
				task.Wait()
				other.Go(func() {
					other.WithTimeout(20*time.Millisecond, func() error { limited = test.call(l); return nil })
				}).Wait()
				if since := time.Since(begun); since > patience/6 {
					t.Errorf("%s: took %v", test.name, since)
				}
				for err, want := range map[error]error{canceled: context.Canceled, limited: os.ErrDeadlineExceeded} {
					var oe *net.OpError
					if !errors.Is(err, want) || !errors.As(err, &oe) || oe.Op != test.op ||
						os.IsTimeout(err) != (want == os.ErrDeadlineExceeded) {
						t.Errorf("%s: %v; want %v in net's shape", test.name, err, want)
					}
				}
			})
		}
	})
}

// fillBacklog makes a Unix socket that listens, and has no room for another peer.
func fillBacklog(t *testing.T, path string) {
	t.Helper()
	ln, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Close(ln) })
	addr := &syscall.SockaddrUnix{Name: path}
	if err := errors.Join(syscall.Bind(ln, addr), syscall.Listen(ln, 0)); err != nil {
		t.Fatal(err)
	}
	for {
		s, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC|syscall.SOCK_NONBLOCK, 0)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { syscall.Close(s) })
		if err := syscall.Connect(s, addr); err == syscall.EAGAIN {
			return
		} else if err != nil {
			t.Fatal(err)
		}
	}
}

// A function of the caller's that panics on its way is what the call says, and not that the loop has ended.
func TestPanicInControlIsNamed(t *testing.T) {
	control := func(string, string, syscall.RawConn) error { panic("a mistake in Control") }
	d := &sock.Dialer{Control: control}
	lc := &sock.ListenConfig{Control: control}
	path := filepath.Join(t.TempDir(), "s")
	calls := map[string]func(l *ringo.Loop) error{
		"Dial":           func(l *ringo.Loop) error { _, err := d.Dial(l, "tcp", "127.0.0.1:1"); return err },
		"Dial of a name": func(l *ringo.Loop) error { _, err := d.Dial(l, "tcp", "localhost:1"); return err },
		"Dial unix":      func(l *ringo.Loop) error { _, err := d.Dial(l, "unix", path); return err },
		"DialPacket":     func(l *ringo.Loop) error { _, err := d.DialPacket(l, "udp", "127.0.0.1:1"); return err },
		"DialUnixgram":   func(l *ringo.Loop) error { _, err := d.DialUnixgram(l, path); return err },
		"ListenPacket":   func(l *ringo.Loop) error { _, err := lc.ListenPacket(l, "udp", "127.0.0.1:0"); return err },
		"ListenUnixgram": func(l *ringo.Loop) error { _, err := lc.ListenUnixgram(l, path); return err },
	}
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.OnPanic = func(*ringo.Loop, any, []byte) {}
		onLoop(t, cfg, func(l *ringo.Loop) {
			before := descriptors(t)
			for name, call := range calls {
				var err error
				offloaded(t, l, func() error { err = call(l); return nil })
				var oe *net.OpError
				var pe *ringo.PanicError
				if !errors.As(err, &pe) || pe.Value != "a mistake in Control" || !errors.As(err, &oe) {
					t.Errorf("%s: %v; want the panic in an error of net's shape", name, err)
				}
			}
			if after := descriptors(t); after != before {
				t.Errorf("%d descriptors are open, %d were", after, before)
			}
		})
	})
}
