//go:build linux

package sock_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"ringo"
	"ringo/internal/test/patience"
	"ringo/internal/test/testmain"
	"ringo/sock"
)

// Another process on the port counts, although it would share.
func TestListenBesideAnotherProcess(t *testing.T) {
	c := startChild(t, "hold")
	addr := c.line()
	_, err := sock.Reserve("tcp", addr)
	wantInUse(t, "Reserve beside another process", err)
	shared := &sock.ListenConfig{AllowShared: true}
	set, err := shared.Reserve("tcp", addr)
	if err != nil {
		t.Fatalf("Reserve with AllowShared beside another process: %v", err)
	}
	set.Close()
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		onLoop(t, cfg, func(l *ringo.Loop) {
			_, err := sock.Listen(l, "tcp", addr)
			wantInUse(t, "Listen beside another process", err)
		})
	})
}

type counters struct {
	backoffs, turns uint64
	cpu             time.Duration
}

func countersOf(t *testing.T, c *child) (n counters) {
	t.Helper()
	var micros int64
	if text := c.ask("counters"); true {
		if _, err := fmt.Sscan(text, &n.backoffs, &n.turns, &micros); err != nil {
			t.Fatalf("the child's counters are %q: %v", text, err)
		}
	}
	n.cpu = time.Duration(micros) * time.Microsecond
	return n
}

// A server that runs out of descriptors serves on with those it has, asks again
// only now and then, and takes the others in when there is room.
func TestAcceptWaitsOutEMFILE(t *testing.T) {
	const limit, peers = 60, 80
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		c := startChild(t, "echo", "RINGO_SOCK_DRIVER="+cfg.Driver, fmt.Sprint("RINGO_SOCK_FILES=", limit))
		addr := c.line()
		var conns [peers]tcpPeer
		var served [peers]atomic.Bool
		count := func() (n int) {
			for i := range served {
				if served[i].Load() {
					n++
				}
			}
			return n
		}
		for i := range conns {
			conns[i] = dial(t, addr)
			defer conns[i].Close()
			send(t, conns[i], "x")
			go func() {
				if _, err := io.ReadFull(conns[i], make([]byte, 1)); err == nil {
					served[i].Store(true)
				}
			}()
		}
		eventually(t, "a shortage", func() bool { return countersOf(t, c).backoffs > 0 })
		eventually(t, "as many served as there are descriptors", func() bool { return count() > limit/2 })
		first := count()
		if first > limit {
			t.Fatalf("%d connections served with %d descriptors", first, limit)
		}

		begin := time.Now()
		before := countersOf(t, c)
		time.Sleep(400 * time.Millisecond)
		after := countersOf(t, c)
		quiet := time.Since(begin) // more than that on a busy machine, and so much more may happen
		if n := after.backoffs - before.backoffs; quiet < time.Duration(n)*20*time.Millisecond {
			t.Errorf("%d attempts in %v of shortage: it spins", n, quiet)
		}
		if n := after.turns - before.turns; quiet < time.Duration(n)*2*time.Millisecond {
			t.Errorf("%d turns in %v of shortage", n, quiet)
		}
		if used := after.cpu - before.cpu; quiet < 4*used {
			t.Errorf("%v of processor time in %v of shortage", used, quiet)
		}

		for i := range conns { // those inside are served as ever
			if served[i].Load() {
				echo(t, conns[i], 5000)
			}
		}
		for i := range conns {
			if served[i].Load() {
				conns[i].Close()
			}
		}
		eventually(t, "the others are served when there is room", func() bool { return count() == peers })
		for i := range conns {
			conns[i].Close()
		}
		if n := countersOf(t, c).backoffs; n > 200 {
			t.Errorf("%d back-offs in all", n)
		}
	})
}

// goroutinesAccept runs f on a goroutine, with a listener that no task has used, and with one of which a task has
// accepted, so that the loop accepts ahead.
func goroutinesAccept(t *testing.T, cfg ringo.Config, f func(t *testing.T, l *ringo.Loop, ln *sock.Listener)) {
	t.Run("no task came", func(t *testing.T) { besideLoop(t, cfg, f) })
	t.Run("a task came", func(t *testing.T) {
		besideLoop(t, cfg, func(t *testing.T, l *ringo.Loop, ln *sock.Listener) {
			loopAccepts(t, l, ln)
			f(t, l, ln)
		})
	})
}

