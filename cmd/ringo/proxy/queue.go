package proxy

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"ringo"
)

// waitersMax bounds those that wait for an upstream with room. What is more is told so at once.
const waitersMax = 1024

// waitStep is how often who waits looks whether its client has gone, and whether an upstream may be tried again.
const waitStep = 250 * time.Millisecond

// errFull is that of a connection, or request, that has waited in vain.
var errFull = errors.New("all upstreams have their max")

// A waiter is a client that waits until an upstream has room.
type waiter struct {
	client string
	tried  []*upstream
	got    *ringo.Chan[*upstream] // has room for one
}

// await is take, but waits, for -dial at most, if those that are left have no room: in order of arrival, until ctx ends
// or from, which may be nil, is reset. Without an error and an upstream, none is left. It is for tasks of the loop.
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

// errGone is that of a client that has gone while it waited.
var errGone = errors.New("the client has gone")

// join has a client wait; nil: there is nothing to wait for.
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
	us.serve() // there may be room since the caller has looked
	return w, nil
}

// part ends a wait; false: it was given an upstream.
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

// look gives those that wait what there is.
func (us *upstreams) look() {
	us.mu.Lock()
	defer us.mu.Unlock()
	us.serve()
}

// serve gives those that wait what there is, as long as there is something, to the first first. One that has tried what
// has room lets others pass. It runs whenever there may be room, so that who comes later finds none that these could
// have. mu is held.
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
