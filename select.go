package ringo

import (
	"context"

	"ringo/internal/loop"
)

// A Case is one send or receive of a Select; RecvInto and SendFrom make it. It is a value and can be reused. The zero
// Case never proceeds: use it to turn a case off.
type Case struct {
	ch   selectable
	elem any // *T
	send bool
}

// RecvInto returns a case that receives a value from c into *v. The Select owns *v until it returns, and leaves it
// unchanged if another case proceeds. If c is nil the case never proceeds. It panics if v is nil and c is not.
func RecvInto[T any](c *Chan[T], v *T) Case {
	if c == nil {
		return Case{}
	}
	wantElem(v != nil, "RecvInto")
	return Case{ch: c, elem: v}
}

// SendFrom returns a case that sends *v to c, with the value that *v has when Select is called. If c is nil the case
// never proceeds. It panics if v is nil and c is not.
func SendFrom[T any](c *Chan[T], v *T) Case {
	if c == nil {
		return Case{}
	}
	wantElem(v != nil, "SendFrom")
	return Case{ch: c, elem: v, send: true}
}

// wantElem panics if a case is made without a variable: otherwise Select would panic, while it holds its channels'
// locks.
func wantElem(given bool, call string) {
	if !given {
		panic("ringo: " + call + " with a nil pointer to the value")
	}
}

// selectable is a Chan of any element type, as Select uses it.
type selectable interface {
	order() uint64
	lock()
	unlock()
	// attempt sends or receives if it can do so without waiting. who, if not nil, is the Parker that the caller of
	// attempt wakes after unlocking. The caller holds the lock.
	attempt(send bool, elem any) (who *loop.Parker, done bool, err error)
	// place returns a new place for a case, and the Parker in it. stand puts that place in line, with the Parker of the
	// whole Select; the caller holds the lock. leave takes the place out, and stores the value that it got if the case
	// was chosen.
	place(which int) (in any, own *loop.Parker)
	stand(send bool, elem, in any, p *loop.Parker)
	leave(send bool, elem, in any, chosen bool) error
}

// Select waits until one of the cases can proceed, and returns its index; a task parks. If several can, it picks one at
// random. The error is ErrClosed if that case's channel is closed. If a cancel, a Loop.WithTimeout or a WithContext
// ends a task's wait, the index is -1 and no case has proceeded. Any goroutine may call it.
//
//	var req Request
//	var done struct{}
//	cases := []ringo.Case{ringo.RecvInto(requests, &req), ringo.RecvInto(quit, &done)}
//	for {
//		i, err := ringo.Select(cases...)
//		…
//	}
//
// Select does not allocate for up to eight cases. Variables that cases refer to are on the heap, so declare them
// outside the loop.
func Select(cases ...Case) (int, error) {
	if err := loop.ChargeAndYield(); err != nil {
		return -1, err
	}
	var room [casesMax]place
	s := sorted(cases, room[:0])
	lockAll(s)
	i, who, err := attempt(cases, s)
	if i < 0 {
		return wait(noContext, cases, s)
	}
	unlockAll(s)
	if who != nil {
		who.Wake()
	}
	return i, err
}

// SelectContext is like Select, but also returns when ctx is done, with -1 and the same errors as Mutex.LockContext. If
// ctx is already done, no case proceeds. A nil ctx never ends. Any goroutine may call it; a task parks.
func SelectContext(ctx context.Context, cases ...Case) (int, error) {
	if err := chargeIn(ctx); err != nil {
		return -1, err
	}
	var room [casesMax]place
	s := sorted(cases, room[:0])
	lockAll(s)
	i, who, err := attempt(cases, s)
	if i < 0 {
		return wait(ctx, cases, s)
	}
	unlockAll(s)
	if who != nil {
		who.Wake()
	}
	return i, err
}

// wait waits for one of the cases, none of which can proceed now. The caller holds the locks, and wait unlocks them.
func wait(ctx context.Context, cases []Case, s []place) (i int, err error) {
	l, t := loop.Current()
	if l != nil && l.Canceled() {
		unlockAll(s)
		return -1, l.Cause()
	}
	p := stand(cases, s, l, t)
	unlockAll(s)
	i, ended := p.ParkContext(ctx)
	for k := len(s) - 1; k >= 0; k-- { // the place with the shared Parker leaves last
		c := &cases[s[k].i]
		if e := c.ch.leave(c.send, c.elem, s[k].in, ended == nil && s[k].i == i); e != nil {
			err = e
		}
	}
	if ended != nil {
		return -1, ended
	}
	return i, err
}

