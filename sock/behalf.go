package sock

import (
	"context"
	"errors"
	"fmt"
	"net"

	"ringo"
	"ringo/internal/dial"
	"ringo/internal/loop"
	"ringo/internal/posix"
)

// errNoLoop is the error of calls that are to make something on a loop, and get nil.
var errNoLoop = fmt.Errorf("%w: the *ringo.Loop is nil", posix.EINVAL)

// onBehalf runs fn in a new task of l, and waits for its end in any case. The end of ctx, and a cancel or timeout of
// the caller, cancel that task; then the error says why. fail wraps the error if fn returned none: there is no loop, it
// has ended, or fn panicked. G, parks.
func onBehalf(ctx context.Context, l *loop.Loop, fail func(error) error, fn func() error) (err error) {
	if l == nil {
		return fail(errNoLoop)
	}
	t := l.Go(func() { err = fn() })
	stop := l.World().AfterContext(ctx, t.Cancel)
	end := t.WaitAsClient()
	ended := !stop()
	switch client, _ := loop.Current(); {
	case end != nil:
		return fail(end)
	case !errors.Is(err, context.Canceled):
	case ended:
		return because(err, dial.Ended(ctx))
	case client != nil && client.Canceled():
		return because(err, client.Cause())
	}
	return err
}

// because returns a copy of an error of package net's shape with another cause. That of a look-up keeps the name.
func because(err, cause error) error {
	if e, ok := err.(*net.OpError); ok {
		because := *e
		because.Err = cause
		var dns *net.DNSError
		if errors.As(e.Err, &dns) {
			because.Err = dial.LookupEnded(dns.Name, cause)
		}
		return &because
	}
	return err
}

// madeOn returns what make makes in a task of the loop. The caller itself runs make if it is a task of l and ctx can't
// end; otherwise a task of l does on its behalf. What is made for a foreign caller is detached. G, parks.
func madeOn[C interface{ detach() }](ctx context.Context, l *ringo.Loop, fail func(error) error,
	make func() (C, error)) (c C, err error) {
	e := (*loop.Loop)(l)
	own := e.IsCurrent()
	if own && ctx.Done() == nil {
		return make()
	}
	err = onBehalf(ctx, e, fail, func() (err error) {
		if c, err = make(); err == nil && !own {
			c.detach()
		}
		return err
	})
	return c, err
}

// onOwner runs fn in a task of l, which is the caller if that is one. G, parks.
func onOwner(l *loop.Loop, fn func() error) error {
	switch {
	case l.IsCurrent():
		return fn()
	case l == nil:
		return errEnded // of a zero value
	}
	return onBehalf(context.Background(), l, func(err error) error {
		if err == ringo.ErrEnded {
			return errEnded
		}
		return err
	}, fn)
}
