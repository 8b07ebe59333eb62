package census

import (
	"sync"

	"ringo/internal/loop"
	"ringo/internal/rt/code"
	"ringo/internal/rt/stacks"
)

// nameTags holds the names of the running tasks of a loop, for callers that look from outside while the loop is held.
// Tasks without a name are not in it, and cost nothing.
type nameTags struct {
	mu sync.Mutex
	by map[uint64]nameTag // by goroutine id, as stack traces have it

	goids map[any]uint64 // of the workers that have run such a task; only for the loop's thread
}

type nameTag struct {
	name string
	id   uint32
	code code.Func
}

// tag records the name of a task that begins. It runs in the task.
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

// untag removes the name of the task that a worker ran.
func (n *nameTags) untag(worker any) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.by, n.goids[worker])
}

// untagWorker forgets a worker that ends.
func (n *nameTags) untagWorker(worker any) {
	if _, ok := n.goids[worker]; ok {
		n.untag(worker)
		delete(n.goids, worker)
	}
}

// tagOf returns what is recorded for the task that a goroutine of a loop runs. G.
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

// NameOf returns the name of the task that one of the loop's workers runs: that of GoNamed, or as
// stacks.Goroutine.Task; empty if there is no task. G.
func NameOf(l *loop.Loop, g *stacks.Goroutine) string {
	if tag, ok := tagOf(l, g); ok {
		return tag.name
	}
	return g.Task()
}
