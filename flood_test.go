package ringo_test

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"ringo"
)

// flooders are ways to have a loop start something: each starts many, and gives how many it was told have run, or will,
// and the error of one that was refused.
var flooders = map[string]func(l *ringo.Loop, s *ringo.Sharded[*counter], fn func()) (taken int, err error){
	"Post": func(l *ringo.Loop, _ *ringo.Sharded[*counter], fn func()) (taken int, err error) {
		for taken < 100 {
			if err = l.Post(fn); err != nil {
				break
			}
			taken++
		}
		return taken, err
	},
	"Go": func(l *ringo.Loop, _ *ringo.Sharded[*counter], fn func()) (taken int, err error) {
		tasks := make([]*ringo.Task, 100)
		for i := range tasks {
			tasks[i] = l.Go(fn)
		}
		for _, task := range tasks {
			if end := task.Wait(); end == nil {
				taken++
			} else {
				err = end
			}
		}
		return taken, err
	},
	"Call": func(l *ringo.Loop, _ *ringo.Sharded[*counter], fn func()) (taken int, err error) {
		if err = l.Call(func() error { fn(); return nil }); err == nil {
			taken++
		}
		return taken, err
	},
	"Shard.Call": func(l *ringo.Loop, s *ringo.Sharded[*counter], fn func()) (taken int, err error) {
		if err = shardOf(s, l.Index()).Call(func(*counter) error { fn(); return nil }); err == nil {
			taken++
		}
		return taken, err
	},
	"posts that post": func(l *ringo.Loop, _ *ringo.Sharded[*counter], fn func()) (taken int, err error) {
		if err = l.Post(func() {
			if l.Post(fn) != nil || l.Go(fn) == nil {
				panic("a task of the loop was refused")
			}
		}); err == nil {
			taken += 2
		}
		return taken, err
	},
}

// A Run that is at its end ends, however fast goroutines start something on its loops: what was taken has run, and who
// was not is told.
func TestEndsUnderAFlood(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		for name, flood := range flooders {
			for _, together := range []bool{false, true} {
				if name == "Shard.Call" && !together {
					continue
				}
				cfg, s := cfg, counters()
				cfg.Budget = 8 // less than comes while a turn lasts
				if together {
					cfg.Loops, cfg.Start = 2, s.Start
				}
				f := newFlood(t, s, flood)
				err := run(t, cfg, func(l *ringo.Loop) error {
					f.begin(l)
					sleepUntil(t, l, "the flood", func() bool { return f.ran.Load() > 1000 })
					return nil
				})
				f.end()
				equal(t, name+": Run", err, nil)
			}
		}
	})
}

// One goroutine is enough, if all that it starts runs until it has started the next one. In a drain it is the same.
// What runs may start more to the last.
func TestEndsUnderAChainOfPosts(t *testing.T) {
	links := map[string]func(l *ringo.Loop, fn func()) (end func() error){
		"Post": func(l *ringo.Loop, fn func()) (end func() error) {
			err := l.Post(fn)
			return func() error { return err }
		},
		"Go":           func(l *ringo.Loop, fn func()) (end func() error) { return l.Go(fn).Wait },
		"GoBackground": func(l *ringo.Loop, fn func()) (end func() error) { return l.GoBackground(fn).Wait },
	}
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		for name, link := range links {
			for _, drains := range []bool{false, true} {
				cfg, s := cfg, counters()
				if drains { // and as loops that end together
					cfg.Loops, cfg.Start = 2, s.Start
				}
				ctx, drain := context.WithCancel(context.Background())
				c := &chain{stop: t.Context().Done(), link: link, asks: make(chan bool), linked: make(chan bool)}
				own := 0
				equal(t, name+": Run", runContext(t, ctx, cfg, func(l *ringo.Loop) error {
					if drains {
						drain()
						l.Draining().Recv()
					}
					if l.Index() > 0 {
						return nil
					}
					c.own = func() error { return l.Post(func() { own++ }) } // also if it is shut to the goroutine
					go c.feed(l)
					c.run()
					return nil
				}), nil)
				equal(t, name+": posts of its own", c.ownErr, nil)
				equal(t, name+": posts of its own that ran", own, c.ran)
				drain()
				close(c.asks)
				last := len(c.ends) - 1
				for i, end := range c.ends {
					if err := end(); (err == nil) != (i < last) || i == last && err != ringo.ErrEnded {
						t.Errorf("%s: %d of %d: %v", name, i, last+1, err)
					}
				}
				equal(t, name+": run of those that were taken", c.ran, last+1) // fn's own among them
			}
		}
	})
}

