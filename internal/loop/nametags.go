package loop

import (
	"sync"

	"ringo/internal/rt/code"
	"ringo/internal/rt/stacks"
)

// nameTags are the names of a loop's tasks that have begun and have one, for those who look from outside while the
// loop is held. Tasks without a name are not in it, and cost nothing.
type nameTags struct {
	mu sync.Mutex
	by map[uint64]nameTag // by the goroutine's id, as stack traces call it

	goids map[*worker]uint64 // of workers that have run such a task; the loop thread's
}

type nameTag struct {
	name string
	id   uint32
	code code.Func
}

// tag notes the name of the task that w begins. It runs in w, and is apart for BenchmarkIdleMemory of sock.
//
//go:noinline
func (l *Loop) tag(w *worker, name string) {
	n := &l.names
	id, ok := n.goids[w]
	if !ok {
		id = stacks.GoroutineID()
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.by == nil {
		n.by, n.goids = map[uint64]nameTag{}, map[*worker]uint64{}
	}
	n.goids[w] = id
	n.by[id] = nameTag{name, w.id, w.code}
}

// untag is for the end of what w runs.
func (l *Loop) untag(w *worker) {
	n := &l.names
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.by, n.goids[w])
}

// untagWorker is for the end of w itself.
func (l *Loop) untagWorker(w *worker) {
	if _, ok := l.names.goids[w]; ok {
		l.untag(w)
		delete(l.names.goids, w)
	}
}

// of is what is known of the task that a goroutine runs. G.
func (n *nameTags) of(g *stacks.Goroutine) (tag nameTag, ok bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	tag, ok = n.by[g.ID]
	return tag, ok
}

// nameOf is what the task of one of the loop's workers is called, by GoNamed or as goroutine.task; empty if there is
// none. G.
func (l *Loop) nameOf(g *stacks.Goroutine) string {
	if tag, ok := l.names.of(g); ok {
		return tag.name
	}
	return g.Task()
}