// A goroutine that asks while a connection comes gets it, though no other ever comes.
func TestGoroutinesAcceptTheLastComer(t *testing.T) {
	t.Parallel()
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		goroutinesAccept(t, cfg, func(t *testing.T, _ *ringo.Loop, ln *sock.Listener) {
			for range 2000 {
				accepted := make(chan error, 1)
				go func() {
					c, err := ln.Accept()
					if err == nil {
						err = c.Close()
					}
					accepted <- err
				}()
				peer := dial(t, ln.Addr().String())
				patience.Within(t.Name(), func() {
					if err := <-accepted; err != nil {
						t.Error(err)
					}
				})
				peer.Close()
			}
		})
	})
}

// When accepts fail all who wait are told, not the first alone.
func TestGoroutinesHearThatAcceptsFail(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		goroutinesAccept(t, cfg, func(t *testing.T, _ *ringo.Loop, ln *sock.Listener) {
			const callers = 4
			var asked sync.WaitGroup
			failed := make(chan error, callers)
			for range callers {
				asked.Add(1)
				go func() {
					asked.Done()
					_, err := ln.Accept()
					failed <- err
				}()
			}
			asked.Wait()
			raw, err := ln.SyscallConn()
			if err != nil {
				t.Fatal(err)
			}
			raw.Control(func(fd uintptr) { err = syscall.Shutdown(int(fd), syscall.SHUT_RD) })
			if err != nil {
				t.Fatal(err)
			}
			patience.Within(t.Name(), func() {
				for range callers {
					if err := <-failed; !errors.Is(err, syscall.EINVAL) || errors.Is(err, net.ErrClosed) {
						t.Errorf("accept: %v, want EINVAL", err)
					}
				}
			})
		})
	})
}

// inAccept counts the goroutines that wait in Accept without the loop: in Go's netpoller, and in line.
func inAccept(t *testing.T) (parked, inLine int) {
	t.Helper()
	stacks := make([]byte, 4<<20)
	for _, g := range strings.Split(string(stacks[:runtime.Stack(stacks, true)]), "\n\n") {
		if !strings.Contains(g, ".(*Listener).AcceptConn(") {
			continue
		}
		switch state := g[strings.Index(g, "[")+1:]; {
		case strings.HasPrefix(state, "IO wait"):
			parked++
		case strings.HasPrefix(state, "chan receive"):
			inLine++
		}
	}
	return parked, inLine
}

// waitInAccept waits until n goroutines wait on one listener, of which one waits for peers.
func waitInAccept(t *testing.T, n int) {
	t.Helper()
	eventually(t, "goroutines wait in Accept, and none holds a thread", func() bool {
		parked, inLine := inAccept(t)
		return parked == 1 && inLine == n-1
	})
}

// accepted is what an Accept gave.
type accepted struct {
	c   net.Conn
	err error
}

// acceptors has n goroutines each call Accept once.
func acceptors(ln net.Listener, n int) <-chan accepted {
	got := make(chan accepted, n)
	for range n {
		go func() {
			c, err := ln.Accept()
			got <- accepted{c, err}
		}()
	}
	return got
}

