//go:build linux

package sock_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ringo"
	"ringo/internal/driver/open"
	"ringo/internal/loop"
	"ringo/internal/posix"
	"ringo/internal/test/drivertest"
	"ringo/internal/test/patience"
	"ringo/internal/test/seccomptest"
	"ringo/internal/test/socktest"
	"ringo/internal/test/testmain"
	"ringo/sim"
	"ringo/sock"
)

// The kernel ends a close that lingers when its thread gets a signal, and Go's runtime sends its threads signals as it
// pleases. Close waits for the peer all the same.
func TestLingerOutlastsSignals(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		pair(t, cfg, func(l *ringo.Loop, c *sock.Conn, peer tcpPeer) {
			total := fill(t, l, c)
			if err := c.SetLinger(int(patience.Max / time.Second)); err != nil {
				t.Fatal(err)
			}
			closed := make(chan error, 1)
			l.Offload(func(context.Context) error {
				go func() { closed <- c.Close() }()
				awaitStack(t, "handle.CloseLingering.func1(")
				held := false
				err := patience.Poll(runtime.Gosched, func() bool {
					held = signalWaits(t)
					return held || len(closed) > 0
				})
				if !held {
					t.Errorf("a signal to its thread ended the close, or did not reach it: %v", err)
				}
				n, err := io.Copy(io.Discard, peer)
				if int(n) != total || err != nil {
					t.Errorf("the peer got %d bytes of %d, %v", n, total, err)
				}
				if err := <-closed; err != nil {
					t.Error(err)
				}
				return nil
			})
		})
	})
}

// othersLinger make connections whose SO_LINGER is set otherwise than by SetLinger, to a listener at addr, or accepted
// from a dial of theirs.
var othersLinger = map[string]func(t *testing.T, l *ringo.Loop, addr string) (c *sock.Conn, peer net.Conn){
	"Adopt": func(t *testing.T, l *ringo.Loop, addr string) (c *sock.Conn, _ net.Conn) {
		n, err := net.Dial("tcp", addr)
		if err == nil {
			err = n.(*net.TCPConn).SetLinger(int(patience.Max / time.Second))
		}
		if err == nil {
			c, err = sock.Adopt[*sock.Conn](l, n, nil)
		}
		if err != nil {
			t.Fatal(err)
		}
		return c, nil
	},
	"SyscallConn": func(t *testing.T, l *ringo.Loop, addr string) (*sock.Conn, net.Conn) {
		c, err := sock.Dial(l, "tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		raw, err := c.SyscallConn()
		if err := errors.Join(err, letLinger("", "", raw)); err != nil {
			t.Fatal(err)
		}
		return c, nil
	},
	"Dialer.Control": func(t *testing.T, l *ringo.Loop, addr string) (*sock.Conn, net.Conn) {
		c, err := (&sock.Dialer{Control: letLinger}).Dial(l, "tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		return c, nil
	},
	"accepted": func(t *testing.T, l *ringo.Loop, _ string) (*sock.Conn, net.Conn) {
		ln, err := (&sock.ListenConfig{Control: letLinger}).Listen(l, "tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer ln.Close()
		peer, err := net.Dial("tcp", ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		c, err := ln.AcceptConn()
		if err != nil {
			t.Fatal(err)
		}
		return c, peer
	},
}

// letLinger is a Control that sets SO_LINGER.
func letLinger(_, _ string, c syscall.RawConn) (err error) {
	failed := c.Control(func(fd uintptr) {
		err = syscall.SetsockoptLinger(int(fd), syscall.SOL_SOCKET, syscall.SO_LINGER,
			&syscall.Linger{Onoff: 1, Linger: int32(patience.Max / time.Second)})
	})
	return errors.Join(failed, err)
}

// A close that lingers holds up nothing else, whoever has set SO_LINGER.
func TestLingerOfOthers(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		for how, of := range othersLinger {
			t.Run(how, func(t *testing.T) {
				onLoop(t, cfg, func(l *ringo.Loop) {
					peers, err := net.Listen("tcp", "127.0.0.1:0")
					if err != nil {
						t.Fatal(err)
					}
					defer peers.Close()
					c, peer := of(t, l, peers.Addr().String())
					if peer == nil {
						if peer, err = peers.Accept(); err != nil {
							t.Fatal(err)
						}
					}
					defer peer.Close()
					lingers(t, l, c, peer, fill(t, l, c))
				})
			})
		}
	})
}

// signalWaits sends each thread a signal with which Go's runtime interrupts goroutines, and reports whether one of them
// does not take it.
func signalWaits(t *testing.T) bool {
	threads, err := filepath.Glob("/proc/self/task/*/status")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range threads {
		tid, _ := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		unix.Tgkill(os.Getpid(), tid, unix.SIGURG) // the thread may have ended
		status, _ := os.ReadFile(file)
		var pending, blocked uint64
		for line := range bytes.Lines(status) {
			fmt.Sscanf(string(line), "SigPnd: %x", &pending)
			fmt.Sscanf(string(line), "SigBlk: %x", &blocked)
		}
		if pending&blocked&(1<<(unix.SIGURG-1)) != 0 {
			return true
		}
	}
	return false
}

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
						mortal.Of((*loop.Loop)(l).Ops()).Die(cause)
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
		cfg.StallLimit = -1 // who looks for what holds the loop would stop all, and wait for a call that waits for us
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
	path := socketPath(t)
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
			kept := testmain.DescriptorsKept(t)
			for name, call := range calls {
				var err error
				offloaded(t, l, func() error { err = call(l); return nil })
				var oe *net.OpError
				var pe *ringo.PanicError
				if !errors.As(err, &pe) || pe.Value != "a mistake in Control" || !errors.As(err, &oe) {
					t.Errorf("%s: %v; want the panic in an error of net's shape", name, err)
				}
			}
			kept(func() { l.Sleep(time.Millisecond) })
		})
	})
}

