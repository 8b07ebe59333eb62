package sock_test

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"runtime"
	"testing"
	"time"

	"ringo"
	"ringo/sock"
)

// closers are those who close, other than tasks of the connection's loop.
var closers = map[string]func(t *testing.T, cfg ringo.Config, f func()){
	"goroutine": func(_ *testing.T, _ ringo.Config, f func()) { f() },
	"task of another loop": func(t *testing.T, cfg ringo.Config, f func()) {
		if err := ringo.Run(context.Background(), &cfg, func(*ringo.Loop) error { f(); return nil }); err != nil {
			t.Error(err)
		}
	},
}

// A Close that waits for the peer, since the connection lingers, returns when the peer has read, although the
// connection's loop has ended meanwhile: those who wait in it are told by whoever closes the descriptor.
func TestCloseThatLingersOutlivesItsLoop(t *testing.T) {
	type lingering struct {
		c    *sock.Conn
		peer *net.TCPConn
	}
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		for who, as := range closers {
			t.Run(who, func(t *testing.T) {
				made, over, ended := make(chan lingering), make(chan struct{}), make(chan error, 1)
				go func() {
					ended <- ringo.Run(context.Background(), &cfg, func(l *ringo.Loop) error {
						c, peer := connect(t, l)
						fill(t, l, c)
						if err := c.SetLinger(int(patience / time.Second)); err != nil {
							t.Error(err)
						}
						made <- lingering{c, peer}
						return l.Offload(func(context.Context) error { <-over; return nil })
					})
				}()
				it := <-made
				defer it.peer.Close()
				closed := make(chan error, 2)
				go func() {
					as(t, cfg, func() { closed <- it.c.Close() })
					closed <- nil // and the closer has ended
				}()
				awaitStack(t, "handle.(*Core).closeLingering.func1(")
				close(over)
				within(patience, t.Name()+": the end of the loop", func() {
					if err := <-ended; err != nil {
						t.Error(err)
					}
				})
				select {
				case err := <-closed:
					t.Errorf("Close did not wait for the peer: %v", err)
				default:
				}
				go io.Copy(io.Discard, it.peer)
				within(patience, t.Name()+": the close", func() {
					for range 2 {
						if err := <-closed; err != nil {
							t.Error(err)
						}
					}
				})
			})
		}
	})
}

// A second Close, of whatever caller, waits until the descriptor is closed, as the first one does.
func TestSecondCloseWaitsToo(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		for who, as := range closers {
			t.Run(who, func(t *testing.T) {
				err := ringo.Run(context.Background(), &cfg, func(l *ringo.Loop) error {
					c, peer := connect(t, l)
					defer peer.Close()
					fill(t, l, c)
					if err := c.SetLinger(int(patience / time.Second)); err != nil {
						t.Error(err)
					}
					first, second := make(chan error, 1), make(chan error, 1)
					l.Go(func() { first <- c.Close() })
					return l.Offload(func(context.Context) error {
						awaitStack(t, "handle.(*Core).closeLingering.func1(")
						go as(t, cfg, func() { second <- c.Close() })
						for len(second) == 0 && !onStack("loop.(*Task).WaitAsClient(") {
							runtime.Gosched()
						}
						if len(second) > 0 {
							t.Error("the second Close returned before the descriptor was closed")
						}
						go io.Copy(io.Discard, peer)
						return errors.Join(<-first, <-second)
					})
				})
				if err != nil {
					t.Error(err)
				}
			})
		}
	})
}

// The end of a loop waits for no peer, whatever Close would wait for, and what was written is still sent.
func TestLoopEndsWithoutLingering(t *testing.T) {
	owners := map[string]func(l *ringo.Loop, f func()){
		"attached": func(_ *ringo.Loop, f func()) { f() },
		"detached": func(l *ringo.Loop, f func()) { l.Offload(func(context.Context) error { f(); return nil }) },
	}
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		for name, as := range owners {
			t.Run(name, func(t *testing.T) {
				var peer net.Conn
				written := 0
				within(patience, t.Name()+": the end of the loop", func() {
					err := ringo.Run(context.Background(), &cfg, func(l *ringo.Loop) error {
						ln, err := net.Listen("tcp", "127.0.0.1:0")
						if err != nil {
							return err
						}
						defer ln.Close()
						as(l, func() {
							c, err := sock.Dial(l, "tcp", ln.Addr().String())
							if err == nil {
								err = c.SetLinger(3600)
							}
							for err == nil {
								var n int
								c.SetWriteDeadline(time.Now().Add(100 * time.Millisecond))
								n, err = c.Write(make([]byte, 1<<20))
								written += n
							}
							if !errors.Is(err, os.ErrDeadlineExceeded) {
								t.Error(err)
							}
						})
						return l.Offload(func(context.Context) (err error) {
							peer, err = ln.Accept()
							return err
						})
					})
					if err != nil {
						t.Error(err)
					}
				})
				defer peer.Close()
				if n, err := io.Copy(io.Discard, peer); int(n) != written || err != nil {
					t.Errorf("the peer got %d bytes, then %v; %d were written", n, err, written)
				}
			})
		}
	})
}