// Goroutines accept on a listener of each kind while its loop does something else, whether they
// wait for peers or peers for them, and know who is at both ends.
func TestGoroutinesAcceptWithoutTheLoop(t *testing.T) {
	kinds := map[string]func(l *ringo.Loop) (*sock.Listener, error){
		"tcp":      func(l *ringo.Loop) (*sock.Listener, error) { return sock.Listen(l, "tcp", "127.0.0.1:0") },
		"tcp, any": func(l *ringo.Loop) (*sock.Listener, error) { return sock.Listen(l, "tcp", ":0") },
		"unix":     func(l *ringo.Loop) (*sock.Listener, error) { return sock.Listen(l, "unix", socketPath(t)) },
		"unixpacket": func(l *ringo.Loop) (*sock.Listener, error) {
			return sock.Listen(l, "unixpacket", abstractName())
		},
		"adopted": func(l *ringo.Loop) (*sock.Listener, error) {
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				return nil, err
			}
			return sock.Adopt[*sock.Listener](l, ln, &sock.AdoptConfig{Exclusive: true})
		},
		"of a set": func(l *ringo.Loop) (*sock.Listener, error) {
			set, err := sock.Reserve("tcp", "127.0.0.1:0")
			if err != nil {
				return nil, err
			}
			defer set.Close()
			return set.Listen(l)
		},
	}
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		for kind, listen := range kinds {
			t.Run(kind, func(t *testing.T) {
				onLoop(t, cfg, func(l *ringo.Loop) {
					ln, err := listen(l)
					if err != nil {
						t.Fatal(err)
					}
					defer ln.Close()
					onGoroutine(t, l, func() {
						holding(t, l, func() {
							got := acceptors(ln, 1)
							waitInAccept(t, 1)
							meet(t, ln, func() accepted { return <-got })
							for range 3 {
								meet(t, ln, func() accepted { return <-acceptors(ln, 1) })
							}
						})
						if n := opStats(l, "accept").Submitted; n != 0 {
							t.Errorf("the loop was asked for %d accepts", n)
						}
					})
				})
			})
		}
	})
}

// meet connects to a listener, and is to be what next gives.
func meet(t *testing.T, ln net.Listener, next func() accepted) {
	t.Helper()
	network, addr := ln.Addr().Network(), ln.Addr().String()
	if network == "tcp" {
		_, port, _ := net.SplitHostPort(addr)
		addr = net.JoinHostPort("127.0.0.1", port)
	}
	peer, err := net.Dial(network, addr)
	if err != nil {
		t.Fatal(err)
	}
	defer peer.Close()
	var got accepted
	patience.Within("Accept without the loop", func() { got = next() })
	if got.err != nil {
		t.Fatal(got.err)
	}
	defer got.c.Close()
	if a, b := got.c.LocalAddr().String(), peer.RemoteAddr().String(); a != b {
		t.Errorf("LocalAddr is %s, want %s", a, b)
	}
	if a, b := got.c.RemoteAddr().String(), peer.LocalAddr().String(); a != b && network == "tcp" {
		t.Errorf("RemoteAddr is %s, want %s", a, b)
	}
	for _, way := range [][2]net.Conn{{peer, got.c}, {got.c, peer}} {
		p := make([]byte, 5)
		if _, err := way[0].Write([]byte("hello")); err != nil {
			t.Error(err)
		}
		if n, err := way[1].Read(p); string(p[:n]) != "hello" {
			t.Errorf("read %q, %v", p[:n], err)
		}
	}
}

// What goroutines accept is set as what the loop accepts.
func TestGoroutinesAcceptWithTheSameOptions(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		besideLoop(t, cfg, func(t *testing.T, l *ringo.Loop, ln *sock.Listener) {
			one := func() (options string) {
				peer := dial(t, ln.Addr().String())
				defer peer.Close()
				c, err := ln.AcceptConn()
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close()
				return optionsOf(t, c)
			}
			got, want := one(), ""
			l.Go(func() { want = one() }).Wait()
			if got != want {
				t.Errorf("a goroutine's connection has\n%s\nand the loop's\n%s", got, want)
			}
		})
	})
}

// A task that comes while goroutines wait takes its turn behind them, and each gets one of as many
// connections as there are callers.
func TestTaskComesWhileGoroutinesWait(t *testing.T) {
	const callers, tasks = 5, 2
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		for i, name := range []string{"a task of the loop", "a task of another loop"} {
			t.Run(name, func(t *testing.T) {
				besideLoops(t, cfg, func(t *testing.T, l, away *ringo.Loop, ln *sock.Listener) {
					from := []*ringo.Loop{l, away}[i]
					byGoroutines := acceptors(ln, callers)
					waitInAccept(t, callers)
					byTasks := make(chan accepted, tasks)
					for range tasks {
						from.Go(func() {
							c, err := ln.Accept()
							byTasks <- accepted{c, err}
						})
					}
					from.Go(func() {}).Wait() // it has its turn when they have asked
					var peers []tcpPeer
					for range callers + tasks {
						peer := dial(t, ln.Addr().String())
						defer peer.Close()
						peers = append(peers, peer)
					}
					patience.Within(t.Name(), func() {
						wantFrom(t, "goroutines", byGoroutines, peers[:callers])
						wantFrom(t, "tasks", byTasks, peers[callers:])
					})
				})
			})
		}
	})
}