// disturbances are what the runtime and the system do to threads that wait.
var disturbances = map[string]func(t *testing.T) (stop func()){
	"SIGURG": func(t *testing.T) func() { // what the runtime preempts with, to each thread
		return socktest.Meanwhile(func() {
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
			t.Skip("a profile is being taken of the tests: ", err)
		}
		burn := socktest.Meanwhile(func() {})
		return func() {
			burn()
			pprof.StopCPUProfile()
		}
	},
	"GC": func(t *testing.T) func() {
		old := debug.SetGCPercent(1)
		stop := socktest.Meanwhile(runtime.GC)
		return func() {
			stop()
			debug.SetGCPercent(old)
		}
	},
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

// drainServers serve frames, each in one of the ways that there are to accept.
var drainServers = map[string]func(t *testing.T) func(*ringo.Loop, *sock.Listener) error{
	"Serve": func(*testing.T) func(*ringo.Loop, *sock.Listener) error {
		return perRequest(&sock.Handler{Request: frames})
	},
	"a task a connection": func(t *testing.T) func(*ringo.Loop, *sock.Listener) error {
		return perConn(func(c *sock.Conn) { answerFrame(t, c) })
	},
	"goroutines": func(t *testing.T) func(*ringo.Loop, *sock.Listener) error {
		return func(l *ringo.Loop, ln *sock.Listener) error {
			offloaded(t, l, func() error {
				var serving sync.WaitGroup
				defer serving.Wait()
				for {
					c, err := ln.Accept()
					if err != nil {
						wantClosed(t, "Accept", err)
						return nil
					}
					serving.Go(func() {
						defer c.Close()
						answerFrame(t, c)
					})
				}
			})
			return nil
		}
	},
}

// answerFrame sends one frame back, or sees a peer go that sends none.
func answerFrame(t *testing.T, c net.Conn) {
	p := make([]byte, len(drainFrame))
	if n, err := io.ReadFull(c, p); err != nil {
		if n > 0 || err != io.EOF {
			t.Errorf("the server reads %d bytes, %v", n, err)
		}
		return
	}
	if _, err := c.Write(p); err != nil {
		t.Error(err)
	}
}

// holdingAll is holding of several loops.
func holdingAll(t *testing.T, loops []*ringo.Loop, f func()) {
	if len(loops) == 0 {
		f()
		return
	}
	holding(t, loops[0], func() { holdingAll(t, loops[1:], f) })
}

var drainFrame = framed(500)

// Who had connected when the drain began is answered: accepted by then or not, whether the request was there, half of
// it, or nothing.
func TestDrainServesWhoHasConnected(t *testing.T) {
	t.Parallel()
	const peers = 10
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		for name, server := range drainServers {
			for loops := 1; loops <= 2; loops++ {
				t.Run(fmt.Sprint(name, ", loops ", loops), func(t *testing.T) {
					cfg := cfg
					cfg.Loops, cfg.Grace = loops, patience.Max
					s := serve(t, cfg, server(t))
					const half = 100
					var silent, halfway, spoken []tcpPeer
					connect := func() {
						for range peers {
							silent = append(silent, s.dial())
							p := s.dial()
							send(t, p, string(drainFrame[:half]))
							halfway = append(halfway, p)
							p = s.dial()
							send(t, p, string(drainFrame))
							spoken = append(spoken, p)
						}
					}
					connect() // and most are accepted soon
					holdingAll(t, s.loops, func() {
						connect() // and nobody is
						s.cancel()
					})
					eventually(t, "the port to be free", func() bool {
						c, err := net.Dial("tcp", s.addr)
						if err == nil {
							c.Close()
						}
						return errors.Is(err, posix.ECONNREFUSED)
					})
					for _, p := range silent {
						send(t, p, string(drainFrame))
					}
					for _, p := range halfway {
						send(t, p, string(drainFrame[half:]))
					}
					kinds := map[string][]tcpPeer{"silent": silent, "halfway": halfway, "spoken": spoken}
					for kind, peers := range kinds {
						for i, p := range peers {
							if got, err := io.ReadAll(p); err != nil || !bytes.Equal(got, drainFrame) {
								t.Errorf("%s peer %d got %d bytes of its answer, %v", kind, i, len(got), err)
							}
							p.Close()
						}
					}
					s.stop()
				})
			}
		}
	})
}

