package ringo_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"ringo"
	"ringo/internal/test/patience"
	"ringo/stats"
)

// What users can reach of the engine through a public type is its methods.
func TestPublicTypesShowNoFields(t *testing.T) {
	for _, typ := range []reflect.Type{reflect.TypeFor[ringo.Loop](), reflect.TypeFor[ringo.Task](),
		reflect.TypeFor[ringo.Timer](), reflect.TypeFor[ringo.Group]()} {
		for i := range typ.NumField() {
			if f := typ.Field(i); f.IsExported() {
				t.Errorf("%v.%s can be named by everybody", typ, f.Name)
			}
		}
	}
}

func init() {
	children["quiet"] = func() {
		cfg := small(os.Getenv("RINGO_TEST_DRIVER"))
		ringo.Run(context.Background(), &cfg, func(*ringo.Loop) error { return nil })
	}
}

// RINGO_DEBUG prints what was chosen and changed; without it nothing is printed.
func TestRINGO_DEBUG(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		for setting, loud := range map[string]bool{"": false, "driver=1": true, "quit=0,driver=1,": true,
			"driver=0": false} {
			text, code := output(t, child(t, "quiet", "RINGO_TEST_DRIVER="+cfg.Driver, "RINGO_DRIVER=",
				"RINGO_DEBUG="+setting))
			if said := strings.Contains(text, "ringo: loop 0: driver "+cfg.Driver+": ") &&
				strings.Contains(text, "GOMAXPROCS"); said != loud ||
				code != 0 || !loud && text != "" {
				t.Errorf("RINGO_DEBUG=%s: exit status %d, %q", setting, code, text)
			}
		}
	})
}

// A setting that there is not is an error, which has those that there are: it must not be taken for one without effect.
func TestRINGO_DEBUGIsChecked(t *testing.T) {
	for _, wrong := range []string{"stal=2ms", "driver", "driver=yes", "quit=", "driver=1,ops=1", "2ms", " quit=1"} {
		t.Setenv("RINGO_DEBUG", wrong)
		err := refusal(t, &ringo.Config{})
		for _, want := range []string{"RINGO_DEBUG", "driver=1", "quit=1", "stall=2ms"} {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: no %q in %v", wrong, want, err)
			}
		}
	}
}

// Who asks a loop that is held does not wait for it, and gets what was known.
func TestStatsOfAHeldLoop(t *testing.T) {
	t.Parallel()
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		held, release := make(chan *ringo.Loop), make(chan struct{})
		ended := start(context.Background(), cfg, func(l *ringo.Loop) error {
			l.Sleep(0)
			held <- l
			<-release
			return nil
		})
		l := receive(t, "the loop", held)
		answer := make(chan stats.Loop)
		go func() { answer <- l.Stats() }()
		receive(t, "an answer", answer)
		close(release)
		if err := receive(t, "the end of Run", ended); err != nil {
			t.Error(err)
		}
		if s := l.Stats(); s.Turns == 0 {
			t.Errorf("after the end: %+v", s)
		}
	})
}

// A task of another loop does not wait for ever either, and a cancel lets it go.
func TestStatsOfAHeldLoopFromATask(t *testing.T) {
	t.Parallel()
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Loops = 2
		held, release := make(chan *ringo.Loop, 1), make(chan struct{})
		answered := make(chan string, 2)
		ended := start(context.Background(), cfg, func(l *ringo.Loop) error {
			if l.Index() == 1 {
				l.Sleep(0)
				held <- l
				<-release
				return nil
			}
			var other *ringo.Loop
			l.Offload(func(context.Context) error { other = <-held; return nil })
			l.Go(func() { other.Stats(); answered <- "patient" }).Wait()
			early := false
			for tries := 0; tries < 100 && !early; tries++ { // the machine may be slow now and then
				task := l.Go(func() {
					began := time.Now()
					other.Stats()
					early = l.Context().Err() != nil && time.Since(began) < 50*time.Millisecond
				})
				l.Sleep(time.Millisecond)
				task.Cancel()
				task.Wait()
			}
			if early {
				answered <- "cancelled"
			}
			return nil
		})
		for _, who := range []string{"patient", "cancelled"} {
			equal(t, "who got an answer", receive(t, "an answer", answered), who)
		}
		close(release)
		if err := receive(t, "the end of Run", ended); err != nil {
			t.Error(err)
		}
	})
}

func init() {
	children["crowd"] = func() {
		for range 2 {
			cfg := small(os.Getenv("RINGO_TEST_DRIVER"))
			cfg.Loops = runtime.NumCPU() + 1
			ringo.Run(context.Background(), &cfg, func(*ringo.Loop) error { return nil })
		}
	}
}

// More loops than processors are told of on stderr, once in a process.
func TestTooManyLoopsAreToldOf(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		text, err := child(t, "crowd", "RINGO_TEST_DRIVER="+cfg.Driver, "RINGO_DRIVER=").CombinedOutput()
		said := fmt.Sprintf("ringo: %d loops run, and the process may use ", runtime.NumCPU()+1)
		if n := bytes.Count(text, []byte(said)); n != 1 || bytes.Count(text, []byte("\n")) != 1 || err != nil {
			t.Errorf("%v, %d reports in %q, want one", err, n, text)
		}
	})
}

// asked calls check with the tasks of a loop as each sort of caller gets them: a goroutine, a task of the loop, and a
// task of another.
func asked(t *testing.T, l *ringo.Loop, check func(who string, tasks []stats.Task)) {
	t.Helper()
	check("a task of the loop", l.Tasks())
	var tasks []stats.Task
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
func heldUp(tasks []stats.Task) bool {
	return slices.ContainsFunc(tasks, func(i stats.Task) bool { return i.Wait == "its loop is held" })
}

// named finds the one task of a name.
func named(t *testing.T, tasks []stats.Task, name string) stats.Task {
	t.Helper()
	var found []stats.Task
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
func listed(tasks []stats.Task) string {
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
			asked(t, l, func(who string, tasks []stats.Task) {
				if len(tasks) < 6 {
					t.Fatalf("%s sees %d tasks:\n%s", who, len(tasks), listed(tasks))
				}
				i := named(t, tasks, "sleeper")
				if i.State != "parked" || i.WaitOp != "Sleep" || i.Canceled ||
					i.Until.Before(before.Add(59*time.Minute)) {
					t.Errorf("%s: a task in Sleep is %+v", who, i)
				}
				if i.ID == 0 || i.Loop != l.Index() || !strings.Contains(i.At, "info_test.go:") || i.FD != -1 {
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
				if i.State != "parked" || i.WaitOp != "Sleep" || !strings.Contains(i.At, "info_test.go:") {
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
			tasks = slices.DeleteFunc(tasks, func(i stats.Task) bool { return i.Name != "stays" })
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
		for _, ask := range []func() (tasks []stats.Task){
			held.Tasks,
			func() (tasks []stats.Task) {
				l.Offload(func(context.Context) error { tasks = held.Tasks(); return nil })
				return tasks
			},
		} {
			tasks := ask()
			var holders, others, named int
			for _, i := range tasks {
				switch {
				case i.State == "running" && i.Name == "holder" && i.ID != 0 &&
					strings.Contains(i.At, "info_test.go:") && i.Wait == "holds its loop [chan receive]":
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
					asked(t, l, func(who string, tasks []stats.Task) {
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