// wantFrom waits until those who accept have the connections of peers, one each, in any order.
func wantFrom(t *testing.T, who string, got <-chan accepted, peers []tcpPeer) {
	remotes := map[string]bool{}
	for range peers {
		a := <-got
		if a.err != nil {
			t.Error(a.err)
			continue
		}
		remotes[a.c.RemoteAddr().String()] = true
		a.c.Close()
	}
	for _, peer := range peers {
		if !remotes[peer.LocalAddr().String()] {
			t.Errorf("the %s did not get %v", who, peer.LocalAddr())
		}
	}
}

// What the loop has accepted ahead of its tasks goes to the goroutines that come, in order, and back to tasks.
func TestAcceptedAheadIsHandedOver(t *testing.T) {
	const peers = 20
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		besideLoop(t, cfg, func(t *testing.T, l *ringo.Loop, ln *sock.Listener) {
			loopAccepts(t, l, ln) // and goes on
			before := descriptors(t, "socket:")
			var dialed []tcpPeer
			for range peers {
				peer := dial(t, ln.Addr().String())
				defer peer.Close()
				dialed = append(dialed, peer)
			}
			eventually(t, "the loop has accepted all", func() bool {
				return descriptors(t, "socket:") == before+2*peers
			})
			accept := func() accepted { c, err := ln.Accept(); return accepted{c, err} }
			for i, peer := range dialed {
				var got accepted
				switch i % 5 {
				case 0: // the direction is handed over once for each
					l.Go(func() { got = accept() }).Wait()
				case 1:
					patience.Within("Accept of a goroutine", func() { got = accept() })
				default:
					holding(t, l, func() { got = accept() })
				}
				if got.err != nil {
					t.Fatal(got.err)
				}
				if a, b := got.c.RemoteAddr().String(), peer.LocalAddr().String(); a != b {
					t.Errorf("connection %d is that of %s, want %s", i, a, b)
				}
				got.c.Close()
			}
		})
	})
}

// What the loop has accepted ahead and nobody takes is closed with the listener, whoever has the direction by then and
// whoever closes it.
func TestAcceptedAheadIsClosed(t *testing.T) {
	const peers = 5
	ends := map[string]func(l *ringo.Loop, ln *sock.Listener, stop func()){
		"Close by a goroutine": func(_ *ringo.Loop, ln *sock.Listener, _ func()) { ln.Close() },
		"Close by a task":      func(l *ringo.Loop, ln *sock.Listener, _ func()) { l.Go(func() { ln.Close() }).Wait() },
		"drain":                func(_ *ringo.Loop, _ *sock.Listener, stop func()) { stop() },
		"the loop's end":       func(*ringo.Loop, *sock.Listener, func()) {},
	}
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		for name, end := range ends {
			for taken := range 2 { // by a goroutine, to which the direction was handed over
				t.Run(fmt.Sprint(name, ", taken ", taken), func(t *testing.T) {
					before := descriptors(t, "socket:")
					var dialed []tcpPeer
					ctx, stop := context.WithCancel(t.Context())
					defer stop()
					patience.Within(t.Name(), func() {
						if err := ringo.Run(ctx, &cfg, func(l *ringo.Loop) error {
							ln := listen(t, l)
							onGoroutine(t, l, func() {
								loopAccepts(t, l, ln)
								idle := descriptors(t, "socket:")
								for range peers {
									dialed = append(dialed, dial(t, ln.Addr().String()))
								}
								eventually(t, "the loop has accepted all", func() bool {
									return descriptors(t, "socket:") == idle+2*peers
								})
								for range taken {
									c, err := ln.Accept()
									if err != nil {
										t.Fatal(err)
									}
									c.Close()
								}
								end(l, ln, stop)
							})
							return nil
						}); err != nil {
							t.Error(err)
						}
					})
					for i, peer := range dialed {
						peer.SetDeadline(patience.Deadline())
						if _, err := peer.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
							t.Errorf("peer %d reads %v", i, err)
						}
						peer.Close()
					}
					if after := descriptors(t, "socket:"); after != before {
						t.Errorf("%d sockets after Run, %d before", after, before)
					}
				})
			}
		}
	})
}

