//go:build linux

package sock_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"ringo"
	"ringo/internal/kernel"
	"ringo/internal/loop"
	"ringo/internal/sys"
	"ringo/internal/test/patience"
	"ringo/internal/test/socktest"
	"ringo/sock"
)

// A listener closes, or who asks it is cancelled, while a connection is on its way to the one who asks: that one gets
// it, or another loop that asks then or asked already, but not both.
func TestSharedListenerLeavesNoConnection(t *testing.T) {
	for _, by := range []string{"Close", "cancel"} {
		for _, early := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, asked already %v", by, early), func(t *testing.T) {
				eachDriver(t, func(t *testing.T, cfg ringo.Config) {
					for turns := range 6 { // how far it has come
						leavesNoConnection(t, cfg, by, early, turns/2)
					}
				})
			})
		}
	}
}

func leavesNoConnection(t *testing.T, cfg ringo.Config, by string, early bool, turns int) {
	first, second, left, over := make(chan bool), make(chan bool), make(chan bool), make(chan bool)
	served := false // by the first loop
	asks := func(l *ringo.Loop, ln *sock.Listener) (task *ringo.Task, got *accepted) {
		got = new(accepted)
		task = l.Go(func() { got.c, got.err = ln.Accept() })
		others(l)
		return task, got
	}
	shareUnix(t, cfg, 2, func(l *ringo.Loop, ln *sock.Listener) error {
		if l.Index() == 1 {
			defer close(over)
			awaitIn(l, first) // whose accept the kernel wakes first
			var task *ringo.Task
			var got *accepted
			if early {
				task, got = asks(l, ln)
			}
			close(second)
			awaitIn(l, left)
			if !early {
				task, got = asks(l, ln)
			}
			wait := patience.Max / 3
			if served {
				wait = time.Millisecond
			}
			l.AfterFunc(wait, task.Cancel)
			task.Wait()
			if got.err == nil {
				answer(got.c.(*sock.Conn))
			}
			if (got.err == nil) == served {
				t.Errorf("served by the first: %v; the second: %v", served, got.err)
			}
			return nil
		}
		task, got := asks(l, ln)
		close(first)
		awaitIn(l, second)
		peer, dialErr := net.Dial("unix", ln.Addr().String())
		if dialErr != nil {
			t.Fatal(dialErr)
		}
		go func() {
			defer peer.Close()
			peer.SetDeadline(patience.Deadline())
			peer.Write([]byte("?"))
			if _, err := io.ReadFull(peer, make([]byte, 1)); err != nil {
				t.Errorf("nobody answers: %v", err)
			}
		}()
		for range turns {
			l.Sleep(0)
		}
		if by == "Close" {
			ln.Close()
		} else {
			task.Cancel()
		}
		task.Wait()
		if served = got.err == nil; served {
			answer(got.c.(*sock.Conn))
		} else if !errors.Is(got.err, map[string]error{"Close": net.ErrClosed, "cancel": context.Canceled}[by]) {
			t.Errorf("Accept: %v", got.err)
		}
		close(left)
		return awaitIn(l, over) // with the listener open, if nobody has closed it
	}, func(string) {})
}

// shareUnix runs fn on so many loops, each with a listener of one Unix socket, and
// clients beside them.
func shareUnix(t *testing.T, cfg ringo.Config, loops int, fn func(l *ringo.Loop, ln *sock.Listener) error,
	clients func(name string)) {
	t.Helper()
	before := descriptors(t, "socket:")
	set, err := sock.Reserve("unix", abstractName())
	if err != nil {
		t.Fatal(err)
	}
	cfg.Loops = loops
	var listening sync.WaitGroup
	listening.Add(loops)
	var tried sync.WaitGroup
	tried.Go(func() {
		listening.Wait()
		set.Close()
		clients(set.Addr().String())
	})
	patience.Within(t.Name(), func() {
		err = ringo.Run(context.Background(), &cfg, func(l *ringo.Loop) error {
			ln, err := set.Listen(l)
			listening.Done()
			if err != nil {
				return err
			}
			defer ln.Close()
			return fn(l, ln)
		})
		tried.Wait()
	})
	if err != nil {
		t.Errorf("Run: %v", err)
	}
	eventually(t, "no socket left", func() bool { return descriptors(t, "socket:") == before })
}

// askUnix connects, and wants its byte back.
func askUnix(t *testing.T, name string) {
	c, err := net.DialTimeout("unix", name, patience.Max)
	if err != nil {
		t.Error(err)
		return
	}
	defer c.Close()
	c.SetDeadline(patience.Deadline())
	if _, err := c.Write([]byte("?")); err != nil {
		t.Error(err)
		return
	}
	if _, err := io.ReadFull(c, make([]byte, 1)); err != nil {
		t.Errorf("nobody answers: %v", err)
	}
}

