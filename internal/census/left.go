package census

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"ringo/internal/loop"
)

// GraceOver lists the tasks at once, because they are about to be cancelled; tell reports them.
func (s *Run) GraceOver() (tell func()) {
	cfg := s.set.Config()
	if !cfg.Tells() {
		return func() {}
	}
	loops := s.set.Loops()
	if !s.set.World().Beside() { // all loops stand still
		var tasks []TaskInfo
		for _, l := range loops {
			if !l.Ended() {
				tasks = append(tasks, tasksAtOnce(l)()...)
			}
		}
		return func() { s.tellLeft(tasks) }
	}
	found := make([]chan func() []TaskInfo, len(loops))
	for i, l := range loops {
		found[i] = make(chan func() []TaskInfo, 1)
		asked := l.Call(func() {
			found[i] <- tasksAtOnce(l) // in one piece, since the cancel that follows visits every task anyway
		})
		if !asked { // the loop has ended, and there is nothing to wait for
			found[i] <- func() []TaskInfo { return nil }
		}
	}
	return func() { s.tellLeft(answers(loops, found)) }
}

// answers returns the tasks that the loops report, or for loops that don't answer in time what is known without them.
func answers(loops []*loop.Loop, found []chan func() []TaskInfo) (tasks []TaskInfo) {
	passed := time.NewTicker(askPatience)
	defer passed.Stop()
	var waits patience
	for i, l := range loops {
		for over := waits.times > 0 && waits.isOver(l); !over; {
			select {
			case sorted := <-found[i]:
				found[i] <- sorted
				over = true
			case <-passed.C:
				over = waits.over(l)
			}
		}
		select {
		case sorted := <-found[i]:
			tasks = append(tasks, sorted()...)
		default:
			if !l.Ended() {
				tasks = append(tasks, tasksWhileHeld(l)...)
			}
		}
	}
	return tasks
}

func (s *Run) tellLeft(tasks []TaskInfo) {
	if len(tasks) > 0 {
		s.set.Config().Tell("drain took all of Grace",
			fmt.Sprintf("ringo: drain took all of Grace (%v), for: %s\n", s.set.Grace(), left(tasks, leftMax)))
	}
}

// Unended lists the tasks that have not ended, for an error.
func (s *Run) Unended() string {
	loops := s.set.Loops()
	found := make([][]TaskInfo, len(loops))
	var asked sync.WaitGroup
	for i, l := range loops { // in parallel, because each loop that is held takes a while
		if !l.Ended() {
			asked.Go(func() { found[i] = Tasks(l) })
		}
	}
	asked.Wait()
	if tasks := slices.Concat(found...); len(tasks) > 0 {
		return left(tasks, namesMax)
	}
	return "a loop whose tasks have"
}

const (
	leftMax  = 10 // kinds of tasks in a report
	namesMax = 20 // kinds of tasks in an error
)

// left names tasks and what they wait for, equal ones together, the most frequent first:
//
//	3 × main.leak (loop 0), parked in Chan.Recv; main.main.func1 (loop 0), which holds its loop
func left(tasks []TaskInfo, most int) string {
	type lot struct {
		text string
		n    int
	}
	var lots []*lot
	by := map[string]*lot{}
	for i := range tasks {
		text := tasks[i].left()
		if by[text] == nil {
			by[text] = &lot{text: text}
			lots = append(lots, by[text])
		}
		by[text].n++
	}
	slices.SortStableFunc(lots, func(a, b *lot) int { return cmp.Compare(b.n, a.n) })
	var texts []string
	rest := len(tasks)
	for i, o := range lots {
		if i == most {
			texts = append(texts, fmt.Sprintf("and %d more", rest))
			break
		}
		if rest -= o.n; o.n > 1 {
			o.text = fmt.Sprintf("%d × %s", o.n, o.text)
		}
		texts = append(texts, o.text)
	}
	return strings.Join(texts, "; ")
}

// left names the task and says what it waits for.
func (t *TaskInfo) left() string {
	name := t.Name()
	if name == "" {
		name = "a task"
	}
	text := fmt.Sprintf("%s (loop %d)", name, t.Loop)
	on := "" // who has the lock; does includes that for a Mutex
	if t.State == loop.TaskParked && t.Wait.On.ID != 0 && !strings.HasPrefix(t.Wait.Op, "Mutex.") {
		on = ", " + t.Wait.On.String()
	}
	switch {
	case t.Held != "" && t.State == loop.TaskRunning:
		return text + ", which holds its loop"
	case t.Held != "" && name != "a task":
		return text // what it waits for is not known without its loop
	default:
		return text + ", " + t.does() + on
	}
}
