package differ

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Result is what was seen of a plan: for each actor one line for each of its calls.
type Result struct {
	Machine string
	Seen    [][]string
	Err     error // an error of the machine itself: something was left behind, or the plan did not end
}

// exec is a running plan.
type exec struct {
	plan *Plan
	Ground
	objs  []any
	meets []*met
	stuck *stuck
	part  []atomic.Int64

	mu   sync.Mutex
	seen [][]string
	now  []string
}

// An actor is one actor of a running plan.
type actor struct {
	*exec
	World
	i int
}

var errHangs = errors.New("it did not end")

// Run runs a plan on a ground of its own, which is removed afterwards. If the plan takes longer than patience, Run
// gives it up, and the caller has to give up the session, too.
func Run(s Session, name string, p *Plan, patience time.Duration) Result {
	ground, clear, err := s.Ground(p)
	if err != nil {
		return Result{Machine: name, Err: err}
	}
	defer clear()
	x := &exec{plan: p, Ground: ground}
	done := make(chan error, 1)
	go func() { done <- s.Run(p, x.setup, x.body) }()
	alarm := time.NewTimer(patience)
	defer alarm.Stop()
	select {
	case err = <-done:
	case <-alarm.C:
		err = fmt.Errorf("%w; the actors are at\n%s", errHangs, x.where())
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	return Result{name, append([][]string(nil), x.seen...), err}
}

func (x *exec) where() string {
	x.mu.Lock()
	defer x.mu.Unlock()
	var b strings.Builder
	for i := range x.seen {
		fmt.Fprintf(&b, "a%d.%d: %s\n", i, len(x.seen[i]), x.now[i])
	}
	return b.String()
}

// setup makes what exists from the start. A machine that runs a plan again calls it again.
func (x *exec) setup(w World) {
	n := len(x.plan.Actors)
	x.mu.Lock()
	x.seen, x.now = make([][]string, n), make([]string, n)
	x.mu.Unlock()
	x.objs, x.part = make([]any, x.plan.objects), make([]atomic.Int64, x.plan.streams)
	x.meets, x.stuck = nil, new(stuck)
	for _, m := range x.plan.meetings {
		x.meets = append(x.meets, newMet(w, m.how))
	}
	x.stuck.make(w)
	for _, steps := range x.plan.Actors {
		for i := range steps {
			switch s := &steps[i]; {
			case s.verb == waitFor && s.N == endContext:
				ctx, cancel := context.WithCancel(context.Background())
				x.objs[s.P] = &cancelled{ctx, cancel}
			}
		}
	}
}

func (x *exec) body(i int, w World) {
	a := &actor{x, w, i}
	for k := range x.plan.Actors[i] {
		s := &x.plan.Actors[i][k]
		x.mu.Lock()
		x.now[i] = s.String()
		x.mu.Unlock()
		line := a.step(s)
		x.mu.Lock()
		x.seen[i] = append(x.seen[i], line)
		x.mu.Unlock()
	}
	x.mu.Lock()
	x.now[i] = "its end"
	x.mu.Unlock()
}

// step makes a call. A call that needs an object which could not be made says so, on all machines.
func (a *actor) step(s *Step) (line string) {
	run := func() { line = a.bare(s) }
	switch {
	case a.ofCallbacks(s):
		run()
	case s.Scope != noScope:
		a.Aside(func() { a.World.Scope(s.Scope, run) })
	default:
		a.Aside(run)
	}
	return line
}

func (a *actor) bare(s *Step) (line string) {
	defer func() {
		if v := recover(); v != nil {
			if missing, ok := v.(noObject); ok {
				line = fmt.Sprintf("there is no %d", int(missing))
				return
			}
			panic(v)
		}
	}()
	return s.run(a, s)
}

// noObject is the panic value for an object that is missing.
type noObject int

// get returns an object that a step names. If callbacks of another loop still hold it, as after a call that failed, it
// counts as missing.
func get[T any](x *actor, id int) T {
	v, ok := x.objs[id].(T)
	if b := holder(x.objs[id]); b != nil {
		w, own := x.World.(*callbackWorld)
		ok = ok && own && w.b == b && !w.Aided
	}
	if !ok {
		panic(noObject(id))
	}
	return v
}

// put stores an object, unless there was an error, and returns the error's class.
func put[T any](x *actor, id int, v T, err error) string {
	if err == nil {
		x.objs[id] = v
	}
	return class(err)
}
