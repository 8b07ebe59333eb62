package ringo_test

import (
	"context"
	"testing"
	"time"

	"ringo"
	"ringo/internal/test/alloctest"
)

// wantAllocs asserts how many allocations one call of f makes in steady state, f
// being called in a task.
func wantAllocs(t *testing.T, what string, want float64, f func()) {
	best := alloctest.Least(500, want+0.01, f)
	t.Logf("%s: %.3f allocations", what, best)
	if best > want+0.01 {
		t.Errorf("%s: %.3f allocations, want %v", what, best, want)
	}
}

func TestAllocs(t *testing.T) {
	skipUnderRace(t)
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.StallLimit = -1
		cfg.Loops = 2
		beside(t, cfg, func(l *ringo.Loop) {
			wantAllocs(t, "Sleep", 0, func() { l.Sleep(0) })
			wantAllocs(t, "Sleep that waits", 0, func() { l.Sleep(time.Nanosecond) })

			// Two tasks that only take turns: a park and a resume each.
			stop := false
			other := l.Go(func() {
				for !stop {
					l.Sleep(0)
				}
			})
			wantAllocs(t, "park and resume", 0, func() { l.Sleep(0) })
			stop = true
			other.Wait()

			l.WithClass(ringo.NewClass("class", 10), func() error {
				wantAllocs(t, "Yield in a class", 0, l.Yield)
				wantAllocs(t, "Sleep that waits, in a class", 0, func() { l.Sleep(time.Nanosecond) })
				return nil
			})
			wantAllocs(t, "NeedYield", 0, func() { l.NeedYield() })
			none := func() error { return nil }
			values := context.WithValue(context.Background(), valueKey("a"), 1)
			wantAllocs(t, "WithContext of values", 0, func() { l.WithContext(values, none) })
			tells := &telling{Context: values, stops: true}
			tells.stop = tells.stopped
			wantAllocs(t, "WithContext of one that tells", 0, func() { l.WithContext(tells, none) })

			nothing := func() {}
			wantAllocs(t, "Post", 0, func() { l.Post(nothing); l.Sleep(0) })
			ran := 0
			park := func() { l.Sleep(0); ran++ }
			wantAllocs(t, "Post of what parks", 0, func() {
				for ran = 0; ran == 0; l.Sleep(0) {
					l.Post(park)
				}
			})
			wantAllocs(t, "Go and Wait, but the Task", 1, func() { l.Go(nothing).Wait() })
			wantAllocs(t, "AfterFunc, but the Timer", 1, func() { l.AfterFunc(0, nothing); l.Sleep(0) })

			timer := l.AfterFunc(time.Hour, nothing)
			hour := time.Hour
			wantAllocs(t, "Reset", 0, func() { hour++; timer.Reset(hour) })
			wantAllocs(t, "Stop and Reset", 0, func() { timer.Stop(); timer.Reset(hour) })
			timer.Stop()

			wantAllocs(t, "Now, Index", 0, func() { _, _ = l.Now(), l.Index() })
			wantAllocs(t, "Info, but its Ways", 1, func() { _ = l.Info() })

			neighbour := l.Loops()[1]
			var back func()
			here := make([]bool, 1)
			back = func() { here[0] = true }
			there := func() { l.Post(back) }
			wantAllocs(t, "Post to another loop and back", 0, func() {
				here[0] = false
				neighbour.Post(there)
				for !here[0] {
					l.Sleep(0)
				}
			})
		})
	})
}