// Goroutines and tasks that come to them accept each of many connections once.
func TestEachConnectionIsAcceptedOnce(t *testing.T) {
	t.Parallel()
	const conns, callers, tasks, lanes = 5000, 8, 2, 8
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		besideLoop(t, cfg, func(t *testing.T, l *ringo.Loop, ln *sock.Listener) {
			var mu sync.Mutex
			seen := make([]int, conns)
			byGoroutines, byTasks := 0, 0
			var accepting sync.WaitGroup
			var accept func(count *int)
			accept = func(count *int) {
				defer accepting.Done()
				for {
					c, err := ln.Accept()
					if err != nil {
						wantClosed(t, "Accept", err)
						return
					}
					var id [4]byte
					if _, err := io.ReadFull(c, id[:]); err != nil {
						t.Error(err)
					}
					c.Close()
					mu.Lock()
					seen[binary.LittleEndian.Uint32(id[:])]++
					*count++
					if byGoroutines+byTasks == conns/5 {
						accepting.Add(tasks)
						for range tasks {
							l.Go(func() { accept(&byTasks) })
						}
					}
					mu.Unlock()
				}
			}
			accepting.Add(callers)
			for range callers {
				go accept(&byGoroutines)
			}
			patience.Within(t.Name(), func() {
				var dialing sync.WaitGroup
				for lane := range lanes {
					dialing.Go(func() {
						for i := lane; i < conns; i += lanes {
							peer := dial(t, ln.Addr().String())
							var id [4]byte
							binary.LittleEndian.PutUint32(id[:], uint32(i))
							peer.Write(id[:])
							if n, err := peer.Read(id[:]); n != 0 || err != io.EOF {
								t.Errorf("peer %d read %d, %v", i, n, err)
							}
							peer.Close()
						}
					})
				}
				dialing.Wait()
				ln.Close()
				accepting.Wait()
			})
			for i, n := range seen {
				if n != 1 {
					t.Errorf("connection %d was accepted %d times", i, n)
				}
			}
			t.Logf("%d by goroutines, %d by tasks", byGoroutines, byTasks)
			if byTasks == 0 || byGoroutines < conns/5 {
				t.Errorf("%d by goroutines, %d by tasks: want both", byGoroutines, byTasks)
			}
		})
	})
}

// Goroutines wait a shortage out, those that wait for peers when it comes and those that come then, and get
// the peers that came meanwhile. The loop counts the pauses.
func TestGoroutinesWaitOutEMFILE(t *testing.T) {
	const conns = 2
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg = unwatched(cfg)
		for _, first := range []string{"goroutine", "peer", "shortage"} {
			t.Run("the "+first+" comes first", func(t *testing.T) {
				besideLoop(t, cfg, func(t *testing.T, l *ringo.Loop, ln *sock.Listener) {
					var connects []func()
					for range conns {
						fd, connect := connector(t, ln.Addr())
						defer syscall.Close(fd)
						connects = append(connects, connect)
					}
					come := func() {
						for _, connect := range connects {
							connect()
						}
					}
					var got <-chan accepted
					switch first {
					case "goroutine":
						got = acceptors(ln, conns)
						waitInAccept(t, conns)
					case "peer":
						come()
					}
					before := l.Stats().Backoffs
					withoutDescriptors(t, func() {
						if first != "goroutine" {
							got = acceptors(ln, conns)
						}
						if first != "peer" {
							come()
						}
						eventually(t, "a back-off", func() bool { return l.Stats().Backoffs > before })
						if ln.Stats().Backoffs == 0 {
							t.Error("the listener has not counted it")
						}
						if len(got) > 0 {
							t.Errorf("%d accepts without descriptors", len(got))
						}
					})
					patience.Within(t.Name(), func() {
						for range conns {
							a := <-got
							if a.err != nil {
								t.Fatal(a.err)
							}
							a.c.Close()
						}
					})
					if n := opStats(l, "accept").Submitted; n > 0 {
						t.Errorf("the loop was asked for %d accepts", n)
					}
				})
			})
		}
	})
}

