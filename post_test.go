package ringo_test

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"ringo"
)

// The posts of one sender start in order, whatever the others do.
func TestPostOrder(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		const senders, each = 8, 5000
		var next [senders + 1]int // by sender; touched by the loop's tasks only
		wrong := 0
		mustRun(t, cfg, func(l *ringo.Loop) {
			send := func(sender int) {
				for i := range each {
					if err := l.Post(func() {
						if next[sender] != i {
							wrong++
						}
						next[sender]++
					}); err != nil {
						t.Error(err)
					}
					if i%100 == 0 {
						runtime.Gosched()
					}
				}
			}
			l.Go(func() { send(senders) }) // the loop's own
			l.Offload(func(context.Context) error {
				var wg sync.WaitGroup
				for sender := range senders {
					wg.Go(func() { send(sender) })
				}
				wg.Wait()
				return nil
			})
		})
		if wrong > 0 {
			t.Errorf("%d posts out of order", wrong)
		}
		for sender, n := range next {
			if n != each {
				t.Errorf("%d of %d posts of sender %d ran", n, each, sender)
			}
		}
	})
}

// What was accepted runs, also if the loop has nothing else to live for.
func TestAcceptedPostsRun(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		depth := 0
		mustRun(t, cfg, func(l *ringo.Loop) {
			var again func()
			again = func() {
				if depth++; depth < 1000 {
					if err := l.Post(again); err != nil {
						t.Error(err)
					}
				}
			}
			l.Post(again)
		})
		equal(t, "posts that ran, each made by the last", depth, 1000)
	})
}

// Also if it was accepted at the very end.
func TestPostsAtTheEnd(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Loops = 1
		for round := range 200 {
			var accepted, ran atomic.Int64
			loops, done := make(chan *ringo.Loop, 1), make(chan struct{})
			go func() {
				defer close(done)
				for l, n := <-loops, 1; l.Post(func() { ran.Add(1) }) == nil; n++ {
					accepted.Add(1)
					for range n * (100 + round) { // slower and slower, until the loop runs dry
						runtime.KeepAlive(l)
					}
				}
			}()
			mustRun(t, cfg, func(l *ringo.Loop) { loops <- l })
			<-done
			if accepted.Load() != ran.Load() {
				t.Fatalf("round %d: %d posts accepted, %d ran", round, accepted.Load(), ran.Load())
			}
		}
	})
}
