//go:build linux

package sock_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"
	"testing"
	"time"

	"ringo"
	"ringo/sock"
)

// awaitIn waits on a channel beside the loop.
func awaitIn(l *ringo.Loop, ch <-chan bool) error {
	return l.Offload(func(context.Context) error { <-ch; return nil })
}

// A listener closes with a connection that nobody took, and so does the one that it was
// passed to, before its loop has heard of it: the third one serves it, or, if there is
// none, the peer hears of the end.
func TestSharedListenerLeavesWhatWasPassed(t *testing.T) {
	for _, loops := range []int{2, 3} {
		t.Run(fmt.Sprint(loops, " loops"), func(t *testing.T) {
			eachDriver(t, func(t *testing.T, cfg ringo.Config) {
				before := sockets(t)
				set, err := sock.Reserve("unix", abstractName())
				if err != nil {
					t.Fatal(err)
				}
				defer set.Close()
				cfg.Loops, cfg.StallLimit = loops, -1
				turns := make([]chan bool, loops+1) // to listen, so that it is known who is passed what
				for i := range turns {
					turns[i] = make(chan bool)
				}
				close(turns[0])
				holding, passed, left := make(chan bool), make(chan bool), make(chan bool)
				var peer net.Conn
				first := func(l *ringo.Loop, ln *sock.Listener) error {
					asking := l.Go(func() {
						_, err := ln.AcceptConn()
						wantClosed(t, "AcceptConn", err)
					})
					others(l)
					if peer, err = net.Dial("unix", set.Addr().String()); err != nil {
						return err
					}
					l.Sleep(0) // it is accepted, and who asked has not run yet
					ln.Close()
					asking.Wait()
					close(passed)
					return nil
				}
				second := func(l *ringo.Loop, ln *sock.Listener) error {
					close(holding)
					<-passed // on the loop's thread: it hears of nothing meanwhile
					ln.Close()
					others(l) // what it was sent finds nothing any more
					close(left)
					return nil
				}
				third := func(l *ringo.Loop, ln *sock.Listener) error {
					defer ln.Close()
					if err := awaitIn(l, left); err != nil {
						return err
					}
					serveOne := func() error {
						c, err := ln.AcceptConn()
						if err == nil {
							answer(c)
						}
						return err
					}
					err := l.WithTimeout(patience/3, serveOne)
					if again := l.WithTimeout(5*time.Millisecond, serveOne); again == nil {
						t.Error("it came twice")
					}
					return err
				}
				asked := make(chan error, 1)
				go func() {
					<-left
					peer.SetDeadline(time.Now().Add(patience))
					_, err := peer.Write([]byte("?"))
					if err == nil {
						_, err = io.ReadFull(peer, make([]byte, 1))
					}
					peer.Close()
					asked <- err
				}()
				within(patience, t.Name(), func() {
					err = ringo.Run(t.Context(), &cfg, func(l *ringo.Loop) error {
						if err := awaitIn(l, turns[l.Index()]); err != nil {
							return err
						}
						ln, err := set.Listen(l)
						close(turns[l.Index()+1])
						if err != nil {
							return err
						}
						if l.Index() == 0 {
							err = errors.Join(awaitIn(l, turns[loops]), awaitIn(l, holding))
						}
						return errors.Join(err, []func(*ringo.Loop, *sock.Listener) error{first, second,
							third}[l.Index()](l, ln))
					})
					if err != nil {
						t.Errorf("Run: %v", err)
					}
					err := <-asked
					gone := errors.Is(err, io.EOF) || errors.Is(err, syscall.EPIPE) ||
						errors.Is(err, syscall.ECONNRESET)
					if loops == 2 && !gone || loops == 3 && err != nil {
						t.Errorf("the peer: %v", err)
					}
				})
				eventually(t, "no socket left", func() bool { return sockets(t) == before })
			})
		})
	}
}
