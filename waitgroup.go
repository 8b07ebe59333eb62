package ringo

import (
	"context"
	"fmt"
	"sync"

	"ringo/internal/loop"
	"ringo/internal/rt/code"
)

// WaitGroup waits for a number of tasks and goroutines to end, as sync.WaitGroup does,
// which would stop the loop of a task that waits. Tasks of any loop and ordinary
// goroutines may use one together. The zero value waits for none. It must not be copied
// after its first use, and may be used again when all have ended.
//
// Errors, and a cancel of the others, are a Group's.
type WaitGroup struct {
	mu      sync.Mutex
	n       int
	waiting line[struct{}]
	spare   waiterPool[struct{}]
}

// Go runs fn, which counts until it ends, by a panic or runtime.Goexit too: called by a
// task, as a task of the same loop; otherwise on a goroutine. It does not wait. Any
// goroutine may call it.
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

// Add adds n, which may be negative, to the number that is waited for. At 0 callers
// that wait go on. It panics below. It does not wait. As with sync, an Add from 0 on comes
// before the Wait that is to count it. Any goroutine may call it.
func (g *WaitGroup) Add(n int) {
	if g == nil {
		panic(ofNil("WaitGroup.Add"))
	}
	g.mu.Lock()
	if g.n+n < 0 {
		was := g.n
		g.mu.Unlock()
		panic(fmt.Sprintf("ringo: WaitGroup.Add(%d) with %d that are waited for", n, was))
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

// Wait waits until the number is 0: a task parks, a goroutine blocks. Nothing else ends
// it: a cancelled task waits on. Any goroutine may call it.
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

// WaitContext is Wait that ends, too, when ctx is done, or when the caller is a task that
// is cancelled or whose Loop.WithTimeout or WithContext is over. The error is as that of
// Mutex.LockContext; what was waited for goes on. Any goroutine may call it.
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
