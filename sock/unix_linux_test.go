//go:build linux

package sock_test

import (
	"cmp"
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

// A byEach is where a caller runs.
type byEach struct {
	name string
	run  func(l *ringo.Loop, fn func() error) (wait func() error)
}

// inTask and inGoroutine start fn and give a way to wait for its end, for a task.
var callers = []byEach{
	{"task", func(l *ringo.Loop, fn func() error) func() error {
		var err error
		t := l.Go(func() { err = fn() })
		return func() error { return errors.Join(t.Wait(), err) }
	}},
	{"goroutine", func(l *ringo.Loop, fn func() error) func() error {
		done := make(chan error, 1)
		go func() { done <- fn() }()
		return func() error { return l.Offload(func(context.Context) error { return <-done }) }
	}},
}

func TestUnixAddresses(t *testing.T) {
	eachUnix(t, func(t *testing.T, cfg ringo.Config, network string) {
		onLoop(t, cfg, func(l *ringo.Loop) {
			path, own := socketPath(t), socketPath(t)
			for _, c := range []struct {
				name  string
				local *net.UnixAddr
			}{
				{path, nil},
				{abstractName(), nil},
				{path, &net.UnixAddr{Name: own, Net: network}},
				{"", &net.UnixAddr{Net: network}},
			} {
				ln := listenUnix(t, l, network, c.name)
				addr := ln.Addr().(*net.UnixAddr)
				if addr.Net != network || c.name != "" && addr.Name != c.name || c.name == "" && len(addr.Name) < 2 {
					t.Errorf("listening on %q: %q of %s", c.name, addr.Name, addr.Net)
				}
				dialer := sock.Dialer{}
				want := "@"
				if c.local != nil {
					dialer.LocalAddr = c.local
					want = cmp.Or(c.local.Name, want)
				}
				d, err := dialer.Dial(l, network, addr.Name)
				if err != nil {
					t.Fatal(err)
				}
				a, err := ln.AcceptConn()
				if err != nil {
					t.Fatal(err)
				}
				for what, got := range map[string][2]net.Addr{
					"the dialled end": {d.LocalAddr(), &net.UnixAddr{Name: want, Net: network}},
					"its peer":        {d.RemoteAddr(), addr}, "the accepted end": {a.LocalAddr(), addr},
					"the dialler": {a.RemoteAddr(), &net.UnixAddr{Name: want, Net: network}},
				} {
					if got[0].(*net.UnixAddr) == nil || *got[0].(*net.UnixAddr) != *got[1].(*net.UnixAddr) {
						t.Errorf("%s: %v, want %v", what, got[0], got[1])
					}
				}
				a.Close()
				d.Close()
				ln.Close()
			}
		})
	})
}

func TestUnixDialErrors(t *testing.T) {
	eachUnix(t, func(t *testing.T, cfg ringo.Config, network string) {
		onLoop(t, cfg, func(l *ringo.Loop) {
			path := socketPath(t)
			stale := filepath.Join(filepath.Dir(path), "stale")
			left := listenUnix(t, l, network, stale)
			left.SetUnlinkOnClose(false)
			left.Close()
			plain := filepath.Join(filepath.Dir(path), "plain")
			os.WriteFile(plain, nil, 0o600)
			other := "unix"
			if network == other {
				other = "unixpacket"
			}
			kind := listenUnix(t, l, other, path)
			defer kind.Close()
			long := string(make([]byte, 200))
			for name, c := range map[string]struct {
				address string
				want    error
			}{
				"nothing there": {path + "-none", syscall.ENOENT},
				"stale":         {stale, syscall.ECONNREFUSED},
				"a plain file":  {plain, syscall.ECONNREFUSED},
				"abstract":      {abstractName(), syscall.ECONNREFUSED},
				"other type":    {path, syscall.EPROTOTYPE},
				"long":          {"@" + long, syscall.EINVAL},
				"NUL":           {"a\x00b", syscall.EINVAL},
			} {
				for _, by := range callers {
					var err error
					by.run(l, func() error { _, err = sock.Dial(l, network, c.address); return nil })()
					var op *net.OpError
					if !errors.Is(err, c.want) || !errors.As(err, &op) || op.Op != "dial" || op.Net != network ||
						op.Addr.String() != c.address {
						t.Errorf("%s, in a %s: %v", name, by.name, err)
					}
				}
			}
			if _, err := sock.Dial(l, network, ""); err == nil {
				t.Error("an empty address was dialled")
			}
			for name, local := range map[string]net.Addr{
				"of TCP":             &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)},
				"of another network": &net.UnixAddr{Name: "@x", Net: other},
			} {
				var addr *net.AddrError
				if _, err := (&sock.Dialer{LocalAddr: local}).Dial(l, network, path); !errors.As(err, &addr) {
					t.Errorf("a LocalAddr %s: %v", name, err)
				}
			}
			own := &net.UnixAddr{Name: stale, Net: network}
			if _, err := (&sock.Dialer{LocalAddr: own}).Dial(l, network, path); !errors.Is(err, syscall.EADDRINUSE) {
				t.Errorf("a LocalAddr that is taken: %v", err)
			}
			refused := errors.New("refused")
			var seen []string
			_, err := (&sock.Dialer{Control: func(network, address string, _ syscall.RawConn) error {
				seen = append(seen, network, address)
				return refused
			}}).Dial(l, network, path)
			if !errors.Is(err, refused) || len(seen) != 2 || seen[0] != network || seen[1] != path {
				t.Errorf("Control saw %q: %v", seen, err)
			}
		})
	})
}

