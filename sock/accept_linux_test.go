//go:build linux

package sock_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"ringo"
	"ringo/internal/test/patience"
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

// A goroutine that asks while a task does is heard.
func TestGoroutinesAcceptBesideTasks(t *testing.T) {
	t.Parallel()
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		goroutinesAccept(t, cfg, func(t *testing.T, l *ringo.Loop, ln *sock.Listener) {
			for range 500 {
				const callers, tasks = 2, 2
				accepted := make(chan error, callers+tasks)
				accept := func() {
					c, err := ln.Accept()
					if err == nil {
						err = c.Close()
					}
					accepted <- err
				}
				for range callers {
					go accept()
				}
				for range tasks {
					l.Go(accept)
				}
				for range callers + tasks {
					dial(t, ln.Addr().String()).Close()
				}
				patience.Within(t.Name(), func() {
					for range callers + tasks {
						if err := <-accepted; err != nil {
							t.Error(err)
						}
					}
				})
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
