package proxy

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"ringo"
)

// waitersMax bounds the clients that wait for a group's upstreams. Once as many wait, join fails with errFull at once.
const waitersMax = 1024

// waitStep is how often a waiting task wakes up to see whether its client has gone, and whether time has made an
// upstream due for a trial, which nothing else reports.
const waitStep = 250 * time.Millisecond

// errFull is the error of a connection or request that got no upstream since all were at their max.
var errFull = errors.New("all upstreams have their max")

// A waiter is a place in the queue of an upstreams: a client's connection or request that waits for an upstream with
// room.
type waiter struct {
	client string
	tried  []*upstream
	got    *ringo.Chan[*upstream] // capacity 1, so that serve never blocks
}

// await is take, but parks if all upstreams that are left are at their max, in order of arrival and for -dial at most.
// The wait also ends with ctx, or when the peer of from resets; from may be nil. Without an upstream and an error, none
// was left to wait for. Only tasks of the loop call it.
func (r *relay) await(ctx context.Context, l *ringo.Loop, us *upstreams, client string, tried []*upstream, from *end) (
	*upstream, error) {
	u := us.take(client, tried)
	if u != nil {
		return u, nil
	}
	w, err := us.join(client, tried)
	if w == nil {
		return nil, err
	}
	r.waiting.Add(1)
	defer r.waiting.Add(-1)
	for until := l.Now().Add(r.o.dial); ; {
		err := l.WithTimeout(min(waitStep, until.Sub(l.Now())), func() (err error) {
			u, err = w.got.RecvContext(ctx)
			return err
		})
		switch {
		case err == nil:
			return u, nil
		case ctx.Err() != nil:
			err = ctx.Err()
		case !isTimeout(err):
		case from != nil && from.isReset():
			err = errGone
		case l.Now().Before(until):
			us.look()
			continue
		default:
			err = fmt.Errorf("%w, for %v", errFull, r.o.dial)
		}
		if us.part(w) {
			return nil, err
		}
		u, _ = w.got.TryRecv() // it was given meanwhile
		return u, nil
	}
}

// errGone is the error of a connection whose client went away while it waited for an upstream.
var errGone = errors.New("the client has gone")

// join appends a client to the queue. It returns nil and no error if there is nothing to wait for: every upstream was
// tried, or is out and not due for a trial.
func (us *upstreams) join(client string, tried []*upstream) (*waiter, error) {
	us.mu.Lock()
	defer us.mu.Unlock()
	if !slices.ContainsFunc(us.all, func(u *upstream) bool { return us.isCandidate(u, tried) }) {
		return nil, nil
	}
	if len(us.queue) >= waitersMax {
		return nil, fmt.Errorf("%w, and %d others wait", errFull, waitersMax)
	}
	w := &waiter{client, tried, ringo.NewChan[*upstream](1)}
	us.queue = append(us.queue, w)
	us.serve() // room may have come since the caller looked
	return w, nil
}

// part removes w from the queue. It returns false if w is no longer in it: serve has given it an upstream.
func (us *upstreams) part(w *waiter) bool {
	us.mu.Lock()
	defer us.mu.Unlock()
	i := slices.Index(us.queue, w)
	if i < 0 {
		return false
	}
	us.queue = slices.Delete(us.queue, i, i+1)
	return true
}

// look is serve for callers that don't hold mu.
func (us *upstreams) look() {
	us.mu.Lock()
	defer us.mu.Unlock()
	us.serve()
}

// serve gives waiters upstreams that have room, in order of arrival, until there are none. A waiter that has already
// tried all those with room keeps its place, and later ones go first. serve runs whenever room may have come, so that
// newcomers never get an upstream that a waiter could have. The caller holds mu.
func (us *upstreams) serve() {
	for i := 0; i < len(us.queue) && len(us.candidates(nil)) > 0; {
		w := us.queue[i]
		u := us.give(w.client, w.tried)
		if u == nil {
			i++
			continue
		}
		us.queue = slices.Delete(us.queue, i, i+1)
		w.got.TrySend(u)
	}
}