// Goroutines that wait a shortage out, be it that they came before it or in it, hear of a Close at once, and share
// what comes after it with a task.
func TestShortageEndsUnderGoroutinesInAccept(t *testing.T) {
	const conns = 2
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg = unwatched(cfg)
		for _, by := range []string{"Close", "Close, they came in it", "a task"} {
			t.Run(by, func(t *testing.T) {
				besideLoop(t, cfg, func(t *testing.T, l *ringo.Loop, ln *sock.Listener) {
					fd, connect := connector(t, ln.Addr())
					defer syscall.Close(fd)
					var got <-chan accepted
					byTask := make(chan accepted, 1)
					if by != "Close, they came in it" {
						got = acceptors(ln, conns)
						waitInAccept(t, conns)
					}
					withoutDescriptors(t, func() {
						before := l.Stats().Backoffs
						connect()
						if got == nil {
							got = acceptors(ln, conns)
						}
						eventually(t, "long pauses", func() bool { return l.Stats().Backoffs > before+5 })
						if by != "a task" {
							patience.Within("Close in a shortage", func() { ln.Close() })
							wantAllClosed(t, got, conns)
							return
						}
						l.Go(func() {
							c, err := ln.Accept()
							byTask <- accepted{c, err}
						})
					})
					if by == "a task" {
						for range conns { // beside the one that came in the shortage
							dial(t, ln.Addr().String()).Close()
						}
						patience.Within(t.Name(), func() {
							for _, from := range []<-chan accepted{got, got, byTask} {
								if a := <-from; a.err != nil {
									t.Error(a.err)
								} else {
									a.c.Close()
								}
							}
						})
					}
				})
			})
		}
	})
}

// A task of another loop waits a shortage out without stopping its loop, and leaves when it is cancelled.
func TestTaskOfAnotherLoopWaitsOutEMFILE(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg = unwatched(cfg)
		besideLoops(t, cfg, func(t *testing.T, l, from *ringo.Loop, ln *sock.Listener) {
			fd, connect := connector(t, ln.Addr())
			defer syscall.Close(fd)
			got := make(chan accepted, 2)
			accept := func() {
				c, err := ln.Accept()
				got <- accepted{c, err}
			}
			withoutDescriptors(t, func() {
				before := l.Stats().Backoffs
				connect()
				task := from.Go(accept)
				eventually(t, "long pauses", func() bool { return l.Stats().Backoffs > before+5 })
				patience.Within("another task of its loop", func() { from.Go(func() {}).Wait() })
				task.Cancel()
				patience.Within("the cancelled task", func() { wantCanceled(t, "Accept", (<-got).err) })
				from.Go(accept)
			})
			patience.Within("Accept after the shortage", func() {
				if a := <-got; a.err != nil {
					t.Error(a.err)
				} else {
					a.c.Close()
				}
			})
		})
	})
}

// connector gives a socket and what connects it to a TCP address, for which it needs no more descriptors.
func connector(t *testing.T, to net.Addr) (fd int, connect func()) {
	t.Helper()
	addr := to.(*net.TCPAddr)
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	return fd, func() {
		if err := syscall.Connect(fd,
			&syscall.SockaddrInet4{Port: addr.Port, Addr: [4]byte(addr.IP.To4())}); err != nil {
			t.Error(err)
		}
	}
}

// A goroutine takes no connection that its loop could not watch: the peer sees an end, the loop
// says so, and whoever comes when there are low descriptors is served.
func TestGoroutinesAcceptBeyondSelect(t *testing.T) {
	if forced := os.Getenv("RINGO_DRIVER"); forced != "" && forced != "select" {
		t.Skipf("this is about select, and RINGO_DRIVER is %s", forced)
	}
	const bound = 1024
	testmain.NeedDescriptors(t, bound+100)
	besideLoop(t, ringo.Config{Driver: "select", Loops: 1}, func(t *testing.T, l *ringo.Loop, ln *sock.Listener) {
		got := acceptors(ln, 1)
		waitInAccept(t, 1)
		free := testmain.Occupy(t, bound)
		peer := dial(t, ln.Addr().String())
		if n, err := peer.Read(make([]byte, 1)); n != 0 || err == nil {
			t.Errorf("the peer reads %d, %v", n, err)
		}
		peer.Close()
		free()
		meet(t, ln, func() accepted { return <-got })
	})
}

