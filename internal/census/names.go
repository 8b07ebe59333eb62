package census

import (
	"sync"

	"ringo/internal/loop"
	"ringo/internal/rt/code"
	"ringo/internal/rt/stacks"
)

// nameTags are the names of a loop's tasks that have begun and have one, for those who look from outside while the
// loop is held. Tasks without a name are not in it, and cost nothing.
type nameTags struct {
	mu sync.Mutex
	by map[uint64]nameTag // by the goroutine's id, as stack traces call it

	goids map[any]uint64 // of workers that have run such a task; the loop thread's
}

type nameTag struct {
	name string
	id   uint32
	code code.Func
}

// tag notes the name of a task that begins. It runs in the task.
func (n *nameTags) tag(t *loop.Task, name string) {
	w, _ := t.Coroutine()
	id, ok := n.goids[w]
	if !ok {
		id = stacks.GoroutineID()
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.by == nil {
		n.by, n.goids = map[uint64]nameTag{}, map[any]uint64{}
	}
	n.goids[w] = id
	n.by[id] = nameTag{name, t.Number(), t.Code()}
}

// untag is for the end of what a worker runs.
func (n *nameTags) untag(worker any) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.by, n.goids[worker])
}

// untagWorker is for the end of the worker itself.
func (n *nameTags) untagWorker(worker any) {
	if _, ok := n.goids[worker]; ok {
		n.untag(worker)
		delete(n.goids, worker)
	}
}

// tagOf is what is known of the task that a goroutine of a loop runs. G.
func tagOf(l *loop.Loop, g *stacks.Goroutine) (tag nameTag, ok bool) {
	r := of(l)
	if r == nil {
		return tag, false
	}
	r.names.mu.Lock()
	defer r.names.mu.Unlock()
	tag, ok = r.names.by[g.ID]
	return tag, ok
}

// NameOf is what the task of one of the loop's workers is called, by GoNamed or as stacks.Goroutine.Task; empty if
// there is none. G.
func NameOf(l *loop.Loop, g *stacks.Goroutine) string {
	if tag, ok := tagOf(l, g); ok {
		return tag.name
	}
	return g.Task()
}
