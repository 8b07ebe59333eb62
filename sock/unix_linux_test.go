//go:build linux

package sock_test

import (
	"cmp"
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"ringo"
	"ringo/internal/test/patience"
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

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// Who has made the file removes it, and nobody else's.
func TestUnixFile(t *testing.T) {
	replace := func(path string) {
		os.Remove(path)
		os.WriteFile(path, nil, 0o600)
	}
	for name, c := range map[string]struct {
		meanwhile func(ln *sock.Listener, path string)
		stays     bool
	}{
		"removed": {func(*sock.Listener, string) {}, false},
		"kept":    {func(ln *sock.Listener, _ string) { ln.SetUnlinkOnClose(false) }, true},
		"removed then": {func(ln *sock.Listener, _ string) {
			ln.SetUnlinkOnClose(false)
			ln.SetUnlinkOnClose(true)
		}, false},
		"replaced": {func(_ *sock.Listener, path string) { replace(path) }, true},
		"replaced and wanted": {func(ln *sock.Listener, path string) {
			replace(path)
			ln.SetUnlinkOnClose(true)
		}, true},
		"replaced by a listener": {func(_ *sock.Listener, path string) {
			os.Remove(path)
			other, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
			if err != nil {
				t.Fatal(err)
			}
			other.SetUnlinkOnClose(false)
			other.Close()
		}, true},
		"gone":     {func(_ *sock.Listener, path string) { os.Remove(path) }, false},
		"moved":    {func(_ *sock.Listener, path string) { os.Rename(path, path+"2") }, false},
		"its mode": {func(_ *sock.Listener, path string) { os.Chmod(path, 0o600) }, false},
	} {
		t.Run(name, func(t *testing.T) {
			eachUnix(t, func(t *testing.T, cfg ringo.Config, network string) {
				onLoop(t, cfg, func(l *ringo.Loop) {
					path := socketPath(t)
					ln := listenUnix(t, l, network, path)
					if !exists(path) {
						t.Fatal("no file")
					}
					c.meanwhile(ln, path)
					ln.Close()
					ln.Close()
					if exists(path) != c.stays {
						t.Errorf("the file is there: %v, want %v", !c.stays, c.stays)
					}
				})
			})
		})
	}
}

// A goroutine's Close, the end of Run, and a program that closes nothing remove the
// file as well, before Run is over.
func TestUnixFileAtTheEnd(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		for name, end := range map[string]func(l *ringo.Loop, ln *sock.Listener, cancel func()){
			"goroutine": func(l *ringo.Loop, ln *sock.Listener, _ func()) { offloaded(t, l, ln.Close) },
			"drain": func(_ *ringo.Loop, ln *sock.Listener, cancel func()) {
				cancel()
				ln.Accept()
			},
			"abandoned": func(*ringo.Loop, *sock.Listener, func()) {},
		} {
			t.Run(name, func(t *testing.T) {
				path := socketPath(t)
				ctx, cancel := context.WithCancel(context.Background())
				defer cancel()
				patience.Within("Run", func() {
					err := ringo.Run(ctx, &cfg, func(l *ringo.Loop) error {
						end(l, listenUnix(t, l, "unix", path), cancel)
						return nil
					})
					if err != nil {
						t.Error(err)
					}
				})
				if exists(path) {
					t.Error("the file is left")
				}
			})
		}
	})
}

// The file is there as long as anybody listens, or has reserved the name.
func TestUnixFileOfASet(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		path := socketPath(t)
		set, err := sock.Reserve("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		if a := set.Addr().(*net.UnixAddr); a.Name != path || a.Net != "unix" {
			t.Errorf("Addr() = %v", a)
		}
		cfg.Loops = 2
		var both sync.WaitGroup
		both.Add(2)
		patience.Within("Run", func() {
			err = ringo.Run(context.Background(), &cfg, func(l *ringo.Loop) error {
				ln, err := set.Listen(l)
				if err != nil {
					return err
				}
				both.Done()
				offloaded(t, l, func() error { both.Wait(); return nil })
				if _, err := set.Listen(l); !errors.Is(err, syscall.EADDRINUSE) {
					t.Errorf("twice on one loop: %v", err)
				}
				c, err := sock.Dial(l, "unix", path)
				if err != nil {
					return err
				}
				if !exists(path) {
					t.Error("the file is gone before the last has closed")
				}
				return errors.Join(c.Close(), ln.Close())
			})
		})
		if err != nil {
			t.Error(err)
		}
		set.Close()
		if exists(path) {
			t.Error("the file is left")
		}

		set, err = sock.Reserve("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		set.Close()
		set.Close()
		if exists(path) {
			t.Error("the file of a set that nobody used is left")
		}
	})
}