// TrySelect is like Select if one of the cases can proceed now; otherwise it returns -1 and nil. It does not wait. Any
// goroutine may call it.
func TrySelect(cases ...Case) (int, error) {
	loop.Charge()
	var room [casesMax]place
	s := sorted(cases, room[:0])
	lockAll(s)
	i, who, err := attempt(cases, s)
	unlockAll(s)
	if who != nil {
		who.Wake()
	}
	return i, err
}

// place is a case's place in line.
type place struct {
	ch selectable
	id uint64 // of ch
	i  int    // index of the case in the list of cases
	in any    // *waiter[T]
}

// casesMax is the number of cases up to which a Select does not allocate.
const casesMax = 8

// sorted returns the cases that have a channel, in the order in which every Select locks the channels, so that no two
// Selects wait for each other.
func sorted(cases []Case, s []place) []place {
	for i := range cases {
		if cases[i].ch == nil {
			continue
		}
		s = append(s, place{ch: cases[i].ch, id: cases[i].ch.order(), i: i})
		for k := len(s) - 1; k > 0 && s[k].id < s[k-1].id; k-- {
			s[k], s[k-1] = s[k-1], s[k]
		}
	}
	return s
}

// lockAll locks the channels, each of them once.
func lockAll(s []place) {
	for k := range s {
		if k == 0 || s[k].id != s[k-1].id {
			s[k].ch.lock()
		}
	}
}

func unlockAll(s []place) {
	for k := range s {
		if k == 0 || s[k].id != s[k-1].id {
			s[k].ch.unlock()
		}
	}
}

// attempt lets one case proceed that can do so without waiting, and returns its index; -1 if there is none. It tries
// the cases in a random order in which all permutations are equally likely. So each case that can proceed is chosen
// with the same probability, whichever cases lie between them. The caller holds the locks.
func attempt(cases []Case, s []place) (i int, who *loop.Parker, err error) {
	var room [casesMax]int
	order := room[:0]
	for k := range s {
		order = append(order, s[k].i)
	}
	var random uint64
	for k := range order {
		if left := uint64(len(order) - k); left > 1 {
			if k%casesMax == 0 {
				random = loop.Rand()
			}
			other := k + int(random%left)
			random /= left
			order[k], order[other] = order[other], order[k]
		}
		c := &cases[order[k]]
		if who, done, err := c.ch.attempt(c.send, c.elem); done {
			return order[k], who, err
		}
	}
	return -1, nil, nil
}

// stand puts the caller in line for all cases, and returns the Parker that all its places share. The caller holds the
// locks.
func stand(cases []Case, s []place, l *loop.Loop, t *loop.Task) (p *loop.Parker) {
	if len(s) == 0 {
		p = &loop.Parker{For: "Select"} // only a cancel or a context ends this wait
		p.Begin(l, t)
	}
	for k := range s {
		in, own := s[k].ch.place(s[k].i)
		if k == 0 {
			p = own
			p.For, p.About = "Select", nil
			p.Begin(l, t)
		}
		c := &cases[s[k].i]
		c.ch.stand(c.send, c.elem, in, p)
		s[k].in = in
	}
	return p
}

// order returns the channel's number, which it gets when it is first used in a Select, so that a zero Chan gets one,
// too.
func (c *Chan[T]) order() uint64 {
	if id := c.id.Load(); id != 0 {
		return id
	}
	c.id.CompareAndSwap(0, chans.Add(1))
	return c.id.Load()
}
func (c *Chan[T]) lock()   { c.mu.Lock() }
func (c *Chan[T]) unlock() { c.mu.Unlock() }

func (c *Chan[T]) attempt(send bool, elem any) (who *loop.Parker, done bool, err error) {
	var w *waiter[T]
	if p := elem.(*T); send {
		w, done, err = c.send(*p)
	} else {
		var v T
		if v, w, done, err = c.recv(); done && err == nil {
			*p = v
		}
	}
	if w != nil {
		who = w.p
	}
	return who, done, err
}

func (c *Chan[T]) place(which int) (in any, own *loop.Parker) {
	w := c.spare.get()
	w.which = which
	return w, &w.own
}

func (c *Chan[T]) stand(send bool, elem, in any, p *loop.Parker) {
	w := in.(*waiter[T])
	w.p = p
	if send {
		w.v = *elem.(*T)
		c.senders.push(w)
	} else {
		c.receivers.push(w)
	}
}

func (c *Chan[T]) leave(send bool, elem, in any, chosen bool) (err error) {
	w := in.(*waiter[T])
	c.mu.Lock()
	defer c.mu.Unlock()
	w.leave()
	switch {
	case !chosen:
	case w.refused:
		err = ErrClosed
	case !send:
		*elem.(*T) = w.v
	}
	c.spare.put(w)
	return err
}