// chain is functions of which each runs until a goroutine has started the next.
type chain struct {
	stop         <-chan struct{}
	link         func(l *ringo.Loop, fn func()) (end func() error)
	asks, linked chan bool
	ends         []func() error
	ran          int
	own          func() error // what each does then, which is of the loop; nil: nothing
	ownErr       error
}

// run is each of them.
func (c *chain) run() {
	c.ran++
	select { // which holds up the loop
	case c.asks <- true:
		<-c.linked
	case <-c.stop:
	}
	if c.own != nil {
		c.ownErr = errors.Join(c.ownErr, c.own())
	}
}

// feed is the goroutine.
func (c *chain) feed(l *ringo.Loop) {
	for range c.asks {
		c.ends = append(c.ends, c.link(l, c.run))
		c.linked <- true
	}
}

// flood is goroutines that start what they can on loops.
type flood struct {
	t          testing.TB
	s          *ringo.Sharded[*counter]
	flood      func(l *ringo.Loop, s *ringo.Sharded[*counter], fn func()) (int, error)
	stop       atomic.Bool
	taken, ran atomic.Int64
	all        sync.WaitGroup
}

func newFlood(t testing.TB, s *ringo.Sharded[*counter],
	one func(l *ringo.Loop, s *ringo.Sharded[*counter], fn func()) (int, error)) *flood {

	f := &flood{t: t, s: s, flood: one}
	t.Cleanup(func() { f.stop.Store(true) }) // of one that was not refused
	return f
}

// begin has goroutines start something on l until it refuses.
func (f *flood) begin(l *ringo.Loop) {
	const goroutines, ahead = 8, 1000
	for range goroutines {
		f.all.Go(func() {
			for !f.stop.Load() {
				if f.taken.Load()-f.ran.Load() > ahead { // or the memory would be full
					runtime.Gosched()
					continue
				}
				n, err := f.flood(l, f.s, func() { f.ran.Add(1) })
				if f.taken.Add(int64(n)); err != nil {
					equal(f.t, "the error of one that was refused", err, ringo.ErrEnded)
					return
				}
			}
		})
	}
}

// end waits until all have been refused, and compares what was taken with what has run.
func (f *flood) end() {
	f.t.Helper()
	f.all.Wait()
	equal(f.t, "run of those that were taken", f.ran.Load(), f.taken.Load())
}

// As long as a task of a loop waits, or one of another loop that ends with it, whoever posts is served, however often.
func TestTaskKeepsItsLoopOpen(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		for _, together := range []bool{false, true} {
			cfg, s := cfg, counters()
			if together {
				cfg.Loops, cfg.Start = 2, s.Start
			}
			c := &chain{stop: t.Context().Done(), asks: make(chan bool), linked: make(chan bool)}
			c.link = func(l *ringo.Loop, fn func()) (end func() error) {
				err := l.Post(fn)
				return func() error { return err }
			}
			enough := ringo.NewChan[struct{}](1)
			mustRun(t, cfg, func(l *ringo.Loop) {
				if l.Index() == len(l.Loops())-1 {
					l.Go(func() { enough.Recv() })
				}
				if l.Index() > 0 {
					return
				}
				go c.feed(l)
				var run func()
				run = func() {
					if c.ran == 1000 {
						enough.Send(struct{}{})
						return
					}
					c.ran++
					c.asks <- true
					<-c.linked
				}
				link := c.link
				c.link = func(l *ringo.Loop, _ func()) func() error { return link(l, run) }
				run()
			})
			close(c.asks)
			equal(t, "runs", c.ran, 1000)
		}
	})
}
