// Package singleflight makes one call at a time for a key, and gives its result to all callers that ask for the key
// meanwhile, as golang.org/x/sync/singleflight does. When an entry of a cache has expired, for example, its origin is
// asked once and not a thousand times. It parks tasks where that package would stop their loop. Tasks of any loop and
// ordinary goroutines can share a Group.
//
//	var pages singleflight.Group[string, []byte]
//
//	page, _, err := pages.Do(ctx, url, func(ctx context.Context) ([]byte, error) { return fetch(ctx, url) })
//
// The function runs in a task or goroutine of its own. So the end of one caller's context does not end the call while
// others wait: if a caller gives up, the call goes on for the others.
package singleflight

import (
	"context"
	"fmt"
	"sync"

	"ringo"
	"ringo/internal/caller"
	"ringo/internal/loop"
)

// A Group has the calls in progress, by their keys. The zero value is ready to use. It must not be copied after its
// first use.
type Group[K comparable, V any] struct {
	mu    sync.Mutex
	calls map[K]*call[V]
}

// call is a call of fn. It may have ended, or been forgotten, while callers are still leaving it.
type call[V any] struct {
	done    ringo.WaitGroup
	cancel  func()
	waiting int // callers that wait; guarded by the Group's mu
	ended   bool

	// The result, valid once done is.
	v        V
	err      error
	panicked *ringo.PanicError
	shared   bool // several callers got the result
}

// errGoexit is the error of a call whose function called runtime.Goexit.
var errGoexit = fmt.Errorf("singleflight: %w", ringo.ErrGoexit)

// Do calls fn and returns its result. If a call for the same key is in progress, Do does not call fn, but waits for
// that call and returns its result. A task parks meanwhile, a goroutine blocks. shared reports whether several callers
// got the result.
//
// If the first caller is a task, fn runs in a task of its own on that caller's loop, otherwise on a goroutine. Its
// context has the values of the first caller's, and ends once no caller waits; waits of fn's task end then, too. A
// drain of that loop's Run waits for fn, as for all tasks, and cancels it when Grace is over; the result that fn then
// returns goes to all callers that wait. If fn panics, Do panics with a *ringo.PanicError in all of them; if no caller
// waits, the panic goes on in fn's task or goroutine. If fn calls runtime.Goexit, the error matches ringo.ErrGoexit. fn
// must not call Do with its own key: it would wait for itself.
//
// Do also returns when ctx is done, and to a task when it is cancelled or its Loop.WithTimeout or WithContext ends,
// with the same errors as ringo.Mutex.LockContext. The call goes on as long as others wait for it. If ctx is already
// done Do begins no call. A nil ctx never ends. It panics if fn is nil. Any goroutine may call it.
func (g *Group[K, V]) Do(ctx context.Context, key K, fn func(ctx context.Context) (V, error)) (v V, shared bool,
	err error) {
	if fn == nil {
		panic("singleflight: Group.Do of a nil function")
	}
	c, err := g.join(ctx, key, fn)
	if err != nil {
		return v, false, err
	}
	err = c.done.WaitContext(ctx)
	g.mu.Lock()
	c.waiting--
	given := c.ended
	if !given && c.waiting == 0 {
		g.forget(key, c)
		defer c.cancel()
	}
	g.mu.Unlock()
	switch {
	case err != nil && !given:
		return v, false, err
	case c.panicked != nil:
		panic(c.panicked)
	}
	return c.v, c.shared, c.err
}

// Forget makes the next Do for a key call its function, even if a call is in progress. Callers that wait for that call
// still get its result. It does not wait. Any goroutine may call it.
func (g *Group[K, V]) Forget(key K) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.calls, key)
}

// forget removes c, so that the next Do for the key begins another call. The caller holds the lock.
func (g *Group[K, V]) forget(key K, c *call[V]) {
	if g.calls[key] == c {
		delete(g.calls, key)
	}
}

// join makes the caller wait for the call of its key, and begins a call if there is none.
func (g *Group[K, V]) join(ctx context.Context, key K, fn func(context.Context) (V, error)) (*call[V], error) {
	if ctx != nil && ctx.Err() != nil {
		return nil, loop.ContextError(ctx)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	c := g.calls[key]
	if c == nil {
		c = new(call[V])
		c.done.Add(1)
		if g.calls == nil {
			g.calls = map[K]*call[V]{}
		}
		if key == key { // a map entry for NaN, which does not equal itself, could not be deleted
			g.calls[key] = c
		}
		c.cancel = caller.Begin(ctx, func(ctx context.Context) { g.run(ctx, key, c, fn) })
	}
	c.waiting++
	return c, nil
}

// run calls the function, and ends the wait of the callers.
func (g *Group[K, V]) run(ctx context.Context, key K, c *call[V], fn func(context.Context) (V, error)) {
	c.err = errGoexit
	defer func() {
		v := recover()
		c.panicked = caller.Panic(v, "singleflight")
		g.mu.Lock()
		c.ended = true
		g.forget(key, c)
		unheard := c.waiting == 0
		c.shared = c.waiting > 1
		g.mu.Unlock()
		c.done.Done()
		if v != nil && unheard {
			panic(v)
		}
	}()
	c.v, c.err = fn(ctx)
}
