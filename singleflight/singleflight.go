// Package singleflight makes one call at a time for a key, and gives its result to all callers that ask for the key
// meanwhile, as golang.org/x/sync/singleflight does: when an entry of a cache has expired, its origin is asked once and
// not a thousand times. It parks tasks where that package would stop their loop. Tasks of any loop and ordinary
// goroutines can share a Group.
//
//	var pages singleflight.Group[string, []byte]
//
//	page, _, err := pages.Do(ctx, url, func(ctx context.Context) ([]byte, error) { return fetch(ctx, url) })
//
// The function runs in a task or goroutine of its own. So no caller's context ends the call while others wait: if a
// caller gives up, the call goes on for them.
package singleflight

import (
	"context"
	"fmt"
	"sync"

	"ringo"
	"ringo/internal/caller"
	"ringo/internal/loop"
)

// A Group keeps the calls under way, by their keys. The zero value is ready to use. It must not be copied after its
// first use.
type Group[K comparable, V any] struct {
	mu    sync.Mutex
	calls map[K]*call[V]
}

// call is one that has not ended, or was forgotten, or that callers are just leaving.
type call[V any] struct {
	done    ringo.WaitGroup
	cancel  func()
	waiting int // callers, under the Group's mu
	ended   bool

	// What has come of it, from done on.
	v        V
	err      error
	panicked *ringo.PanicError
	shared   bool // with more than one
}

// errGoexit is the error of a call whose function has ended its goroutine.
var errGoexit = fmt.Errorf("singleflight: %w", ringo.ErrGoexit)

// Do calls fn and returns its result. If a call for the same key is under way, Do does not call fn, but waits for that
// call and returns its result. A task parks meanwhile, a goroutine blocks. shared reports whether several callers got
// the result.
//
// If the first caller is a task, fn runs in a task of its own on that caller's loop, otherwise on a goroutine. Its
// context has the values of the first caller's, and ends when no caller waits any more; waits of fn's task end then,
// too. A drain of that loop's Run waits for fn, as for all tasks, and cancels it when Grace is over; what fn returns
// then goes to all callers that wait. If fn panics, Do panics with a *ringo.PanicError in all of them; if it calls
// runtime.Goexit the error matches ringo.ErrGoexit. fn must not call Do with its own key: it would wait for itself.
//
// Do also returns when ctx is done, and to a task when it is cancelled or its Loop.WithTimeout or WithContext ends,
// with the same errors as ringo.Mutex.LockContext; the call goes on as long as others wait for it. If ctx is already
// done it begins no call. A nil ctx never ends. It panics if fn is nil. Any goroutine may call it.
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

// Forget makes the next Do for a key call its function, even if a call is under way. Callers that wait for that call
// still get its result. It does not wait. Any goroutine may call it.
func (g *Group[K, V]) Forget(key K) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.calls, key)
}

// forget has others begin a call in place of c. The caller holds the lock.
func (g *Group[K, V]) forget(key K, c *call[V]) {
	if g.calls[key] == c {
		delete(g.calls, key)
	}
}

// join makes the caller one of those that wait for a call, which may be a new one.
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
		if key == key { // NaN is not, and a map could not forget it
			g.calls[key] = c
		}
		c.cancel = caller.Begin(ctx, func(ctx context.Context) { g.run(ctx, key, c, fn) })
	}
	c.waiting++
	return c, nil
}

// run runs the function, and lets those go that wait.
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
