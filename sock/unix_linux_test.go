//go:build linux

package sock_test

import (
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

// What Unix sockets can't be asked for is refused; what package net refuses as well TestAsNet compares.
func TestUnixRefusedConfigs(t *testing.T) {
	eachUnix(t, func(t *testing.T, cfg ringo.Config, network string) {
		onLoop(t, cfg, func(l *ringo.Loop) {
			own := abstractName()
			defer listenUnix(t, l, network, own).Close()
			from := func(addr net.Addr) error {
				return second((&sock.Dialer{LocalAddr: addr}).Dial(l, network, abstractName()))
			}
			listen := func(lc sock.ListenConfig) error { return second(lc.Listen(l, network, abstractName())) }
			const nul = "a\x00b"
			for name, c := range map[string]struct {
				got  error
				want any
			}{
				"Dial, NUL":              {second(sock.Dial(l, network, nul)), syscall.EINVAL},
				"Listen, NUL":            {second(sock.Listen(l, network, nul)), syscall.EINVAL},
				"Reserve, NUL":           {second(sock.Reserve(network, nul)), syscall.EINVAL},
				"from one of TCP":        {from(&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}), new(*net.AddrError)},
				"from another network":   {from(&net.UnixAddr{Name: "@x", Net: "unixgram"}), new(*net.AddrError)},
				"from one that is taken": {from(&net.UnixAddr{Name: own, Net: network}), syscall.EADDRINUSE},
				"a negative backlog":     {listen(sock.ListenConfig{Backlog: -1}), new(*net.OpError)},
				"DeferAccept":            {listen(sock.ListenConfig{DeferAccept: time.Second}), errors.ErrUnsupported},
				"FastOpen":               {listen(sock.ListenConfig{FastOpen: 5}), errors.ErrUnsupported},
			} {
				var op *net.OpError
				is, ok := c.want.(error)
				if !errors.As(c.got, &op) || ok && !errors.Is(c.got, is) || !ok && !errors.As(c.got, c.want) {
					t.Errorf("%s: %v, want %T %v in an error of net's", name, c.got, c.want, c.want)
				}
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
		"touched":  {func(_ *sock.Listener, path string) { os.Chtimes(path, time.Unix(1, 0), time.Unix(1, 0)) }, false},
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
		if a := set.Addr().(*net.UnixAddr); a.Name != path || a.Net != "unix" || a != set.Addr() {
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
