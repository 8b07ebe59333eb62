package ringo_test

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"ringo"
	"ringo/internal/test/patience"
)

// asked calls check with the tasks of a loop as each sort of caller gets them: a goroutine, a task of the loop, and a
// task of another.
func asked(t *testing.T, l *ringo.Loop, check func(who string, tasks []ringo.TaskInfo)) {
	t.Helper()
	check("a task of the loop", l.Tasks())
	var tasks []ringo.TaskInfo
	ask := func() error { // again, where a busy machine has not run the loop for so long that it was taken for held
		return patience.Poll(runtime.Gosched, func() bool { tasks = l.Tasks(); return !heldUp(tasks) })
	}
	l.Offload(func(context.Context) error { return ask() })
	check("a goroutine", tasks)
	for _, other := range l.Loops() {
		if other != l {
			other.Call(ask)
			check("a task of another loop", tasks)
		}
	}
}

// heldUp reports whether the tasks are what was known of a loop that did not answer.
func heldUp(tasks []ringo.TaskInfo) bool {
	return slices.ContainsFunc(tasks, func(i ringo.TaskInfo) bool { return i.Wait == "its loop is held" })
}

// named finds the one task of a name.
func named(t *testing.T, tasks []ringo.TaskInfo, name string) ringo.TaskInfo {
	t.Helper()
	var found []ringo.TaskInfo
	for _, i := range tasks {
		if i.Name == name {
			found = append(found, i)
		}
	}
	if len(found) != 1 {
		t.Fatalf("%d tasks %q, want one of\n%s", len(found), name, listed(tasks))
	}
	return found[0]
}

// listed is the tasks for people.
func listed(tasks []ringo.TaskInfo) string {
	var b strings.Builder
	for _, i := range tasks {
		fmt.Fprintf(&b, "%d %q at %q, %s: %s\n", i.ID, i.Name, i.At, i.State, i.Wait)
	}
	return b.String()
}

// two is a configuration of two loops.
func two(cfg ringo.Config) ringo.Config {
	cfg.Loops = 2
	return cfg
}

func TestTasks(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		beside(t, two(cfg), func(l *ringo.Loop) {
			before := time.Now()
			sleeper := l.GoNamed("sleeper", func() { l.Sleep(time.Hour) })
			bounded := l.GoNamed("bounded", func() {
				l.WithTimeout(time.Hour, func() error { l.Sleep(2 * time.Hour); return nil })
			})
			joiner := l.GoNamed("joiner", func() { sleeper.Wait() })
			l.Post(func() { sleepsLong(l) })
			over := make(chan struct{})
			offloaded := l.GoNamed("offloaded", func() {
				l.Offload(func(context.Context) error { <-over; return nil })
			})
			l.Yield() // they are parked now
			asked(t, l, func(who string, tasks []ringo.TaskInfo) {
				if len(tasks) < 6 {
					t.Fatalf("%s sees %d tasks:\n%s", who, len(tasks), listed(tasks))
				}
				i := named(t, tasks, "sleeper")
				if i.State != "parked" || i.WaitOp != "Sleep" || i.Canceled ||
					i.Until.Before(before.Add(59*time.Minute)) {
					t.Errorf("%s: a task in Sleep is %+v", who, i)
				}
				if i.ID == 0 || i.Loop != l.Index() || !strings.Contains(i.At, "tasks_test.go:") || i.FD != -1 {
					t.Errorf("%s: a task in Sleep is %+v", who, i)
				}
				if d := i.Began.Sub(before); d < -time.Second || d > limit {
					t.Errorf("%s: it began %v after it was begun", who, d)
				}
				if i = named(t, tasks, "bounded"); i.Until.After(time.Now().Add(61*time.Minute)) || i.Until.IsZero() {
					t.Errorf("%s: a task that a WithTimeout ends in an hour does so at %v", who, i.Until)
				}
				i = named(t, tasks, "offloaded")
				if !strings.HasPrefix(i.Wait, "Loop.Offload of ringo_test.TestTasks") {
					t.Errorf("%s: a task in Offload waits for %q", who, i.Wait)
				}
				named(t, tasks, "ringo_test.beside.func1")
				i = named(t, tasks, "ringo_test.TestTasks.func1.1.4")
				if i.State != "parked" || i.WaitOp != "Sleep" || !strings.Contains(i.At, "tasks_test.go:") {
					t.Errorf("%s: a Post is %+v", who, i)
				}
				for n := range tasks {
					if n > 0 && tasks[n].ID <= tasks[n-1].ID {
						t.Errorf("%s: out of order:\n%s", who, listed(tasks))
					}
				}
			})
			close(over)
			for _, task := range []*ringo.Task{sleeper, bounded, joiner, offloaded} {
				task.Cancel()
				task.Wait()
			}
		})
	})
}

func sleepsLong(l *ringo.Loop) { l.Sleep(time.Hour) }