// A set whose listeners have all closed listens anew.
func TestUnixSetAgain(t *testing.T) {
	eachUnix(t, func(t *testing.T, cfg ringo.Config, network string) {
		for _, name := range []string{socketPath(t), ""} {
			set, err := sock.Reserve(network, name)
			if err != nil {
				t.Fatal(err)
			}
			name = set.Addr().String()
			onLoop(t, cfg, func(l *ringo.Loop) {
				for range 3 {
					ln, err := set.Listen(l)
					if err != nil {
						t.Fatal(err)
					}
					dialUnix(t, network, name).Close()
					ln.Close()
					if _, err := net.Dial(network, name); err == nil {
						t.Error("a peer queues where nobody listens")
					}
				}
				set.Close()
				if _, err := set.Listen(l); !errors.Is(err, net.ErrClosed) {
					t.Errorf("of a closed set: %v", err)
				}
			})
			if exists(name) {
				t.Error("the file is left")
			}
		}
	})
}

func TestUnixListenErrors(t *testing.T) {
	eachUnix(t, func(t *testing.T, cfg ringo.Config, network string) {
		onLoop(t, cfg, func(l *ringo.Loop) {
			path := socketPath(t)
			stale := filepath.Join(filepath.Dir(path), "stale")
			left := listenUnix(t, l, network, stale)
			left.SetUnlinkOnClose(false)
			left.Close()
			taken := listenUnix(t, l, network, path)
			defer taken.Close()
			long := filepath.Join(filepath.Dir(path), strings.Repeat("x", 100))
			for name, c := range map[string]struct {
				address string
				want    error
				word    string
			}{
				"taken":     {path, syscall.EADDRINUSE, "bind"},
				"stale":     {stale, syscall.EADDRINUSE, "bind"},
				"long":      {long, syscall.EINVAL, "bind"},
				"NUL":       {"a\x00b", syscall.EINVAL, "bind"},
				"no folder": {filepath.Join(path+"-none", "x"), syscall.ENOENT, "bind"},
				"a file":    {filepath.Join(path, "x"), syscall.ENOTDIR, "bind"},
			} {
				for what, listen := range map[string]func() error{
					"Listen":  func() error { _, err := sock.Listen(l, network, c.address); return err },
					"Reserve": func() error { _, err := sock.Reserve(network, c.address); return err },
				} {
					err := listen()
					var op *net.OpError
					if !errors.Is(err, c.want) || !errors.As(err, &op) || op.Op != "listen" || op.Net != network ||
						op.Addr.String() != c.address || !strings.Contains(err.Error(), c.word) {
						t.Errorf("%s, %s: %v", what, name, err)
					}
				}
			}
			if !exists(stale) || !exists(path) {
				t.Error("a file that is another's was removed")
			}
			if _, err := (&sock.ListenConfig{Backlog: -1}).Listen(l, network, abstractName()); err == nil {
				t.Error("a negative backlog was taken")
			}
			if _, err := (&sock.ListenConfig{DeferAccept: time.Second}).Listen(l, network,
				abstractName()); !errors.Is(err, errors.ErrUnsupported) {
				t.Errorf("DeferAccept: %v", err)
			}
			if _, err := (&sock.ListenConfig{FastOpen: 5}).Listen(l, network,
				abstractName()); !errors.Is(err, errors.ErrUnsupported) {
				t.Errorf("FastOpen: %v", err)
			}
			refused := errors.New("refused")
			for _, err := range []error{nil, refused} {
				var seen []string
				free := path + "2"
				ln, got := (&sock.ListenConfig{Control: func(network, address string, c syscall.RawConn) error {
					seen = append(seen, network, address)
					return err
				}}).Listen(l, network, free)
				if !errors.Is(got, err) || len(seen) != 2 || seen[0] != network || seen[1] != free {
					t.Errorf("Control saw %q, and gave %v: %v", seen, err, got)
				}
				if ln != nil {
					ln.Close()
				}
				if exists(free) {
					t.Error("a file is left")
				}
			}
			if _, err := sock.Listen(l, "unixgram", path); !errors.As(err, new(net.UnknownNetworkError)) {
				t.Errorf("unixgram: %v", err)
			}
		})
	})
}