// An Accept of what is there, be it in the kernel or accepted by the loop, allocates no more than what a connection
// is made of, and Close nothing.
func TestGoroutinesAcceptAllocations(t *testing.T) {
	skipAllocs(t)
	const conns, each = 50, 2 // the connection and its foreign callers
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		goroutinesAccept(t, cfg, func(t *testing.T, _ *ringo.Loop, ln *sock.Listener) {
			perConn := 1e9
			for tries := 0; tries < 10 && perConn > each+0.1; tries++ {
				var peers []tcpPeer
				for range conns {
					peers = append(peers, dial(t, ln.Addr().String()))
				}
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				for range conns {
					c, err := ln.AcceptConn()
					if err == nil {
						err = c.Close()
					}
					if err != nil {
						t.Fatal(err)
					}
				}
				runtime.ReadMemStats(&after)
				perConn = min(perConn, float64(after.Mallocs-before.Mallocs)/conns)
				for _, peer := range peers {
					peer.Close()
				}
			}
			t.Logf("%.2f allocations an Accept and Close", perConn)
			if perConn > each+0.1 {
				t.Errorf("%.2f allocations an Accept and Close, want %d", perConn, each)
			}
		})
	})
}

// listenApart is listen at a port that the system gives nobody who asks for any: once it is free, nobody else has it.
func listenApart(t *testing.T, l *ringo.Loop) *sock.Listener {
	t.Helper()
	for {
		ln, err := sock.Listen(l, "tcp", fmt.Sprintf("127.0.0.1:%d", 10_000+rand.IntN(20_000)))
		if err == nil {
			return ln
		} else if !errors.Is(err, syscall.EADDRINUSE) {
			t.Fatal(err)
		}
	}
}

// wantFree tells whether an address can be listened on, at once.
func wantFree(t *testing.T, addr string) {
	t.Helper()
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		t.Errorf("after the end: %v", err)
		return
	}
	ln.Close()
}

// wantAllClosed waits until n goroutines have been told of the end.
func wantAllClosed(t *testing.T, got <-chan accepted, n int) {
	t.Helper()
	patience.Within(t.Name()+": all are told", func() {
		for range n {
			a := <-got
			wantClosed(t, "Accept", a.err)
		}
	})
}

// Whoever closes a listener under goroutines in Accept ends them all, and leaves nothing of it.
func TestCloseUnderGoroutinesInAccept(t *testing.T) {
	const callers = 100
	closers := map[string]func(l *ringo.Loop, ln *sock.Listener){
		"a goroutine": func(_ *ringo.Loop, ln *sock.Listener) { ln.Close() },
		"goroutines": func(_ *ringo.Loop, ln *sock.Listener) {
			var all sync.WaitGroup
			for range 4 {
				all.Go(func() { ln.Close() })
			}
			all.Wait()
		},
		"a task": func(l *ringo.Loop, ln *sock.Listener) { l.Go(func() { ln.Close() }).Wait() },
		"a goroutine, after a task came": func(l *ringo.Loop, ln *sock.Listener) {
			asking := l.Go(func() { ln.Accept() })
			ln.Close()
			asking.Wait()
		},
	}
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		for name, end := range closers {
			t.Run(name, func(t *testing.T) {
				onLoop(t, cfg, func(l *ringo.Loop) {
					before := descriptors(t, "socket:")
					ln := listenApart(t, l)
					onGoroutine(t, l, func() {
						got := acceptors(ln, callers)
						waitInAccept(t, callers)
						patience.Within(t.Name(), func() { end(l, ln) })
						if after := descriptors(t, "socket:"); after != before {
							t.Errorf("%d sockets after Close, %d before Listen", after, before)
						}
						wantFree(t, ln.Addr().String())
						wantAllClosed(t, got, callers)
						_, err := ln.Accept()
						wantClosed(t, "Accept after Close", err)
					})
				})
			})
		}
	})
}