// The file's mode says who may connect. Root may everything, so the loop's thread
// gives that up for the while.
func TestUnixDialPermission(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		onLoop(t, cfg, func(l *ringo.Loop) {
			path := socketPath(t)
			os.Chmod(filepath.Dir(path), 0o755)
			ln := listenUnix(t, l, "unix", path)
			defer ln.Close()
			if err := os.Chmod(path, 0); err != nil {
				t.Fatal(err)
			}
			if os.Getuid() == 0 {
				const nobody = 65534
				syscall.RawSyscall(syscall.SYS_SETFSUID, nobody, 0, 0)
				defer syscall.RawSyscall(syscall.SYS_SETFSUID, 0, 0, 0)
			}
			if _, err := sock.Dial(l, "unix", path); !errors.Is(err, os.ErrPermission) {
				t.Errorf("without permission: %v", err)
			}
		})
	})
}

// full makes a listener whose backlog has no room. What is in it is closed with the
// test.
func full(t *testing.T, l *ringo.Loop, network string) *sock.Listener {
	t.Helper()
	ln, err := (&sock.ListenConfig{Backlog: 1}).Listen(l, network, abstractName())
	if err != nil {
		t.Fatal(err)
	}
	for {
		c, err := net.Dial(network, ln.Addr().String())
		if errors.Is(err, syscall.EAGAIN) {
			return ln
		}
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
	}
}

// A dial waits for room in the backlog, without a thread and without spinning.
func TestUnixBacklogFull(t *testing.T) {
	t.Parallel()
	eachUnix(t, func(t *testing.T, cfg ringo.Config, network string) {
		onLoop(t, cfg, func(l *ringo.Loop) {
			ln := full(t, l, network)
			defer ln.Close()
			name := ln.Addr().String()

			for _, by := range callers {
				began, turns := time.Now(), l.Stats().Turns
				const timeout = 100 * time.Millisecond
				var err error
				by.run(l, func() error {
					_, err = (&sock.Dialer{Timeout: timeout}).Dial(l, network, name)
					return nil
				})()
				var op *net.OpError
				if !errors.As(err, &op) || !op.Timeout() || !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("past the timeout: %v", err)
				}
				if took := time.Since(began); took < timeout {
					t.Errorf("it waited %v, want %v", took, timeout)
				}
				if turns = l.Stats().Turns - turns; turns > 200 {
					t.Errorf("%d turns of the loop in %v", turns, timeout)
				}
				ctx, cancel := context.WithCancel(context.Background())
				l.AfterFunc(time.Millisecond, cancel)
				by.run(l, func() error {
					_, err = new(sock.Dialer).DialContext(ctx, l, network, name)
					return nil
				})()
				if !errors.Is(err, context.Canceled) {
					t.Errorf("cancelled: %v", err)
				}
			}

			var c *sock.Conn
			var err error
			dial := l.Go(func() {
				c, err = sock.Dial(l, network, name)
				ln.Close()
			})
			others(l)
			for {
				a, err := ln.AcceptConn()
				if err != nil {
					break
				}
				a.Close()
			}
			if dial.Wait(); err != nil {
				t.Fatal(err)
			}
			c.Close()
		})
	})
}

func TestUnixAllocs(t *testing.T) {
	skipAllocs(t)
	eachUnix(t, func(t *testing.T, cfg ringo.Config, network string) {
		ringoPair(t, cfg, network, func(l *ringo.Loop, c, d *sock.Conn) {
			p, oob := make([]byte, 100), make([]byte, 64)
			check := func(err error) {
				if err != nil {
					t.Error(err)
				}
			}
			l.Go(func() {
				for {
					n, _, _, _, err := c.ReadMsgUnix(p, oob)
					if err != nil {
						return
					}
					if _, _, err = c.WriteMsgUnix(p[:n], nil, nil); err != nil {
						return
					}
				}
			})
			q := make([]byte, 100)
			wantAllocs(t, "Read and Write", 0, 200, func() {
				_, err := d.Write(q[:50])
				check(err)
				_, err = d.Read(q)
				check(err)
			})
			wantAllocs(t, "Next", 0, 200, func() {
				_, err := d.Write(q[:50])
				check(err)
				b, err := d.Next()
				check(err)
				b.Release()
			})
			d.Close()
		})
	})
}
