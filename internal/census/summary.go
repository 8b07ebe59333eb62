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

// summaryMax bounds the lines of a Summary; one more line counts the tasks that were left out.
const summaryMax = 20

// Summary lists tasks for people, with one line for tasks that run and wait for the same, the most frequent first:
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

// does says what a task does, in the same words for all tasks that do the same.
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

// Running returns a Summary for each loop that has not ended. Tasks must not call it.
func Running(loops []*loop.Loop) string {
	var b strings.Builder
	for _, l := range loops {
		if !l.Ended() {
			fmt.Fprintf(&b, "loop %d:\n%s", l.Index(), Summary(Tasks(l)))
		}
	}
	return b.String()
}

// crashPatience bounds the time that a crash waits for the list of its loop's tasks.
const crashPatience = time.Second

// Crash calls the followers (Follow), and returns the tasks of a loop whose thread has stopped for good, in at most
// summaryMax lines. A crash must finish, so if anything goes wrong here, the list is left out, and the text says so.
func (r *Run) Crash(l *loop.Loop) string {
	awaitFollowers()
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

// WriteTasks calls say with the tasks of each loop that runs, at most summaryMax lines for each loop. G, may block.
func WriteTasks(say func(text string)) {
	loops := loop.Running()
	texts := make([]chan string, len(loops))
	for i, l := range loops { // in parallel, because each loop that is held takes a while
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