// ListenAndServe, and servers on goroutines, end at once where those who wait for requests say that they are idle, and
// as late as Grace where they don't.
func TestIdleConnectionsDoNotHoldTheDrain(t *testing.T) {
	t.Parallel()
	const peers = 20
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Grace = time.Hour
		var begun atomic.Int32
		answer := func(t *testing.T, c *sock.Conn) {
			for {
				c.SetIdle(true)
				p := make([]byte, len(drainFrame))
				if _, err := io.ReadFull(c, p[:1]); err != nil {
					if !errors.Is(err, ringo.ErrDraining) {
						t.Errorf("an idle Read: %v", err)
					}
					c.Write([]byte("bye"))
					return
				}
				c.SetIdle(false)
				begun.Add(1)
				if _, err := io.ReadFull(c, p[1:]); err != nil {
					t.Errorf("a busy Read: %v", err)
					return
				}
				c.Write(p)
			}
		}
		run := map[string]func(ctx context.Context, t *testing.T, addr chan string) error{
			"ListenAndServe": func(ctx context.Context, t *testing.T, addr chan string) error {
				at := freeAddr(t)
				addr <- at
				return sock.ListenAndServe(ctx, &cfg, "tcp", at, func(c *sock.Conn) { answer(t, c) })
			},
			"goroutines": func(ctx context.Context, t *testing.T, addr chan string) error {
				return socktest.RunLoops(t, ctx, &cfg, func(l *ringo.Loop) error {
					ln := listen(t, l)
					addr <- ln.Addr().String()
					return l.Offload(func(context.Context) error {
						var serving sync.WaitGroup
						defer serving.Wait()
						for {
							c, err := ln.AcceptConn()
							if err != nil {
								wantClosed(t, "Accept", err)
								return nil
							}
							serving.Go(func() {
								defer c.Close()
								answer(t, c)
							})
						}
					})
				})
			},
		}
		for name, run := range run {
			t.Run(name, func(t *testing.T) {
				ctx, drain := context.WithCancel(context.Background())
				defer drain()
				addr, ended := make(chan string, 1), make(chan error, 1)
				go func() { ended <- run(ctx, t, addr) }()
				at := <-addr
				var all []net.Conn
				for range peers {
					var c net.Conn
					eventually(t, "the server listens", func() (ok bool) {
						var err error
						c, err = net.Dial("tcp", at)
						return err == nil
					})
					defer c.Close()
					c.SetDeadline(patience.Deadline())
					send(t, c, string(drainFrame))
					got := make([]byte, len(drainFrame))
					if _, err := io.ReadFull(c, got); err != nil || !bytes.Equal(got, drainFrame) {
						t.Fatalf("the answer: %v", err)
					}
					all = append(all, c)
				}
				const half = 100
				busy := all[0]
				before := begun.Load()
				send(t, busy, string(drainFrame[:half]))
				eventually(t, "the server is busy", func() bool { return begun.Load() > before })
				drain()
				for _, c := range all[1:] {
					if got, err := io.ReadAll(c); string(got) != "bye" || err != nil {
						t.Errorf("an idle peer reads %q, %v", got, err)
					}
				}
				send(t, busy, string(drainFrame[half:]))
				if got, err := io.ReadAll(busy); err != nil || string(got) != string(drainFrame)+"bye" {
					t.Errorf("the busy peer reads %d bytes, %v", len(got), err)
				}
				patience.Within("the server's end", func() {
					if err := <-ended; err != nil {
						t.Error(err)
					}
				})
			})
		}
	})
}

