package loop

// A loop frees what a burst has needed once it has not been used for a while: coroutines with their stacks, slots of
// ops, buffers, and what the packages above keep. A turn that leaves much unused reports that, and the idler makes the
// loop trim. What was free for the whole time between two trims is freed at the second of them. So a load that comes
// and goes keeps what it needs, and a sleeping loop is woken a few times and then no more.
//
// To take one, the loop looks first among those that were given back since the last trim:
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
	// listKept is the length up to which lists are not shortened.
	listKept = 1024
)

// pools keep objects that a loop uses again.
type pools struct {
	sleeps pool[sleep]
	limits pool[limit]
}

// Trimmer is implemented by what packages above keep for a loop, if that has something to free.
type Trimmer interface {
	// Trim frees what was not used since the last call, and reports whether there is more that is unused now. It must
	// not park.
	Trim() (more bool)
}

// HasSpare notes that the loop keeps something that a trim may find unused. G.
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

// trimSpare makes a loop trim that has called HasSpare. G.
func (l *Loop) trimSpare() {
	l.idling.spare.Store(false)
	l.Call(l.trim)
}

// noteSpare is HasSpare for what the loop itself keeps, checked once a turn. When nothing is ready each live task has
// a coroutine, so the other coroutines are idle.
func (l *Loop) noteSpare() {
	if len(l.workers.all)-l.tasks.live > workersKept || l.ops.slab.Spare() || l.pools.Plain.Spare() ||
		l.pools.Large.Spare() {
		l.HasSpare()
	}
}

// trim frees what was not used since the last call.
func (l *Loop) trim() {
	more := l.workers.trim(l)
	more = l.ops.slab.Trim() || more
	more = l.pools.Plain.Trim() || more
	more = l.pools.Large.Trim() || more
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

// shrunk copies a slice that uses less than a quarter of a large capacity to a smaller one.
func shrunk[T any](s []T) []T {
	if cap(s) <= listKept || len(s) > cap(s)/4 {
		return s
	}
	return append(make([]T, 0, max(listKept, 2*len(s))), s...)
}

// pool keeps free objects for reuse, up to pooledMax.
type pool[T any] struct{ free, old []*T }

const pooledMax = 1024

// get returns an object that was put, or a new one.
func (p *pool[T]) get() *T {
	from := &p.free
	if len(*from) == 0 {
		from = &p.old
	}
	n := len(*from)
	if n == 0 {
		return new(T)
	}
	v := (*from)[n-1]
	(*from)[n-1] = nil
	*from = (*from)[:n-1]
	return v
}

// put keeps v, and reports whether there was room.
func (p *pool[T]) put(v *T) bool {
	if len(p.free)+len(p.old) >= pooledMax {
		return false
	}
	p.free = append(p.free, v)
	return true
}

// trim drops the objects that were not used since the last trim.
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