// A task that waits for another says for which, and one that a cancel can't take out of its wait goes on saying so.
func TestTasksThatJoin(t *testing.T) {
	mustRun(t, anyDriver(t), func(l *ringo.Loop) {
		sleeper := l.GoNamed("sleeper", func() { ringo.NewChan[int](0).RecvContext(l.Context()) })
		joiner := l.GoNamed("joiner", func() { sleeper.Wait() })
		l.Yield()
		for _, canceled := range []bool{false, true} {
			tasks := l.Tasks()
			i, on := named(t, tasks, "joiner"), named(t, tasks, "sleeper")
			if i.State != "parked" || i.WaitOp != "Task.Wait" || i.HolderLoop != 0 || i.HolderID != on.ID ||
				!strings.Contains(i.Holder, "sleeper") || i.Canceled != canceled {
				t.Errorf("a task that joins task %d is %+v", on.ID, i)
			}
			joiner.Cancel()
		}
		sleeper.Cancel()
		joiner.Wait()
	})
}

// However many tasks come and go while somebody looks, each of those that stay is in the list, once.
func TestTasksInPieces(t *testing.T) {
	mustRun(t, anyDriver(t), func(l *ringo.Loop) {
		const stay = 3000
		var staying, going []*ringo.Task
		for n := range 2 * stay {
			if n%2 == 0 {
				staying = append(staying, l.GoNamed("stays", func() { l.Sleep(time.Hour) }))
			} else {
				going = append(going, l.Go(func() { l.Sleep(time.Hour) }))
			}
		}
		for len(l.Tasks()) < 2*stay {
		}
		turns := l.Stats().Turns
		done := false
		looker := l.Go(func() {
			tasks := l.Tasks()
			done = true
			ids := map[uint64]bool{}
			for _, i := range tasks {
				if i.Name == "stays" {
					ids[i.ID] = true
				}
			}
			tasks = slices.DeleteFunc(tasks, func(i ringo.TaskInfo) bool { return i.Name != "stays" })
			if n := len(tasks); n != stay || len(ids) != stay {
				t.Errorf("%d tasks with %d numbers, want %d", n, len(ids), stay)
			}
			if after := l.Stats().Turns - turns; after < stay/256 {
				t.Errorf("all of %d tasks were looked at in %d turns", stay, after)
			}
		})
		for n := 0; !done; n++ {
			if len(going) > 0 {
				last := len(going) - 1
				going[last/2], going[last] = going[last], going[last/2]
				going[last].Cancel()
				going = going[:last]
			}
			l.Go(func() { l.Yield() })
			l.Yield()
		}
		looker.Wait()
		for _, task := range slices.Concat(staying, going) {
			task.Cancel()
			task.Wait()
		}
	})
}

// A loop that is held says what holds it, and is no loop without tasks.
func TestTasksOfHeldLoop(t *testing.T) {
	t.Parallel()
	cfg := two(anyDriver(t))
	cfg.StallLimit = -1
	beside(t, cfg, func(l *ringo.Loop) {
		held := l.Loops()[1]
		holds, release := make(chan struct{}), make(chan struct{})
		held.GoNamed("gone", func() {}).Wait() // whose coroutine may run one of the next
		held.GoNamed("held up", func() { held.Sleep(time.Hour) })
		held.GoNamed("holder", func() {
			close(holds)
			<-release
		})
		await(t, l, "the other loop", holds)
		for _, ask := range []func() (tasks []ringo.TaskInfo){
			held.Tasks,
			func() (tasks []ringo.TaskInfo) {
				l.Offload(func(context.Context) error { tasks = held.Tasks(); return nil })
				return tasks
			},
		} {
			tasks := ask()
			var holders, others, named int
			for _, i := range tasks {
				switch {
				case i.State == "running" && i.Name == "holder" && i.ID != 0 &&
					strings.Contains(i.At, "tasks_test.go:") && i.Wait == "holds its loop [chan receive]":
					holders++
				case i.State == "unknown" && i.Wait == "its loop is held":
					others++
				}
				if i.Name == "held up" && i.ID != 0 {
					named++
				}
			}
			if holders != 1 || holders+others != len(tasks) || others < 2 || named != 1 {
				t.Errorf("the tasks of a loop that is held:\n%s", listed(tasks))
			}
		}
		close(release)
	})
}

// Loops that have ended, or that nobody has made, have no tasks.
func TestTasksOfNoLoop(t *testing.T) {
	var l *ringo.Loop
	mustRun(t, anyDriver(t), func(its *ringo.Loop) { l = its })
	none := map[string]*ringo.Loop{"that has ended": l, "of the zero value": new(ringo.Loop), "nil": nil}
	for what, none := range none {
		if tasks := none.Tasks(); len(tasks) != 0 {
			t.Errorf("a loop %s has tasks:\n%s", what, listed(tasks))
		}
	}
}