// TestDrainAwaitsWhoIsSilent: of the loop that SetIdle's comment shows, a client that has connected and spoken by the
// drain's fifth second loses nothing, nor does one that has sent a part of its next request; one that says nothing is
// told then, and one that has spoken before at once.
func TestDrainAwaitsWhoIsSilent(t *testing.T) {
	var told []time.Duration // when readers heard of the drain
	sim.Run(t, 1, func(w *sim.World) {
		const addr = "a:7000"
		begun := time.Duration(0)
		answer := func(c *sock.Conn) {
			r := bufio.NewReader(c)
			for {
				c.SetIdle(true)
				line, err := r.ReadString('\n')
				if errors.Is(err, ringo.ErrDraining) {
					told = append(told, (w.Elapsed() - begun).Round(time.Second))
				}
				if err != nil {
					return
				}
				c.SetIdle(false)
				io.WriteString(c, line)
			}
		}
		server := w.Host("a").Run(&ringo.Config{Loops: 1, Grace: time.Minute}, func(l *ringo.Loop) error {
			ln, err := sock.Listen(l, "tcp", addr)
			if err != nil {
				return err
			}
			for {
				c, err := ln.AcceptConn()
				if err != nil {
					return nil
				}
				l.Go(func() { defer c.Close(); answer(c) })
			}
		})
		client := w.Host("b").Run(nil, func(l *ringo.Loop) error {
			l.Sleep(time.Second)
			var all [4]*sock.Conn // has spoken, will speak, is silent, is in the midst of it
			for i := range all {
				c, err := sock.Dial(l, "tcp", addr)
				if err != nil {
					return err
				}
				defer c.Close()
				c.SetDeadline(l.Now().Add(patience.Max))
				all[i] = c
			}
			say := func(c *sock.Conn, text string) {
				if _, err := io.WriteString(c, text); err != nil {
					t.Error(err)
				}
			}
			asks := func(c *sock.Conn, text string) {
				line := make([]byte, 6)
				say(c, text)
				if _, err := io.ReadFull(c, line); err != nil || string(line) != "hello\n" {
					t.Errorf("asked hello, got %q, %v", line, err)
				}
			}
			asks(all[0], "hello\n")
			asks(all[3], "hello\n")
			say(all[3], "hel")
			l.Sleep(time.Second)
			begun = w.Elapsed()
			server.Drain()
			l.Sleep(3 * time.Second)
			asks(all[1], "hello\n")
			l.Sleep(time.Second)
			asks(all[3], "lo\n")
			_, err := all[2].Read(make([]byte, 1))
			if err != io.EOF {
				t.Errorf("the silent client reads %v, want the end", err)
			}
			return nil
		})
		w.Check(w.Wait(client))
		w.Check(w.Wait(server))
	})
	if want := []time.Duration{0, 3 * time.Second, 4 * time.Second, 5 * time.Second}; !slices.Equal(told, want) {
		t.Errorf("readers heard of the drain after %v, want %v", told, want)
	}
}

// askers asks each for "hello\n", of which a part has come, by two calls between which they pause, or by one.
var askers = map[string]func(c *sock.Conn, pause func() *sock.Conn) (string, error){
	"Read": func(c *sock.Conn, pause func() *sock.Conn) (string, error) {
		b := make([]byte, 6)
		n, err := c.Read(b)
		c = pause()
		if err == nil {
			_, err = io.ReadFull(c, b[n:])
		}
		return string(b), err
	},
	"ReadV": func(c *sock.Conn, pause func() *sock.Conn) (string, error) {
		b := make([]byte, 6)
		n, err := c.ReadV([][]byte{b[:1], b[1:]})
		c = pause()
		if err == nil {
			_, err = c.ReadV([][]byte{b[n:]})
		}
		return string(b), err
	},
	"Next": func(c *sock.Conn, pause func() *sock.Conn) (string, error) {
		first, err := c.Next()
		if err != nil {
			return "", err
		}
		defer first.Release()
		c = pause()
		second, err := c.Next()
		if err != nil {
			return "", err
		}
		defer second.Release()
		return string(first.Bytes()) + string(second.Bytes()), nil
	},
	"Peek": func(c *sock.Conn, pause func() *sock.Conn) (string, error) {
		if _, err := c.Peek(3); err != nil {
			return "", err
		}
		c = pause()
		p, err := c.Peek(6)
		return string(p), err
	},
	"Discard": func(c *sock.Conn, pause func() *sock.Conn) (string, error) {
		if _, err := c.Discard(3); err != nil {
			return "", err
		}
		c = pause()
		_, err := c.Discard(3)
		return "hello\n", err
	},
	"one Peek": func(c *sock.Conn, pause func() *sock.Conn) (string, error) {
		p, err := c.Peek(6)
		return string(p), err
	},
	"one Discard": func(c *sock.Conn, pause func() *sock.Conn) (string, error) {
		_, err := c.Discard(6)
		return "hello\n", err
	},
}

