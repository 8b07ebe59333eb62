package ringo

import (
	"context"
	"fmt"
	"sync"

	"ringo/internal/loop"
	"ringo/internal/rt/code"
)

// A WaitGroup waits for a number of tasks and goroutines to end, like sync.WaitGroup, which would stop the loop of a
// task that waits. Tasks of any loop and ordinary goroutines can share one. The zero value has nothing to wait for. It
// must not be copied after its first use, and can be reused once all have ended.
//
// To collect errors, or cancel the others, use a Group.
type WaitGroup struct {
	mu      sync.Mutex
	n       int
	waiting line[struct{}]
	spare   waiterPool[struct{}]
}

// Go runs fn and counts it until it ends, even by a panic or runtime.Goexit. If the caller is a task, fn runs as a task
// of the same loop, otherwise on a goroutine. Go does not wait. Any goroutine may call it.
func (g *WaitGroup) Go(fn func()) {
	wantFunc(fn != nil, "WaitGroup.Go")
	g.Add(1)
	counted := func() {
		defer g.Done()
		fn()
	}
	if l, _ := loop.Current(); l != nil {
		l.Go(func() {
			l.RunsFor(code.Of(fn))
			counted()
		})
		return
	}
	go counted()
}

// Add adds n, which may be negative, to the counter. When the counter reaches 0, waiting callers go on; Add panics if
// it would fall below 0. It does not wait. As with sync.WaitGroup, an Add when the counter is 0 must come before the
// Wait that is meant to wait for it. Any goroutine may call it.
func (g *WaitGroup) Add(n int) {
	if g == nil {
		panic(ofNil("WaitGroup.Add"))
	}
	g.mu.Lock()
	if g.n+n < 0 {
		was := g.n
		g.mu.Unlock()
		panic(fmt.Sprintf("ringo: WaitGroup.Add(%d) with a counter of %d", n, was))
	}
	g.n += n
	var all claimedWaiters[struct{}]
	if g.n == 0 {
		all = g.waiting.claimAll()
	}
	g.mu.Unlock()
	all.wake()
}

// Done is Add(-1).
func (g *WaitGroup) Done() { g.Add(-1) }

// Wait waits until the counter is 0: a task parks, a goroutine blocks. Nothing else ends the wait: a cancelled task
// keeps waiting. Any goroutine may call it.
func (g *WaitGroup) Wait() {
	if g == nil {
		panic(ofNil("WaitGroup.Wait"))
	}
	loop.ChargeAndYield()
	g.mu.Lock()
	if g.n > 0 {
		g.waiting.waitOn(&g.mu, &g.spare, struct{}{}, "WaitGroup.Wait", nil)
	}
	g.mu.Unlock()
}

// WaitContext is like Wait, but also returns when ctx is done, and to a task when it is cancelled or its
// Loop.WithTimeout or WithContext ends. The errors are those of Mutex.LockContext. The tasks and goroutines that it
// waited for are not affected. Any goroutine may call it; a task parks.
func (g *WaitGroup) WaitContext(ctx context.Context) error {
	if g == nil {
		return ofNil("WaitGroup.WaitContext")
	}
	if err := chargeIn(ctx); err != nil {
		return err
	}
	var err error
	g.mu.Lock()
	if g.n > 0 {
		_, err = g.waiting.wait(ctx, &g.mu, &g.spare, struct{}{}, "WaitGroup.Wait", nil)
	}
	g.mu.Unlock()
	return err
}
