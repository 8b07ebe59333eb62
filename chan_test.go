package ringo_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"ringo"
)

// Values come out in the order in which they went in, through each capacity and with
// senders and receivers in line.
func TestChanOrder(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		mustRun(t, cfg, func(l *ringo.Loop) {
			for capacity := range 5 {
				c := ringo.NewChan[int](capacity)
				equal(t, "Cap", c.Cap(), capacity)
				for i := range 8 { // more than fit: the others stand in line
					l.Go(func() {
						if err := c.Send(i); err != nil {
							t.Errorf("Send: %v", err)
						}
					})
				}
				l.Sleep(0)
				equal(t, "Len", c.Len(), capacity)
				equal(t, "in line", c.Waiting(), 8-capacity)
				for i := range 8 {
					v, err := c.Recv()
					if v != i || err != nil {
						t.Errorf("capacity %d: Recv gave %v, %v; want %d", capacity, v, err, i)
					}
				}
				var got []int
				for range 4 {
					l.Go(func() {
						v, err := c.Recv()
						if err != nil {
							t.Errorf("Recv: %v", err)
						}
						got = append(got, v)
					})
				}
				l.Sleep(0)
				for i := range 4 {
					if !c.TrySend(i) {
						t.Error("TrySend with a receiver in line failed")
					}
				}
				equal(t, "TrySend with room", c.TrySend(9), capacity > 0)
				l.Sleep(0)
				equalList(t, "got", got, []int{0, 1, 2, 3})
			}
		})
	})
}

// From each kind of caller to each kind.
func TestChanBetween(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Loops = 2
		beside(t, cfg, func(l *ringo.Loop) {
			ways := map[string]func(func()){
				"this loop":    func(f func()) { l.Post(f) },
				"another loop": func(f func()) { l.Loops()[1].Post(f) },
				"a goroutine":  func(f func()) { go f() },
				"an iterator":  func(f func()) { l.Post(func() { iterator(f) }) },
			}
			const n = 300
			for from, send := range ways {
				for to, recv := range ways {
					for _, capacity := range []int{0, 3} {
						c := ringo.NewChan[*int](capacity)
						done := make(chan error, 1)
						send(func() {
							defer c.Close()
							for i := range n {
								if err := c.Send(&i); err != nil {
									t.Errorf("Send: %v", err)
									return
								}
							}
						})
						recv(func() {
							for i := 0; ; i++ {
								p, err := c.Recv()
								if err != nil {
									if i != n {
										err = fmt.Errorf("after %d values: %w", i, err)
									}
									done <- err
									return
								}
								if *p != i { // also what the pointer leads to has come over
									t.Errorf("from %s to %s: %d, want %d", from, to, *p, i)
								}
							}
						})
						if err := await(t, l, "the end", done); err != ringo.ErrClosed {
							t.Errorf("from %s to %s, capacity %d: %v", from, to, capacity, err)
						}
					}
				}
			}
		})
	})
}

// Close refuses senders, those in line too, and leaves what is there to receivers.
func TestChanClose(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Loops = 2
		beside(t, cfg, func(l *ringo.Loop) {
			c := ringo.NewChan[int](2)
			var done sync.WaitGroup
			c.Send(1)
			c.Send(2)
			callers(l, 6, &done, func(int) { equal(t, "Send in line", c.Send(3), ringo.ErrClosed) })
			sleepUntil(t, l, "all in line", func() bool { return c.Waiting() == 6 })
			c.Close()
			c.Close()
			join(l, &done)
			equal(t, "Send", c.Send(4), ringo.ErrClosed)
			equal(t, "TrySend", c.TrySend(4), false)
			for i := 1; i <= 2; i++ {
				v, err := c.Recv()
				equal(t, "what was there", v, i)
				equal(t, "Recv", err, nil)
			}
			v, err := c.Recv()
			equal(t, "nothing", v, 0)
			equal(t, "Recv of nothing", err, ringo.ErrClosed)
			if _, ok := c.TryRecv(); ok {
				t.Error("TryRecv found something")
			}

			c = ringo.NewChan[int](0)
			callers(l, 6, &done, func(int) {
				if _, err := c.Recv(); err != ringo.ErrClosed {
					t.Errorf("Recv in line: %v", err)
				}
			})
			sleepUntil(t, l, "all in line", func() bool { return c.Waiting() == 6 })
			c.Close()
			join(l, &done)
		})
	})
}

