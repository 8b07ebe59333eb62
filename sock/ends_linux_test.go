//go:build linux

package sock_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ringo"
	"ringo/internal/driver/open"
	"ringo/internal/test/drivertest"
	"ringo/internal/test/patience"
	"ringo/internal/test/seccomptest"
	"ringo/sock"
)

// soon is a limit that passes while a task waits for what does not come.
const soon = 2 * time.Millisecond

// Accept, Dial and Close.
func TestTimeoutOfTheRest(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		addr, full := fullListener(t)
		defer full()
		onLoop(t, cfg, func(l *ringo.Loop) {
			ln := listen(t, l)
			defer ln.Close()
			wantTimeout(t, "Accept", l.WithTimeout(soon, func() error { _, err := ln.Accept(); return err }))
			c, peer := accept(t, ln)
			defer peer.Close()

			for _, d := range []time.Duration{soon, 0} {
				err := l.WithTimeout(d, func() error { _, err := sock.Dial(l, "tcp", addr); return err })
				wantTimeout(t, "Dial", err)
				if errors.Is(err, context.Canceled) {
					t.Errorf("Dial: %v, which is context.Canceled", err)
				}
			}
			if err := l.WithTimeout(0, c.Close); err != nil {
				t.Errorf("Close in a block that is out of time: %v", err)
			}
			wantPeerEOF(t, l, peer)
		})
	})
}

// Serve whose time is over closes what is open, and says so.
func TestTimeoutOfServe(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		onLoop(t, cfg, func(l *ringo.Loop) {
			ln := listen(t, l)
			defer ln.Close()
			peer := dial(t, ln.Addr().String())
			defer peer.Close()
			closed := 0
			h := &sock.Handler{
				Request: func(c *sock.Conn) error { _, err := c.Discard(c.Buffered()); return err },
				Closed:  func(*sock.Conn, error) { closed++ },
			}
			for closed == 0 {
				wantTimeout(t, "Serve", l.WithTimeout(soon, func() error { return sock.Serve(l, ln, h) }))
			}
			wantPeerEOF(t, l, peer)
		})
	})
}

// Everybody who waits for a connection of a loop whose driver dies is told, whoever it is;
// the connection is closed, and its peer sees that.
func TestDriverDeathIsTold(t *testing.T) {
	cause := errors.New("dead on purpose")
	for _, first := range []string{"a task", "a goroutine"} {
		t.Run("read first by "+first, func(t *testing.T) {
			eachDriver(t, func(t *testing.T, cfg ringo.Config) {
				var mortal drivertest.Mortal
				defer open.Through(mortal.Wrap)()
				var all sync.WaitGroup
				errs := make(chan error, 10)
				read := func(c *sock.Conn) {
					_, err := c.Read(make([]byte, 1))
					errs <- err
				}
				var conn *sock.Conn
				var peer tcpPeer
				patience.Within(t.Name(), func() {
					err := ringo.Run(context.Background(), &cfg, func(l *ringo.Loop) error {
						conn, peer = connect(t, l)
						if first == "a task" {
							l.Go(func() { read(conn) })
							pause(l)
						}
						for range 3 {
							all.Go(func() { read(conn) })
						}
						l.Sleep(20 * time.Millisecond)
						l.Go(func() { read(conn) })
						l.Sleep(20 * time.Millisecond)
						mortal.Current().Die(cause)
						l.Sleep(time.Hour)
						return nil
					})
					if !errors.Is(err, cause) {
						t.Errorf("Run: %v", err)
					}
					all.Wait()
				})
				want := 4
				if first == "a task" {
					want = 5
				}
				for range want {
					select {
					case err := <-errs:
						if err == nil {
							t.Error("a read gave nil")
						}
						t.Log(err)
					default:
						t.Fatal("a read was not told")
					}
				}
				if err := conn.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
					t.Errorf("Close afterwards: %v", err)
				}
				peer.SetReadDeadline(time.Now().Add(patience.Max / 3))
				if _, err := peer.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
					t.Errorf("the peer's read: %v, want an end", err)
				}
				peer.Close()
			})
		})
	}
}

