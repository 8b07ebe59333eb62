package handle

import (
	"time"

	"ringo/internal/census"
)

// bornShift is the unit of Core.born: 2^24 ns, a sixtieth of a second. A uint32 of them lasts two years.
const bornShift = 24

// bornAt turns a time of NowNS into that unit.
func bornAt(ns int64) uint32 { return max(uint32(ns>>bornShift), 1) }

// age returns how long ago the handle was made; 0 if that is not known. now is a time of NowNS.
func (c *Core) age(now int64) time.Duration {
	if c.born == 0 {
		return 0
	}
	return time.Duration(max(bornAt(now)-c.born, 1)) << bornShift
}

// Show fills in an entry of the loop's list of handles.
func (o *opened) Show(i *census.HandleInfo) bool {
	c := (*Core)(o)
	if c.state >= settled {
		return false
	}
	i.State = "open"
	if c.state == closing {
		i.State = "closing"
	}
	n, theirs := c.Unread()
	i.Unread = n
	c.hooks.Show(i, !theirs)
	i.FD, i.Age = c.fd.Sys(), c.age(c.l.NowNS())
	i.In, i.Out = c.usedBy(In), c.usedBy(Out)
	if u := c.own.out.unsent; u != nil {
		i.Unsent = len(u.rest)
	}
	return true
}

// usedBy returns what uses a direction, for the loop's thread.
func (c *Core) usedBy(dir Dir) string {
	d := &c.own.dirs[dir]
	switch {
	case d.lent != nil:
		return d.lent.usedBy()
	case d.busy:
		return census.UsedByTask
	case d.Op != nil:
		return census.UsedByLoop
	}
	return census.UsedByNobody
}

// usedBy returns whether a foreign caller uses the direction.
func (h *half) usedBy() string {
	if h.inUse() {
		return census.UsedByForeign
	}
	return census.UsedByNobody
}

// Show fills in an entry of the loop's list of handles.
func (t *tail) Show(i *census.HandleInfo) bool {
	i.Kind, i.State, i.Out = "tail", "closing", census.UsedByLoop
	i.FD, i.Unsent = t.fd.Sys(), len(t.rest)
	return true
}

// shownAtOnce is how many detached handles ShowEach takes from the registry's list at a time.
const shownAtOnce = 64

// ShowEach visits the detached handles. It may leave out those that are attached or closed meanwhile. Any caller.
func (r *Registry) ShowEach(visit func(*census.HandleInfo), rest func()) {
	place := new(foreign)
	if !r.add(place) {
		return
	}
	defer r.remove(place)
	some := make([]*foreign, 0, shownAtOnce)
	for more := true; more; {
		some, more = r.after(place, some[:0])
		for _, f := range some {
			if i := (census.HandleInfo{}); f.show(&i) {
				visit(&i)
			}
		}
		rest()
	}
}

// after returns the next handles behind a mark in the list, moves the mark behind them, and reports whether there may
// be more.
func (r *Registry) after(place *foreign, some []*foreign) (next []*foreign, more bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	last := place
	for f := place.next; f != nil && len(some) < cap(some); f = f.next {
		last = f
		if f.c != nil { // if nil, it is another mark
			some = append(some, f)
		}
	}
	if last != place {
		r.unlink(place)
		place.prev, place.next = last, last.next
		if last.next = place; place.next != nil {
			place.next.prev = place
		}
	}
	return some, len(some) == cap(some)
}

// show fills in an entry for a detached handle; false if it is no longer one.
func (f *foreign) show(i *census.HandleInfo) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.registry == nil || f.taken {
		return false
	}
	i.State = "detached"
	if f.isClosing() {
		i.State = "closing"
	}
	f.c.hooks.Show(i, false)
	i.FD = f.c.fd.Sys()
	if h := &f.halves[In]; h.busy {
		i.In = census.UsedByForeign
	} else {
		i.Unread = h.in.Unread()
	}
	if f.halves[Out].busy {
		i.Out = census.UsedByForeign
	}
	return true
}
