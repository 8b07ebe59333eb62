//go:build linux

package sock_test

import (
	"context"
	"errors"
	"net"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"

	"ringo"
	"ringo/sock"
)

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
	within(patience, t.Name()+": all are told", func() {
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
					before := sockets(t)
					ln := listen(t, l)
					onGoroutine(t, l, func() {
						got := acceptors(ln, callers)
						waitInAccept(t, callers)
						within(patience, t.Name(), func() { end(l, ln) })
						if after := sockets(t); after != before {
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

// When the program drains, goroutines in Accept are told.
func TestDrainUnderGoroutinesInAccept(t *testing.T) {
	const callers = 100
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		listeners := make(chan *sock.Listener, 1)
		s := serve(t, cfg, func(l *ringo.Loop, ln *sock.Listener) error {
			listeners <- ln
			offloaded(t, l, func() error { wantAllClosed(t, acceptors(ln, callers), callers); return nil })
			return nil
		})
		ln := <-listeners
		waitInAccept(t, callers)
		s.stop()
		wantFree(t, ln.Addr().String())
	})
}

// Goroutines in Accept do not keep a loop alive. At its end they are told, and when Run has
// returned the address is free.
func TestLoopEndsUnderGoroutinesInAccept(t *testing.T) {
	const callers = 100
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		for range 10 {
			before := sockets(t)
			var ln *sock.Listener
			var got <-chan accepted
			within(patience, t.Name(), func() {
				if err := ringo.Run(context.Background(), &cfg, func(l *ringo.Loop) error {
					ln = listen(t, l)
					got = acceptors(ln, callers)
					onGoroutine(t, l, func() { waitInAccept(t, callers) })
					return nil
				}); err != nil {
					t.Error(err)
				}
			})
			wantFree(t, ln.Addr().String())
			if after := sockets(t); after != before {
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
	dialer := &net.Dialer{Timeout: patience, KeepAlive: time.Second}
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		before := sockets(t)
		for range 20 {
			var dialing, accepting sync.WaitGroup
			within(patience, t.Name(), func() {
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
									peer.SetReadDeadline(time.Now().Add(patience))
									if n, err := peer.Read(make([]byte, 1)); n != 0 || err == nil ||
										errors.Is(err, os.ErrDeadlineExceeded) {
										t.Errorf("a peer reads %d, %v", n, err)
									}
								})
							}
						})
					}
					return l.Offload(func(context.Context) error { <-some; return nil })
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
		eventually(t, "no socket is left", func() bool { return sockets(t) == before })
	})
}

// Close waits for who has a listener's descriptor in hand, and so does its end by those who leave Accept.
func TestControlUnderGoroutinesInAccept(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		besideLoop(t, cfg, func(t *testing.T, l *ringo.Loop, ln *sock.Listener) {
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
			within(patience, "Close after Control", func() {
				if err := <-closed; err != nil {
					t.Error(err)
				}
			})
			wantFree(t, ln.Addr().String())
			wantClosed(t, "Control after Close", raw.Control(func(uintptr) {}))
		})
	})
}