// idleServer runs a program of two loops on host a, which serves a connection that has been accepted and is idle.
func idleServer(w *sim.World, serve func(l *ringo.Loop, c *sock.Conn)) *sim.Program {
	return w.Host("a").Run(&ringo.Config{Loops: 2, Grace: time.Minute}, func(l *ringo.Loop) error {
		l.Go(func() { l.Sleep(15 * time.Second) }) // a loop that ends takes what is open along
		if l != l.Loops()[0] {
			return nil
		}
		ln, err := sock.Listen(l, "tcp", "a:7000")
		if err != nil {
			return err
		}
		c, err := ln.AcceptConn()
		if err != nil {
			return err
		}
		c.SetIdle(false)
		c.SetIdle(true)
		serve(l, c)
		return nil
	})
}

// TestDrainAwaitsTheRest: whatever has brought a part of a request, and whoever has read it, its rest has five seconds
// when the drain comes before it is asked for, or while it is, or before the part; and no more.
func TestDrainAwaitsTheRest(t *testing.T) {
	const drain = 2 * time.Second
	for _, c := range []struct {
		name           string
		foreign, moves bool
		part, rest     time.Duration // when they are sent
		first, second  time.Duration // when they are asked for
		told           time.Duration // when the reader hears of the drain; 0: it need not
	}{
		{name: "while it is asked for", part: 1 * time.Second, rest: 6 * time.Second},
		{name: "before it is asked for", part: 1 * time.Second, rest: 6 * time.Second, second: 3 * time.Second},
		{name: "before the part is", part: 1 * time.Second, rest: 6 * time.Second, first: 3 * time.Second},
		{name: "before the part", part: 3 * time.Second, rest: 8 * time.Second, first: 4 * time.Second},
		{name: "of another loop", foreign: true, part: 1 * time.Second, rest: 6 * time.Second, second: 3 * time.Second},
		{name: "of another loop, before the part", foreign: true, part: 3 * time.Second, rest: 8 * time.Second,
			first: 4 * time.Second},
		{name: "moved before", moves: true, part: 1 * time.Second, rest: 6 * time.Second,
			second: 1500 * time.Millisecond},
		{name: "moved behind", moves: true, part: 3 * time.Second, rest: 7 * time.Second, first: 4 * time.Second},
		{name: "too late", part: 1 * time.Second, rest: 8 * time.Second, told: 7 * time.Second},
		{name: "too late, part behind", part: 3 * time.Second, rest: 20 * time.Second, first: 4 * time.Second,
			told: 9 * time.Second},
		{name: "too late, of another loop", foreign: true, part: 1 * time.Second, rest: 8 * time.Second,
			second: 3 * time.Second, told: 7 * time.Second},
	} {
		for name, ask := range askers {
			t.Run(c.name+"/"+name, func(t *testing.T) {
				sim.Run(t, 1, func(w *sim.World) {
					var got string
					var err error
					var at time.Duration // when it was got, or not
					until := func(l *ringo.Loop, at time.Duration) { l.Sleep(at - w.Elapsed()) }
					read := func(l *ringo.Loop, conn *sock.Conn) {
						defer func() { conn.Close() }()
						until(l, c.first)
						got, err = ask(conn, func() *sock.Conn {
							if c.moves {
								if moved, err := conn.MoveTo(l.Loops()[1]); err != nil {
									t.Error(err)
								} else {
									conn = moved
								}
							}
							until(l, c.second)
							return conn
						})
						at = w.Elapsed()
					}
					server := idleServer(w, func(l *ringo.Loop, conn *sock.Conn) {
						if c.foreign {
							l = l.Loops()[1]
						}
						l.Go(func() { read(l, conn) })
					})
					client := w.Host("b").Run(nil, func(l *ringo.Loop) error {
						until(l, 500*time.Millisecond)
						conn, err := sock.Dial(l, "tcp", "a:7000")
						if err != nil {
							return err
						}
						defer conn.Close()
						l.Go(func() {
							until(l, drain)
							server.Drain()
						})
						until(l, c.part)
						io.WriteString(conn, "hel")
						until(l, c.rest)
						io.WriteString(conn, "lo\n")
						return nil
					})
					w.Check(w.Wait(client))
					w.Check(w.Wait(server))
					switch {
					case c.told != 0:
						if !errors.Is(err, ringo.ErrDraining) || at.Round(time.Second) != c.told {
							t.Errorf("got %q, %v after %v, want ErrDraining after %v", got, err, at, c.told)
						}
					case err != nil || got != "hello\n":
						t.Errorf("got %q, %v after %v", got, err, at)
					}
				})
			})
		}
	}
}

