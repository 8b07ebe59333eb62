package loop

// What a burst has needed is given back when nobody has used it for a while: coroutines with
// their stacks, slots of ops, buffers, and what the package above keeps. A turn that leaves much
// unused says so, and the idler has the loop trim. Whatever was free for the whole time between
// two trims goes at the second of them; so a load that comes and goes keeps what it needs, and a
// loop that sleeps is woken a few times and then no more.
//
// Who takes something looks first among what was given back since the last trim:
//
//	     ┌───── taken ◀───────────────┐
//	     ▼                            │
//	 in use ──given back──▶ idle ──trim──▶ unused ──trim──▶ doomed ──stopMax a turn──▶ gone
//	     ▲                                                  │
//	     └────────────────────── taken ◀────────────────────┘

const (
	// workersKept is how many idle coroutines outlast every trim.
	workersKept = 16
	// stopMax is how many coroutines end in a turn: some 50 µs.
	stopMax = 64
	// listKept is how long a list may be that nobody shortens.
	listKept = 1024
)

// pools are things that a loop uses again.
type pools struct {
	sleeps pool[sleep]
	limits pool[limit]
}

// Trimmer is what a package above keeps per loop, if it has something to give back.
type Trimmer interface {
	// Trim gives back what nobody has used since it was last called, and reports whether there is
	// more that nobody uses now. It must not park.
	Trim() (more bool)
}

// HasSpare says that something is kept that a trim may find unused. G.
func (l *Loop) HasSpare() {
	if l.idling.spare.Load() {
		return
	}
	l.idling.spare.Store(true)
	if w := l.World(); !w.Beside() { // no idler either
		w.After(idleAfter, l.trimSpare)
		return
	}
	tellIdler()
}

// trimSpare has a loop trim that has said that it has something to give back. G.
func (l *Loop) trimSpare() {
	l.idling.spare.Store(false)
	l.Call(l.trim)
}

// noteSpare is HasSpare for what the loop itself keeps, looked at once a turn. Where nothing is
// ready each live task has a coroutine; the others are idle.
func (l *Loop) noteSpare() {
	if len(l.workers.all)-l.tasks.live > workersKept || l.ops.slab.Spare() || l.pools.plain.Spare() ||
		l.pools.large.Spare() {
		l.HasSpare()
	}
}

// trim gives back what was not used since it was last called.
func (l *Loop) trim() {
	more := l.workers.trim(l)
	more = l.ops.slab.Trim() || more
	more = l.pools.plain.Trim() || more
	more = l.pools.large.Trim() || more
	more = l.ready.trim() || more
	more = l.out.trim() || more
	more = l.kept.sleeps.trim(nil) || more
	more = l.kept.limits.trim(func(b *limit) { l.timers.Remove(&b.timer) }) || more
	for _, kept := range [...]any{l.above.Local, l.above.Events} {
		if t, ok := kept.(Trimmer); ok {
			more = t.Trim() || more
		}
	}
	if more {
		l.HasSpare()
	}
}

func push(list **worker, w *worker) { w.next, *list = *list, w }

func pop(list **worker) *worker {
	w := *list
	if w != nil {
		*list, w.next = w.next, nil
	}
	return w
}

// shrunk gives a slice that has been much longer less memory.
func shrunk[T any](s []T) []T {
	if cap(s) <= listKept || len(s) > cap(s)/4 {
		return s
	}
	return append(make([]T, 0, max(listKept, 2*len(s))), s...)
}

// pool keeps things for the next who needs one, up to a bound.
type pool[T any] struct{ free, old []*T }

const pooledMax = 1024

// get gives one that was put, or nil.
func (p *pool[T]) get() (v *T) {
	from := &p.free
	if len(*from) == 0 {
		from = &p.old
	}
	if n := len(*from); n > 0 {
		v = (*from)[n-1]
		(*from)[n-1] = nil
		*from = (*from)[:n-1]
	}
	return v
}

// put reports whether there was room.
func (p *pool[T]) put(v *T) bool {
	if len(p.free)+len(p.old) >= pooledMax {
		return false
	}
	p.free = append(p.free, v)
	return true
}

// trim drops what was not used since the last trim.
func (p *pool[T]) trim(drop func(*T)) (more bool) {
	for i, v := range p.old {
		if drop != nil {
			drop(v)
		}
		p.old[i] = nil
	}
	p.free, p.old = p.old[:0], p.free
	return len(p.old) > 0
}