// Goroutines in Accept do not keep a loop alive. At its end they are told, and when Run has
// returned the address is free.
func TestLoopEndsUnderGoroutinesInAccept(t *testing.T) {
	const callers = 100
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		for range 10 {
			before := descriptors(t, "socket:")
			var ln *sock.Listener
			var got <-chan accepted
			patience.Within(t.Name(), func() {
				if err := ringo.Run(context.Background(), &cfg, func(l *ringo.Loop) error {
					ln = listenApart(t, l)
					got = acceptors(ln, callers)
					onGoroutine(t, l, func() { waitInAccept(t, callers) })
					return nil
				}); err != nil {
					t.Error(err)
				}
			})
			wantFree(t, ln.Addr().String())
			if after := descriptors(t, "socket:"); after != before {
				t.Errorf("%d sockets after Run, %d before", after, before)
			}
			wantAllClosed(t, got, callers)
			_, err := ln.Accept()
			wantClosed(t, "Accept after Run", err)
			if !errors.Is(err, ringo.ErrEnded) {
				t.Errorf("Accept after Run: %v, want ErrEnded", err)
			}
		}
	})
}

// Connections that goroutines accept while the loop ends are closed with it: nobody is left with one.
func TestLoopEndsWhileGoroutinesAccept(t *testing.T) {
	const callers, lanes, perLane = 4, 4, 30
	// A peer whose handshake ends while the socket is closed may hear nothing of it from the kernel
	// until it asks.
	dialer := &net.Dialer{Timeout: patience.Max, KeepAlive: time.Second}
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		before := descriptors(t, "socket:")
		for range 20 {
			var dialing, accepting sync.WaitGroup
			patience.Within(t.Name(), func() {
				if err := ringo.Run(context.Background(), &cfg, func(l *ringo.Loop) error {
					ln := listen(t, l)
					some := make(chan bool, callers)
					for range callers {
						accepting.Go(func() {
							for n := 0; ; n++ {
								if _, err := ln.Accept(); err != nil { // what it gave is left to the loop
									wantClosed(t, "Accept", err)
									return
								}
								if n == 5 {
									some <- true
								}
							}
						})
					}
					for range lanes {
						dialing.Go(func() {
							for range perLane {
								peer, err := dialer.Dial("tcp", ln.Addr().String())
								if err != nil {
									return // nobody listens any more
								}
								dialing.Go(func() {
									defer peer.Close()
									peer.SetReadDeadline(patience.Deadline())
									if n, err := peer.Read(make([]byte, 1)); n != 0 || err == nil ||
										errors.Is(err, os.ErrDeadlineExceeded) {
										t.Errorf("a peer reads %d, %v", n, err)
									}
								})
							}
						})
					}
					return awaitIn(l, some)
				}); err != nil {
					t.Error(err)
				}
				accepting.Wait()
				dialing.Wait()
			})
			if t.Failed() {
				break
			}
		}
		eventually(t, "no socket is left", func() bool { return descriptors(t, "socket:") == before })
	})
}

// Close waits for who has a listener's descriptor in hand, and so does its end by those who leave Accept.
func TestControlUnderGoroutinesInAccept(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		besideLoop(t, cfg, func(t *testing.T, l *ringo.Loop, ln *sock.Listener) {
			before := descriptors(t, "socket:")
			got := acceptors(ln, 2)
			waitInAccept(t, 2)
			raw, err := ln.SyscallConn()
			if err != nil {
				t.Fatal(err)
			}
			closed := make(chan error, 1)
			if err := raw.Control(func(fd uintptr) {
				go func() { closed <- ln.Close() }()
				wantAllClosed(t, got, 2)
				select {
				case <-closed:
					t.Error("Close did not wait for Control")
				default:
				}
				if on, err := syscall.GetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_ACCEPTCONN); on != 1 ||
					err != nil {
					t.Errorf("in Control the descriptor is no listener's: %d, %v", on, err)
				}
			}); err != nil {
				t.Error(err)
			}
			patience.Within("Close after Control", func() {
				if err := <-closed; err != nil {
					t.Error(err)
				}
			})
			if after := descriptors(t, "socket:"); after != before-1 {
				t.Errorf("%d sockets after Close, %d before", after, before)
			}
			wantClosed(t, "Control after Close", raw.Control(func(uintptr) {}))
		})
	})
}