// A shutdown(2) that a signal has interrupted is made again: CloseWrite does not say that
// it has ended the stream when it has not. A task and a goroutine make it.
func TestCloseWriteInterrupted(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		for _, caller := range []string{"task", "goroutine"} {
			t.Run(caller, func(t *testing.T) {
				onLoop(t, cfg, func(l *ringo.Loop) {
					std, err := net.Listen("tcp", "127.0.0.1:0")
					if err != nil {
						t.Fatal(err)
					}
					defer std.Close()
					c, err := sock.Dial(l, "tcp", std.Addr().String())
					if err != nil {
						t.Fatal(err)
					}
					defer c.Close()
					peer, err := std.Accept()
					if err != nil {
						t.Fatal(err)
					}
					defer peer.Close()
					var unavailable, closed error
					calls := 0
					closeWrite := func() {
						stop, err := seccomptest.Interrupt(unix.SYS_SHUTDOWN, 2)
						if unavailable = err; err == nil {
							closed = c.CloseWrite()
							calls = stop()
						}
					}
					if caller == "task" {
						closeWrite() // the loop's thread ends with it
					} else {
						done := make(chan struct{})
						go func() {
							defer close(done)
							runtime.LockOSThread()
							c.Write([]byte("x")) // from now on the output is the goroutines'
							closeWrite()
						}()
						offloaded(t, l, func() error { <-done; return nil })
					}
					if unavailable != nil {
						t.Skipf("no supervisor of system calls here (Linux 5.5): %v", unavailable)
					}
					if closed != nil || calls != 3 {
						t.Errorf("CloseWrite: %v after %d calls of shutdown, want nil after 3", closed, calls)
						return
					}
					if _, err := io.ReadAll(peer); err != nil {
						t.Errorf("the peer reads %v, want EOF", err)
					}
				})
			})
		}
	})
}

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
				var canceled, limited error
				task := other.Go(func() { canceled = test.call(l) })
				eventuallyOn(t, l, "the call is under way", func() bool { return l.Stats().Tasks > 1 })
				task.Cancel()
				task.Wait()
				other.Go(func() {
					other.WithTimeout(20*time.Millisecond, func() error { limited = test.call(l); return nil })
				}).Wait()
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
			if after := descriptors(t); after > before { // fewer: what an earlier test had left was closed meanwhile
				t.Errorf("%d descriptors are open, %d were", after, before)
			}
		})
	})
}

// disturbances are what the runtime and the system do to threads that wait.
var disturbances = map[string]func(t *testing.T) (stop func()){
	"SIGURG": func(t *testing.T) func() { // what the runtime preempts with, to each thread
		return whileTesting(func() {
			threads, err := os.ReadDir("/proc/self/task")
			if err != nil {
				t.Error(err)
				return
			}
			for _, thread := range threads {
				var tid int
				for _, c := range thread.Name() {
					tid = 10*tid + int(c-'0')
				}
				syscall.Tgkill(syscall.Getpid(), tid, syscall.SIGURG)
			}
			time.Sleep(50 * time.Microsecond)
		})
	},
	"SIGPROF": func(t *testing.T) func() {
		var profile bytes.Buffer
		if err := pprof.StartCPUProfile(&profile); err != nil {
			t.Fatal(err)
		}
		burn := whileTesting(func() {})
		return func() {
			burn()
			pprof.StopCPUProfile()
		}
	},
	"GC": func(t *testing.T) func() {
		old := debug.SetGCPercent(1)
		stop := whileTesting(runtime.GC)
		return func() {
			stop()
			debug.SetGCPercent(old)
		}
	},
}

// whileTesting repeats f on a goroutine until it is stopped.
func whileTesting(f func()) (stop func()) {
	quit, gone := make(chan bool), make(chan bool)
	go func() {
		defer close(gone)
		for {
			select {
			case <-quit:
				return
			default:
				f()
			}
		}
	}()
	return func() { close(quit); <-gone }
}

// Signals and collections during waits and transfers change nothing: no wait ends
// early, no byte is lost or read from memory that was collected.
func TestDisturbed(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Buffers, cfg.BufferSize = 8, 4096
		for name, disturb := range disturbances {
			t.Run(name, func(t *testing.T) {
				s := serve(t, cfg, perConn(func(c *sock.Conn) { io.Copy(c, c) }))
				sleeper := serve(t, cfg, func(l *ringo.Loop, ln *sock.Listener) error {
					for range 3 {
						begin := time.Now()
						if err := l.Sleep(20 * time.Millisecond); err != nil ||
							time.Since(begin) < 20*time.Millisecond {
							t.Errorf("Sleep ended after %v with %v", time.Since(begin), err)
						}
					}
					c, err := ln.AcceptConn() // a wait without an end
					if err == nil {
						defer c.Close()
						wantAll(t, c, "x")
					}
					return err
				})
				stop := disturb(t)
				defer stop()
				var wg sync.WaitGroup
				for range 4 {
					peer := s.dial()
					wg.Go(func() {
						for i := range 20 { // short ones, which wait, and long ones
							echo(t, peer, 1+i)
						}
						echo(t, peer, 1<<20)
					})
				}
				wg.Wait()
				last := sleeper.dial()
				send(t, last, "x")
				if _, err := last.Read(make([]byte, 1)); err != io.EOF {
					t.Errorf("the end: %v", err)
				}
			})
		}
	})
}