// A loop takes a connection only if one of its tasks asks for it, so that all loops
// get as many as they ask for, whoever is faster.
func TestSharedListenersTakeWhatTheyAskFor(t *testing.T) {
	const loops, each = 3, 40
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		var took [loops]atomic.Int64
		all := make(chan struct{})
		var more atomic.Int64
		shareUnix(t, cfg, loops, func(l *ringo.Loop, ln *sock.Listener) error {
			for range each {
				c, err := ln.AcceptConn()
				if err != nil {
					return err
				}
				took[l.Index()].Add(1)
				l.Go(func() { answer(c) })
			}
			if err := awaitIn(l, all); err != nil {
				return err
			}
			if l.Index() == 1 { // one asks for more, and gets it
				c, err := ln.AcceptConn()
				if err != nil {
					return err
				}
				more.Add(1)
				answer(c)
			}
			return nil
		}, func(name string) {
			var wg sync.WaitGroup
			for range 4 {
				wg.Go(func() {
					for range loops * each / 4 {
						askUnix(t, name)
					}
				})
			}
			wg.Wait()
			close(all)
			askUnix(t, name)
		})
		for i := range took {
			if n := took[i].Load(); n != each {
				t.Errorf("loop %d took %d connections, want %d", i, n, each)
			}
		}
		if more.Load() != 1 {
			t.Errorf("the last connection was taken %d times", more.Load())
		}
	})
}

// Listeners that close leave the peers to the others, also those that they had taken
// and given to nobody. After the last nobody listens.
func TestSharedListenersClose(t *testing.T) {
	const loops, clients, each = 3, 4, 100
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		for round := range 5 {
			var stop atomic.Bool
			var served atomic.Int64
			shareUnix(t, cfg, loops, func(l *ringo.Loop, ln *sock.Listener) error {
				l.Go(func() {
					// From another task, while this one waits in Accept: when loops 0 and 1
					// have seen some, the last when all have been served.
					for limit := int64((l.Index() + 1) * (round + 1) * 20); l.Index() < loops-1 &&
						served.Load() < limit; {
						l.Sleep(50 * time.Microsecond)
					}
					for l.Index() == loops-1 && !stop.Load() {
						l.Sleep(time.Millisecond)
					}
					ln.Close()
				})
				for {
					c, err := ln.AcceptConn()
					if err != nil {
						if errors.Is(err, net.ErrClosed) {
							return nil
						}
						return err
					}
					served.Add(1)
					l.Go(func() { answer(c) })
				}
			}, func(name string) {
				var wg sync.WaitGroup
				for range clients {
					wg.Go(func() {
						for range each {
							askUnix(t, name)
						}
					})
				}
				wg.Wait()
				stop.Store(true)
				eventually(t, "nobody listens", func() bool {
					c, err := net.Dial("unix", name)
					if err == nil {
						c.Close()
					}
					return errors.Is(err, syscall.ECONNREFUSED)
				})
			})
		}
	})
}

// A task that gives up asking leaves the peers to the others.
func TestSharedAcceptGivenUp(t *testing.T) {
	const clients, each = 4, 50
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		var stop atomic.Bool
		shareUnix(t, cfg, 2, func(l *ringo.Loop, ln *sock.Listener) error {
			if l.Index() == 1 {
				l.Go(func() {
					for !stop.Load() {
						l.Sleep(time.Millisecond)
					}
					ln.Close()
				})
			}
			for {
				if l.Index() == 0 && stop.Load() {
					return nil
				}
				var c *sock.Conn
				accept := func() (err error) { c, err = ln.AcceptConn(); return err }
				var err error
				if l.Index() == 0 {
					err = l.WithTimeout(200*time.Microsecond, accept)
				} else {
					err = accept()
				}
				switch {
				case err == nil:
					l.Go(func() { answer(c) })
				case errors.Is(err, net.ErrClosed):
					return nil
				case l.Index() == 1:
					return err
				}
			}
		}, func(name string) {
			var wg sync.WaitGroup
			for range clients {
				wg.Go(func() {
					for range each {
						askUnix(t, name)
					}
				})
			}
			wg.Wait()
			stop.Store(true)
		})
	})
}