// The longest names there are.
func TestUnixLongNames(t *testing.T) {
	eachUnix(t, func(t *testing.T, cfg ringo.Config, network string) {
		onLoop(t, cfg, func(l *ringo.Loop) {
			path := socketPath(t)
			for _, name := range []string{
				path + strings.Repeat("x", 108-len(path)),
				"@" + strings.Repeat("y", 107),
				"@with\x00zeros",
			} {
				ln := listenUnix(t, l, network, name)
				if got := ln.Addr().String(); got != name {
					t.Errorf("Addr() = %q, want %q", got, name)
				}
				c, err := sock.Dial(l, network, name)
				if err != nil {
					t.Fatal(err)
				}
				if got := c.RemoteAddr().String(); got != name {
					t.Errorf("RemoteAddr() = %q, want %q", got, name)
				}
				c.Close()
				ln.Close()
			}
		})
	})
}

// Both are of one Run with ListenAndServe, too.
func TestUnixListenAndServe(t *testing.T) {
	eachUnix(t, func(t *testing.T, cfg ringo.Config, network string) {
		path := socketPath(t)
		cfg.Loops = 2
		ctx, cancel := context.WithCancel(context.Background())
		ended := make(chan error, 1)
		go func() {
			ended <- sock.ListenAndServe(ctx, &cfg, network, path, func(c *sock.Conn) {
				p := make([]byte, 100)
				for {
					n, err := c.Read(p)
					if err != nil {
						return
					}
					c.Write(p[:n])
				}
			})
		}()
		eventually(t, "listening", func() bool { // a moment after the file is there
			c, err := net.Dial(network, path)
			if err == nil {
				c.Close()
			}
			return err == nil
		})
		for range 10 {
			c := dialUnix(t, network, path)
			p := make([]byte, 100)
			c.Write([]byte("hello"))
			if n, err := c.Read(p); string(p[:n]) != "hello" || err != nil {
				t.Errorf("%q, %v", p[:n], err)
			}
			c.Close()
		}
		cancel()
		patience.Within("the end", func() {
			if err := <-ended; err != nil {
				t.Error(err)
			}
		})
		if exists(path) {
			t.Error("the file is left")
		}
	})
}

// Goroutines accept as well, and a Close wakes them.
func TestUnixAcceptInGoroutines(t *testing.T) {
	eachUnix(t, func(t *testing.T, cfg ringo.Config, network string) {
		onLoop(t, cfg, func(l *ringo.Loop) {
			ln := listenUnix(t, l, network, abstractName())
			accepted := make(chan error, 1)
			go func() {
				for {
					c, err := ln.Accept()
					if err != nil {
						accepted <- err
						return
					}
					p := make([]byte, 10)
					n, _ := c.Read(p)
					c.Write(p[:n])
					c.Close()
				}
			}()
			for range 5 {
				offloaded(t, l, func() error {
					c := dialUnix(t, network, ln.Addr().String())
					defer c.Close()
					c.Write([]byte("hi"))
					p := make([]byte, 10)
					if n, err := c.Read(p); err != nil || string(p[:n]) != "hi" {
						t.Errorf("%q, %v", p[:n], err)
					}
					return nil
				})
			}
			l.AfterFunc(time.Millisecond, func() { ln.Close() })
			offloaded(t, l, func() error {
				err := <-accepted
				var op *net.OpError
				if !errors.Is(err, net.ErrClosed) || !errors.As(err, &op) || op.Net != network {
					t.Errorf("Accept after Close: %v", err)
				}
				return nil
			})
		})
	})
}
