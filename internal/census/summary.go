package census

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"ringo/internal/loop"
	"ringo/internal/rt/code"
)

// summaryMax is how many lines a Summary has; one more says how many tasks have none.
const summaryMax = 20

// Summary is tasks for people, a line for those that run and wait for the same, the most frequent first:
//
//	41200 × main.handle (main.go:81): parked in read, the longest for 3h0m12s
func Summary(tasks []TaskInfo) string {
	type alike struct {
		name, does string
		code       code.Func
	}
	type lot struct {
		alike
		n       int
		longest time.Duration
	}
	var lots []*lot
	by := map[alike]*lot{}
	for i := range tasks {
		t := &tasks[i]
		k := alike{t.Named, t.does(), t.Code}
		if by[k] == nil {
			by[k] = &lot{alike: k}
			lots = append(lots, by[k])
		}
		by[k].n++
		by[k].longest = max(by[k].longest, t.Since)
	}
	slices.SortStableFunc(lots, func(a, b *lot) int { return cmp.Compare(b.n, a.n) })
	var b strings.Builder
	left := len(tasks)
	for i, o := range lots {
		if i == summaryMax {
			fmt.Fprintf(&b, "and %d others\n", left)
			break
		}
		left -= o.n
		name := o.code.WithPlace()
		if o.name != "" {
			name = o.name
		}
		fmt.Fprintf(&b, "%d × %s: %s", o.n, name, o.does)
		if o.longest > 0 {
			fmt.Fprintf(&b, ", the longest for %v", o.longest.Round(time.Millisecond))
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// does is what a task does, in words that it has in common with those that do the same.
func (t *TaskInfo) does() string {
	switch {
	case t.Held != "":
		return t.Held
	case t.State != loop.TaskParked || t.Wait.Op == "":
		return t.State.String()
	case t.Wait.On.ID != 0 && strings.HasPrefix(t.Wait.Op, "Mutex."):
		return "parked in " + t.Wait.Op + ", " + t.Wait.On.String()
	case t.Wait.Details != "":
		return "parked in " + t.Wait.Op + " (" + t.Wait.Details + ")"
	}
	return "parked in " + t.Wait.Op
}

// Running is those of loops that have not ended, with their tasks, a Summary each. Not for a task.
func Running(loops []*loop.Loop) string {
	var b strings.Builder
	for _, l := range loops {
		if !l.Ended() {
			fmt.Fprintf(&b, "loop %d:\n%s", l.Index(), Summary(Tasks(l)))
		}
	}
	return b.String()
}

// crashPatience is how long a crash waits for the list of its loop's tasks, at most.
const crashPatience = time.Second

// Crash tells those who Follow, and gives the tasks of a loop whose thread has stopped for good, at most summaryMax
// lines of them. A crash must come to its end, so whatever goes wrong here leaves only this out, and says so.
func (r *Run) Crash(l *loop.Loop) string {
	tellCrash()
	return tasksAtCrash(l)
}

func tasksAtCrash(l *loop.Loop) string {
	found := make(chan string, 1)
	go func() {
		defer func() {
			if v := recover(); v != nil {
				found <- fmt.Sprintf("\nThe tasks of loop %d can't be listed: %v\n", l.Index(), v)
			}
		}()
		tasks := tasksAtOnce(l)()
		found <- fmt.Sprintf("\n%d tasks of loop %d:\n%s", len(tasks), l.Index(), Summary(tasks))
	}()
	select {
	case text := <-found:
		return text
	case <-time.After(crashPatience):
		return fmt.Sprintf("\nThe tasks of loop %d can't be listed within %v\n", l.Index(), crashPatience)
	}
}

// WriteTasks says the tasks of all loops that run, at most summaryMax lines for each loop. G, may block.
func WriteTasks(say func(text string)) {
	loops := loop.Running()
	texts := make([]chan string, len(loops))
	for i, l := range loops { // at the same time: those that are held take a while
		texts[i] = make(chan string, 1)
		go func() {
			tasks := Tasks(l)
			texts[i] <- fmt.Sprintf("ringo: %d tasks of loop %d:\n%s\n", len(tasks), l.Index(), Summary(tasks))
		}()
	}
	for _, text := range texts {
		say(<-text)
	}
}