// A cancelled sender takes its value along, a cancelled receiver takes none.
func TestChanCancel(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		mustRun(t, cfg, func(l *ringo.Loop) {
			c := ringo.NewChan[int](0)
			var tasks []*ringo.Task
			for i := range 3 {
				tasks = append(tasks, l.Go(func() {
					if err := c.Send(i); i == 1 && err != context.Canceled || i != 1 && err != nil {
						t.Errorf("Send of %d: %v", i, err)
					}
				}))
			}
			l.Sleep(0)
			tasks[1].Cancel()
			for _, want := range []int{0, 2} {
				if v, err := c.Recv(); v != want || err != nil {
					t.Errorf("Recv: %v, %v; want %d", v, err, want)
				}
			}
			if v, ok := c.TryRecv(); ok {
				t.Errorf("a cancelled sender's value came: %v", v)
			}

			var got int
			for i := range 2 {
				task := l.Go(func() {
					v, err := c.Recv()
					if i == 0 {
						equal(t, "Recv in a cancelled task", err, context.Canceled)
					} else {
						got = v
					}
				})
				l.Sleep(0)
				if i == 0 {
					task.Cancel()
				}
			}
			if !c.TrySend(7) {
				t.Error("the second receiver is not there")
			}
			l.Sleep(0)
			equal(t, "what the second receiver got", got, 7)
		})
	})
}

// What was delivered stays delivered, although the receiver is cancelled, or its time
// is over, before it runs; and the other way round nothing is delivered any more.
func TestChanLateEnd(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		mustRun(t, cfg, func(l *ringo.Loop) {
			c := ringo.NewChan[int](0)
			task := l.Go(func() {
				v, err := c.Recv()
				equal(t, "delivered, then cancelled", v, 1)
				equal(t, "Recv", err, nil)
				_, err = c.Recv()
				equal(t, "the next Recv", err, context.Canceled)
				equal(t, "a Send", c.Send(1), context.Canceled)
			})
			l.Sleep(0)
			if !c.TrySend(1) {
				t.Error("no receiver")
			}
			task.Cancel()
			task.Wait()

			task = l.Go(func() {
				_, err := c.Recv()
				equal(t, "cancelled, then offered", err, context.Canceled)
			})
			l.Sleep(0)
			task.Cancel()
			if c.TrySend(2) {
				t.Error("a value went to a cancelled receiver")
			}
			task.Wait()

			task = l.Go(func() {
				equal(t, "taken, then cancelled: Send", c.Send(3), nil)
				equal(t, "Sleep", l.Sleep(0), context.Canceled)
			})
			l.Sleep(0)
			v, ok := c.TryRecv()
			task.Cancel()
			if v != 3 || !ok {
				t.Errorf("TryRecv: %v, %v", v, ok)
			}
			task.Wait()
		})
	})
}