// What tasks wait for together costs no memory, with those of their own loop, of
// another one, and with goroutines.
func TestAllocsTogether(t *testing.T) {
	skipUnderRace(t)
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.StallLimit = -1
		cfg.Loops = 2
		beside(t, cfg, func(l *ringo.Loop) {
			for where, begin := range map[string]func(func()){
				"this loop":    func(f func()) { l.Post(f) },
				"another loop": func(f func()) { l.Loops()[1].Post(f) },
				"a goroutine":  func(f func()) { go f() },
			} {
				there, back := ringo.NewChan[int](0), ringo.NewChan[int](0)
				echo := func() {
					for {
						v, err := there.Recv()
						if err != nil || back.Send(v) != nil {
							return
						}
					}
				}
				begin(echo)
				wantAllocs(t, "Send and Recv, with "+where, 0, func() { there.Send(1); back.Recv() })
				v := 0
				cases := []ringo.Case{ringo.RecvInto(there, &v), ringo.RecvInto(back, &v)}
				n, contexts := 0, []context.Context{nil, context.Background(), l.Context()}
				wantAllocs(t, "SendContext, RecvContext and SelectContext, with "+where, 0, func() {
					ctx := contexts[n%3]
					there.SendContext(ctx, 1)
					if n++; n%2 == 0 {
						back.RecvContext(ctx)
					} else {
						ringo.SelectContext(ctx, cases[1:]...)
					}
				})
				wantAllocs(t, "Select, with "+where, 0, func() { there.Send(1); ringo.Select(cases[1:]...) })
				there.Close()

				var m ringo.Mutex
				c, turn, over := ringo.NewCond(&m), 0, false
				flip := func(mine int) bool {
					m.Lock()
					defer m.Unlock()
					for turn != mine && !over {
						c.Wait()
					}
					turn = 1 - mine
					c.Signal()
					return !over
				}
				begin(func() {
					for flip(1) {
					}
				})
				wantAllocs(t, "Lock, Wait and Signal, with "+where, 0, func() { flip(0) })
				m.Lock()
				over = true
				c.Broadcast()
				m.Unlock()
			}
			s := ringo.NewSemaphore(3)
			wantAllocs(t, "Acquire and Release", 0, func() { s.Acquire(nil, 2); s.Release(2) })
			var m ringo.Mutex
			waits := l.Context()
			m.Lock()
			holder := l.Go(func() { // hands the lock to whoever waits
				for m.LockContext(nil) == nil {
					l.Sleep(0)
					m.Unlock()
				}
			})
			wantAllocs(t, "LockContext that waits", 0, func() { m.Unlock(); m.LockContext(waits) })
			holder.Cancel()
			m.Unlock()
			holder.Wait()
			var rw ringo.RWMutex
			wantAllocs(t, "RWMutex.Lock", 0, func() { rw.Lock(); rw.Unlock() })
			wantAllocs(t, "RWMutex.RLock", 0, func() { rw.RLock(); rw.RUnlock() })
			rw.RLock()
			writer := l.Go(func() {
				for rw.LockContext(nil) == nil {
					l.Sleep(0)
					rw.Unlock()
				}
			})
			wantAllocs(t, "RLockContext that waits", 0, func() { rw.RUnlock(); rw.RLockContext(waits) })
			writer.Cancel()
			rw.RUnlock()
			writer.Wait()
			var last ringo.Watch[int]
			following := l.Go(func() {
				for at, err := uint64(0), error(nil); err == nil; {
					_, at, err = last.Next(nil, at)
				}
			})
			wantAllocs(t, "Watch, set and waited for", 0, func() { last.Set(1); l.Sleep(0) })
			following.Cancel()
			following.Wait()
			all := ringo.NewBroadcast[int](4)
			mine := all.Subscribe()
			receiving := l.Go(func() {
				for others := all.Subscribe(); ; {
					if _, err := others.Recv(nil); err != nil {
						return
					}
				}
			})
			wantAllocs(t, "Broadcast", 0, func() { all.Publish(1); l.Sleep(0); mine.Recv(nil) })
			receiving.Cancel()
			receiving.Wait()
			meet := ringo.NewBarrier(2)
			meeting := l.Go(func() {
				for err := error(nil); err == nil; {
					_, err = meet.Wait(nil)
				}
			})
			wantAllocs(t, "Barrier", 0, func() { meet.Wait(nil) })
			meeting.Cancel()
			meeting.Wait()
			var once ringo.Once
			nothing := func() {}
			wantAllocs(t, "Once.Do", 0, func() { once.Do(nothing) })
			var g ringo.WaitGroup
			done := func() { g.Done() }
			wantAllocs(t, "WaitGroup", 0, func() { g.Add(1); l.Post(done); g.Wait() })
			wantAllocs(t, "WaitContext", 0, func() { g.Add(1); l.Post(done); g.WaitContext(waits) })
			tick := l.NewTicker(time.Microsecond)
			wantAllocs(t, "Ticker", 0, func() { tick.C.Recv() })
			tick.Stop()
			nap := func() error { return l.Sleep(0) }
			own := l.Context()
			wantAllocs(t, "WithContext, of its own and of none that ends", 0, func() {
				l.WithContext(own, nap)
				l.WithContext(nil, nap)
				l.WithContext(context.Background(), nap)
			})
			wantAllocs(t, "Yield", 0, l.Yield)
			wantAllocs(t, "WithTimeout", 0, func() { l.WithTimeout(time.Hour, nap) })
			wantAllocs(t, "WithTimeout that passes", 0, func() { l.WithTimeout(0, nap) })
		})
	})
}

// What a goroutine posts to a sleeping loop costs neither of them memory.
func TestAllocsFromOutside(t *testing.T) {
	skipUnderRace(t)
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.StallLimit = -1
		mustRun(t, cfg, func(l *ringo.Loop) {
			l.Offload(func(context.Context) error {
				ran := make(chan struct{}, 1)
				post := func() { ran <- struct{}{} }
				wantAllocs(t, "Post from outside", 0, func() { l.Post(post); <-ran })
				return nil
			})
		})
	})
}
