package ringo

import "sync/atomic"

// A Once runs a function once, as sync.Once does, and parks tasks that call it meanwhile. Tasks of any loop and
// ordinary goroutines can share one. The zero value has run nothing. It must not be copied after its first use.
type Once struct {
	done atomic.Bool
	m    Mutex
}

// Do runs fn, unless a Do of the same Once has run a function before. It returns once that function has ended: a task
// that calls Do meanwhile parks, a goroutine blocks, and nothing else ends the wait. A function that panics counts as
// run. A fn that calls Do itself waits for ever. Any goroutine may call it.
func (o *Once) Do(fn func()) {
	if o == nil {
		panic(ofNil("Once.Do"))
	}
	wantFunc(fn != nil, "Once.Do")
	if o.done.Load() {
		return
	}
	o.m.Lock()
	defer o.m.Unlock()
	if !o.done.Load() {
		defer o.done.Store(true)
		fn()
	}
}

// OnceFunc returns a function that runs fn at its first call, as sync.OnceFunc does. Concurrent calls wait, as in
// Once.Do. If fn panics, each call panics with the same value. Any goroutine may call it.
func OnceFunc(fn func()) func() {
	wantFunc(fn != nil, "OnceFunc")
	get := OnceValue(func() struct{} { fn(); return struct{}{} })
	return func() { get() }
}

// OnceValue returns a function that runs fn at its first call and returns fn's result, as sync.OnceValue does.
// Concurrent calls wait, as in Once.Do. If fn panics, each call panics with the same value. Any goroutine may call it.
func OnceValue[T any](fn func() T) func() T {
	wantFunc(fn != nil, "OnceValue")
	get := OnceValues(func() (T, struct{}) { return fn(), struct{}{} })
	return func() T {
		v, _ := get()
		return v
	}
}

// OnceValues is OnceValue for functions that return two values, usually a value and an error.
func OnceValues[T, U any](fn func() (T, U)) func() (T, U) {
	wantFunc(fn != nil, "OnceValues")
	c := new(struct {
		once  Once
		fn    func() (T, U)
		whole bool // fn has returned
		why   any  // what calls panic with if fn has not returned
		v     T
		u     U
	})
	c.fn = fn
	run := func() {
		defer func() {
			c.fn = nil // frees what fn refers to
			if c.whole {
				return
			}
			if c.why = recover(); c.why != nil {
				panic(c.why)
			}
			c.why = "ringo: the function of a OnceValue called runtime.Goexit"
		}()
		c.v, c.u = c.fn()
		c.whole = true
	}
	return func() (T, U) {
		if c.once.Do(run); !c.whole {
			panic(c.why)
		}
		return c.v, c.u
	}
}
