package ringo_test

import (
	"context"
	"strings"
	"testing"

	"ringo"
)

// A task says what it waits for, whatever that is; and goes on saying so where a cancel does not end the wait.
func TestTaskWaits(t *testing.T) {
	cfg := two(anyDriver(t))
	full := ringo.NewChan[int](0)
	var mutex ringo.Mutex
	cond := ringo.NewCond(new(ringo.Mutex))
	semaphore := ringo.NewSemaphore(1)
	semaphore.TryAcquire(1)
	var group ringo.WaitGroup
	for _, c := range []struct {
		op   string
		wait func(l *ringo.Loop)
		end  func() // of a wait that a cancel does not end
	}{
		{"Chan.Send", func(*ringo.Loop) { full.Send(1) }, nil},
		{"Chan.Recv", func(*ringo.Loop) { full.Recv() }, nil},
		{"Chan.Recv", func(l *ringo.Loop) { full.RecvContext(l.Context()) }, nil},
		{"Select", func(*ringo.Loop) { var n int; ringo.Select(ringo.RecvInto(full, &n)) }, nil},
		{"Select", func(*ringo.Loop) { ringo.Select() }, nil},
		{"Semaphore.Acquire", func(l *ringo.Loop) { semaphore.Acquire(context.Background(), 1) }, nil},
		{"Mutex.LockContext", func(l *ringo.Loop) {
			if mutex.LockContext(context.Background()) == nil {
				mutex.Unlock()
			}
		}, mutex.Unlock},
		{"Mutex.Lock", func(*ringo.Loop) { mutex.Lock(); mutex.Unlock() }, mutex.Unlock},
		{"Cond.Wait", func(*ringo.Loop) { cond.L.Lock(); cond.Wait(); cond.L.Unlock() }, cond.Signal},
		{"WaitGroup.Wait", func(*ringo.Loop) { group.Wait() }, group.Done},
	} {
		t.Run(c.op, func(t *testing.T) {
			beside(t, cfg, func(l *ringo.Loop) {
				switch {
				case strings.HasPrefix(c.op, "Mutex"):
					mutex.Lock()
				case c.op == "WaitGroup.Wait":
					group.Add(1)
				}
				task := l.GoNamed("it", func() { c.wait(l) })
				l.Yield()
				check := func(canceled bool) {
					asked(t, l, func(who string, tasks []ringo.TaskInfo) {
						i := named(t, tasks, "it")
						if i.State != "parked" || i.WaitOp != c.op || i.Canceled != canceled ||
							!strings.HasPrefix(i.Wait, c.op) || i.FD != -1 {
							t.Errorf("%s sees %+v", who, i)
						}
					})
				}
				check(false)
				if c.end != nil {
					if c.op != "Mutex.LockContext" {
						task.Cancel()
						l.Yield()
						check(true)
					}
					c.end()
				} else {
					task.Cancel()
				}
				task.Wait()
			})
		})
	}
}

// A task that waits for a Mutex says who has it: a task of whatever loop, also one that got it from another, or a
// goroutine.
func TestTaskWaitsForHolder(t *testing.T) {
	beside(t, two(anyDriver(t)), func(l *ringo.Loop) {
		other := l.Loops()[1]
		var m ringo.Mutex
		var ids [2]uint64
		unlock := [...]*ringo.Chan[int]{ringo.NewChan[int](0), ringo.NewChan[int](0)}
		has := [...]*ringo.Chan[int]{ringo.NewChan[int](1), ringo.NewChan[int](1)}
		hold := func(n int) func() {
			return func() {
				m.Lock()
				has[n].Send(1)
				unlock[n].Recv()
				m.Unlock()
			}
		}
		first := other.GoNamed("first", hold(0))
		has[0].Recv()
		second := l.GoNamed("second", hold(1))
		l.Yield()
		waiter := l.GoNamed("waiter", func() { m.Lock(); m.Unlock() })
		l.Yield()
		ids[0] = named(t, other.Tasks(), "first").ID
		ids[1] = named(t, l.Tasks(), "second").ID
		for n, on := range []*ringo.Loop{other, l} {
			i := named(t, l.Tasks(), "waiter")
			name := []string{"first", "second"}[n]
			if i.HolderLoop != on.Index() || i.HolderID != ids[n] || !strings.Contains(i.Wait, name) ||
				!strings.Contains(i.Holder, name) {
				t.Errorf("what waits for task %d of loop %d is %+v", ids[n], on.Index(), i)
			}
			unlock[n].Send(1)
			if n == 0 {
				has[1].Recv()
			}
		}
		waiter.Wait()
		first.Wait()
		second.Wait()
		l.Offload(func(context.Context) error { m.Lock(); return nil })
		waiter = l.GoNamed("waiter", func() { m.Lock(); m.Unlock() })
		l.Yield()
		if i := named(t, l.Tasks(), "waiter"); i.Holder != "" || i.HolderLoop != -1 ||
			!strings.Contains(i.Wait, "held by a goroutine") {
			t.Errorf("what waits for a goroutine is %+v", i)
		}
		m.Unlock()
		waiter.Wait()
	})
}

// A task in Group.Go says so, and what a group runs is known by its own function.
func TestTaskWaitsForGroup(t *testing.T) {
	mustRun(t, anyDriver(t), func(l *ringo.Loop) {
		g := ringo.NewGroup(l)
		g.SetLimit(1)
		over := ringo.NewChan[int](0)
		g.Go(func() error { _, err := over.Recv(); return err })
		waiter := l.GoNamed("waiter", func() { g.Go(func() error { return nil }) })
		l.Yield()
		tasks := l.Tasks()
		if i := named(t, tasks, "waiter"); i.WaitOp != "Group.Go" || i.State != "parked" {
			t.Errorf("it is %+v", i)
		}
		if i := named(t, tasks, "ringo_test.TestTaskWaitsForGroup.func1.1"); i.WaitOp != "Chan.Recv" {
			t.Errorf("a task of the group is %+v", i)
		}
		over.Send(1)
		waiter.Wait()
		if err := g.Wait(); err != nil {
			t.Error(err)
		}
	})
}