// Goroutines in Accept get connections of a shared socket too, from each listener, and by themselves.
func TestSharedListenersOfGoroutines(t *testing.T) {
	const loops, clients, each = 2, 4, 50
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		stop := make(chan struct{})
		shareUnix(t, cfg, loops, func(l *ringo.Loop, ln *sock.Listener) error {
			err := l.Offload(func(context.Context) error {
				go func() {
					<-stop
					ln.Close()
				}()
				for {
					c, err := ln.AcceptConn()
					if errors.Is(err, net.ErrClosed) {
						return nil
					}
					if err != nil {
						return err
					}
					go answer(c)
				}
			})
			if n := opStats(l, "accept").Submitted; n != 0 {
				t.Errorf("the loop was asked for %d accepts", n)
			}
			return err
		}, func(name string) {
			var wg sync.WaitGroup
			for range clients {
				wg.Go(func() {
					for range each {
						askUnix(t, name)
					}
				})
			}
			wg.Wait()
			close(stop)
		})
	})
}

// A goroutine that has asked once and does not ask again keeps no connection from the
// loops that serve.
func TestSharedIsNotHoarded(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		asked, served := make(chan bool), make(chan bool)
		shareUnix(t, cfg, 2, func(l *ringo.Loop, ln *sock.Listener) error {
			if l.Index() == 1 {
				return l.Offload(func(context.Context) error {
					c, err := ln.AcceptConn()
					close(asked)
					if err == nil {
						answer(c)
						<-served
					}
					return err
				})
			}
			if err := awaitIn(l, asked); err != nil {
				return err
			}
			for range 40 {
				c, err := ln.AcceptConn()
				if err != nil {
					return err
				}
				answer(c)
			}
			return nil
		}, func(name string) {
			defer close(served)
			for range 41 {
				askUnix(t, name)
			}
		})
	})
}

// unnamed is a kernel that can't say what sockets are bound to, while it is asked to be one.
type unnamed struct {
	kernel.Kernel
	on atomic.Bool
}

func (k *unnamed) Getsockname(fd int32, sa *sys.Sockaddr) int32 {
	if k.on.Load() {
		return -sys.ENOBUFS
	}
	return k.Kernel.Getsockname(fd, sa)
}

// Who can't be told where it listens is told so, and nothing is left open: without the port, siblings would be bound
// to another.
func TestListenWithoutName(t *testing.T) {
	dir := t.TempDir()
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		k := &unnamed{Kernel: kernel.Process()}
		defer kernel.Through(k)()
		onLoop(t, cfg, func(l *ringo.Loop) {
			set, err := sock.Reserve("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer set.Close()
			peer, err := net.ListenPacket("udp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer peer.Close()
			at := peer.LocalAddr().String()
			k.on.Store(true)
			defer k.on.Store(false)
			for what, make := range map[string]func() (io.Closer, error){
				"Reserve":      func() (io.Closer, error) { return sock.Reserve("tcp", "127.0.0.1:0") },
				"Reserve unix": func() (io.Closer, error) { return sock.Reserve("unix", dir+"/r") },
				"Listen":       func() (io.Closer, error) { return sock.Listen(l, "tcp", "127.0.0.1:0") },
				"Listen unix":  func() (io.Closer, error) { return sock.Listen(l, "unix", dir+"/l") },
				"of a set":     func() (io.Closer, error) { return set.Listen(l) },
				"ListenPacket": func() (io.Closer, error) { return sock.ListenPacket(l, "udp", "127.0.0.1:0") },
				"a group":      func() (io.Closer, error) { return sock.ListenPacket(l, "udp4", "224.0.0.251:0") },
				"DialPacket":   func() (io.Closer, error) { return sock.DialPacket(l, "udp", at) },
			} {
				c, err := make()
				if !errors.Is(err, syscall.ENOBUFS) || !strings.Contains(err.Error(), "getsockname: ") {
					t.Errorf("%s: %v, want ENOBUFS of getsockname", what, err)
				}
				if err == nil {
					c.Close()
				}
			}
		})
	})
}

// Goroutines that accept are not to make what the loop keeps for sockets: it is there once there is a listener.
func TestListenMakesLoopState(t *testing.T) {
	for _, network := range []string{"tcp", "unix"} {
		eachDriver(t, func(t *testing.T, cfg ringo.Config) {
			err := socktest.RunLoops(t, t.Context(), &cfg, func(l *ringo.Loop) error {
				address := "127.0.0.1:0"
				if network == "unix" {
					address = socketPath(t)
				}
				ln, err := sock.Listen(l, network, address)
				if err != nil {
					return err
				}
				defer ln.Close()
				if (*loop.Loop)(l).Above().Local == nil {
					t.Error("the loop keeps nothing for sockets")
				}
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
}