// TestTrickleHoldsNoDrain: a peer that goes on sending a little, and never all that is asked for, holds the drain up
// for five seconds, and then the reader is told of the drain and of nothing else.
func TestTrickleHoldsNoDrain(t *testing.T) {
	asks := map[string]func(c *sock.Conn) error{
		"Read": func(c *sock.Conn) error {
			_, err := io.ReadFull(c, make([]byte, 10_000))
			return err
		},
		"Peek":    func(c *sock.Conn) error { _, err := c.Peek(10_000); return err },
		"Discard": func(c *sock.Conn) error { _, err := c.Discard(10_000); return err },
	}
	for name, ask := range asks {
		for _, loop := range []int{0, 1} {
			t.Run(fmt.Sprint(name, "/", loop), func(t *testing.T) {
				sim.Run(t, 1, func(w *sim.World) {
					server := idleServer(w, func(l *ringo.Loop, c *sock.Conn) {
						l.Loops()[loop].Go(func() {
							defer c.Close()
							for range 3 { // who asks again has no more time
								if err := ask(c); !errors.Is(err, ringo.ErrDraining) {
									w.Errorf("got %v, want ErrDraining", err)
								}
								if at := w.Elapsed().Round(time.Second); at != 7*time.Second {
									w.Errorf("the reader was told after %v, five seconds behind the drain are 7s", at)
								}
							}
						})
					})
					client := w.Host("b").Run(nil, func(l *ringo.Loop) error {
						l.Sleep(500 * time.Millisecond)
						c, err := sock.Dial(l, "tcp", "a:7000")
						if err != nil {
							return err
						}
						defer c.Close()
						l.Go(func() {
							l.Sleep(2*time.Second - w.Elapsed())
							server.Drain()
						})
						for err == nil && w.Elapsed() < 12*time.Second {
							_, err = c.Write([]byte("x"))
							l.Sleep(100 * time.Millisecond)
						}
						return nil
					})
					w.Check(w.Wait(client))
					w.Check(w.Wait(server))
				})
			})
		}
	}
}

// TestLastLook: what has come by the time that a reader asks is read although the program drains, and although the loop
// has not looked since.
func TestLastLook(t *testing.T) {
	socktest.EachDriver(t, func(t *testing.T, cfg ringo.Config) {
		for _, n := range []int{1, 6, 5000} {
			t.Run(fmt.Sprint(n), func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				cfg.Loops, cfg.Grace = 1, patience.Max
				err := socktest.RunLoops(t, ctx, &cfg, func(l *ringo.Loop) error {
					c, peer := connect(t, l)
					defer peer.Close()
					defer c.Close()
					c.SetIdle(false)
					p := make([]byte, n)
					send(t, peer, string(p))
					if _, err := io.ReadFull(c, p); err != nil {
						t.Errorf("the first: %v", err)
					}
					cancel()
					l.Draining().Recv()
					send(t, peer, string(p)) // by this thread: the loop has no turn
					for queued(t, peer, unix.TIOCOUTQ) > 0 {
						runtime.Gosched()
					}
					c.SetIdle(true)
					if _, err := io.ReadFull(c, p); err != nil {
						t.Errorf("what came behind the drain: %v", err)
					}
					c.SetIdle(false)
					c.SetIdle(true)
					if n, err := c.Read(p); !errors.Is(err, ringo.ErrDraining) {
						t.Errorf("Read = %d, %v, want ErrDraining", n, err)
					}
					return nil
				})
				if err != nil {
					t.Error(err)
				}
			})
		}
	})
}
