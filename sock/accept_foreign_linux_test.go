//go:build linux

package sock_test

import (
	"errors"
	"net"
	"sync"
	"syscall"
	"testing"

	"ringo"
	"ringo/sock"
)

// goroutinesAccept runs f on a goroutine, with a listener on which goroutines accept for themselves,
// and with one on which the loop does, because a task has come once.
func goroutinesAccept(t *testing.T, cfg ringo.Config, f func(t *testing.T, l *ringo.Loop, ln *sock.Listener)) {
	t.Run("goroutines accept", func(t *testing.T) { besideLoop(t, cfg, f) })
	t.Run("the loop accepts", func(t *testing.T) {
		besideLoop(t, cfg, func(t *testing.T, l *ringo.Loop, ln *sock.Listener) {
			loopAccepts(t, l, ln)
			f(t, l, ln)
		})
	})
}

// besideLoop runs f on a goroutine, beside a loop with a listener that nobody else uses.
func besideLoop(t *testing.T, cfg ringo.Config, f func(t *testing.T, l *ringo.Loop, ln *sock.Listener)) {
	done := make(chan struct{})
	s := serve(t, cfg, func(l *ringo.Loop, ln *sock.Listener) error {
		defer close(done)
		onGoroutine(t, l, func() { f(t, l, ln) })
		return nil
	})
	<-done
	s.stop()
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
				within(patience, t.Name(), func() {
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
				within(patience, t.Name(), func() {
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
			within(patience, t.Name(), func() {
				for range callers {
					if err := <-failed; !errors.Is(err, syscall.EINVAL) || errors.Is(err, net.ErrClosed) {
						t.Errorf("accept: %v, want EINVAL", err)
					}
				}
			})
		})
	})
}