// What need not wait works in a cancelled task, but not for ever: it learns of the
// cancel, and the others have their turns.
func TestChanFair(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		mustRun(t, cfg, func(l *ringo.Loop) {
			c := ringo.NewChan[int](1)
			var m ringo.Mutex
			s := ringo.NewSemaphore(1)
			for name, round := range map[string]func() error{
				"Send and Recv": func() error {
					if err := c.Send(1); err != nil {
						return err
					}
					_, err := c.Recv()
					return err
				},
				"TrySend and Recv": func() error {
					c.TrySend(1)
					_, err := c.Recv()
					return err
				},
				"Lock and Unlock": func() error {
					err := m.LockContext(nil)
					if err == nil {
						m.Unlock()
					}
					return err
				},
				"Acquire and Release": func() error {
					err := s.Acquire(nil, 1)
					if err == nil {
						s.Release(1)
					}
					return err
				},
				"Select": func() error {
					one := 1
					if _, err := ringo.Select(ringo.SendFrom(c, &one)); err != nil {
						return err
					}
					_, err := ringo.Select(ringo.RecvInto(c, &one))
					return err
				},
			} {
				var err error
				rounds := 0
				all := func() {
					for err == nil {
						err = round()
						rounds++
					}
				}
				for where, body := range map[string]func(){"a task": all, "an iterator": func() { iterator(all) }} {
					err, rounds = nil, 0
					task := l.Go(body)
					for range 3 {
						l.Sleep(0)
					}
					task.Cancel()
					task.Wait() // it would never end, nor would this task go on
					equal(t, name+" in "+where+", cancelled, at last", err, context.Canceled)
					if rounds < 2 {
						t.Errorf("%s in %s: %d rounds", name, where, rounds)
					}
					c.TryRecv()
				}
			}
		})
	})
}

// When Run ends all, it ends the waits for each other too, on every loop.
func TestRunEndsWaits(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Loops = 2
		enough := errors.New("enough")
		var ended sync.Map
		err := run(t, cfg, func(l *ringo.Loop) error {
			for name, wait := range forever(l) {
				l.Go(func() { ended.Store(fmt.Sprint(name, l.Index()), wait()) })
			}
			l.Sleep(0)
			if l.Index() == 0 {
				return enough
			}
			return l.Sleep(time.Hour)
		})
		equal(t, "Run", err, enough)
		n := 0
		ended.Range(func(name, err any) bool {
			if e, _ := err.(error); !errors.Is(e, context.Canceled) {
				t.Errorf("%v: %v", name, err)
			}
			n++
			return true
		})
		equal(t, "waits", n, 2*len(forever(nil)))
	})
}

// A Chan outlives the Run of its tasks.
func TestChanOutlivesRun(t *testing.T) {
	c := ringo.NewChan[int](1)
	mustRun(t, anyDriver(t), func(l *ringo.Loop) { c.Send(1) })
	mustRun(t, anyDriver(t), func(l *ringo.Loop) {
		v, err := c.Recv()
		equal(t, "what the other Run has sent", v, 1)
		equal(t, "Recv", err, nil)
	})
	c.Send(2)
	v, _ := c.Recv()
	equal(t, "without a Run", v, 2)
	equal(t, "NewChan", panics(func() { ringo.NewChan[int](-1) }), any("ringo: NewChan(-1)"))
}

// What was received is no longer held by the channel.
func TestChanForgets(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		mustRun(t, cfg, func(l *ringo.Loop) {
			c := ringo.NewChan[*[64]int](2)
			gone := make(chan bool, 3)
			send := func() {
				v := new([64]int) // no small thing that shares its memory with others
				addCleanup(v, gone)
				c.Send(v)
			}
			for range 3 {
				l.Go(send)
			}
			l.Sleep(0)
			for range 3 {
				c.Recv()
			}
			l.Sleep(0)
			for range 3 {
				await(t, l, "a received value's end", collect(gone))
			}
		})
	})
}

// The first error of a wait that a timeout has ended comes once: what is sent during
// the block is received in the next.
func TestChanTimeoutLosesNothing(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Loops = 2
		beside(t, cfg, func(l *ringo.Loop) {
			c := ringo.NewChan[int](0)
			const n = 500
			l.Loops()[1].Post(func() {
				for i := range n {
					c.Send(i)
				}
				c.Close()
			})
			var got []int
			for {
				var v int
				err := l.WithTimeout(time.Microsecond, func() (err error) { v, err = c.Recv(); return err })
				if err == ringo.ErrClosed {
					break
				}
				if err == nil {
					got = append(got, v)
				} else if !errors.Is(err, os.ErrDeadlineExceeded) {
					t.Fatal(err)
				}
			}
			want := make([]int, n)
			for i := range want {
				want[i] = i
			}
			if !slices.Equal(got, want) {
				t.Errorf("received %d values, want %d in order", len(got), n)
			}
		})
	})
}
