package loop

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// graceOver cancels what the drain has waited for, and tells what that is.
func (s *Set) graceOver() {
	s.mu.Lock()
	if s.stopping || s.over {
		s.mu.Unlock()
		return
	}
	s.telling.Add(1)
	s.mu.Unlock()
	defer s.telling.Done()
	if !s.cfg.tells() {
		s.cancelAll()
		return
	}
	if s.cfg.Stage != nil { // all loops stand still
		var tasks []TaskInfo
		for _, l := range s.loops {
			if !l.ended.Load() {
				tasks = append(tasks, l.tasksAtOnce()()...)
			}
		}
		s.cancelAll()
		s.tellLeft(tasks)
		return
	}
	found := make([]chan func() []TaskInfo, len(s.loops))
	for i, l := range s.loops {
		found[i] = make(chan func() []TaskInfo, 1)
		l.Call(func() {
			found[i] <- l.tasksAtOnce() // in one piece, since cancelAll looks at each task, too
		})
	}
	s.cancelAll()
	var tasks []TaskInfo
	patience := time.After(askPatience)
	late := false
	for i, l := range s.loops {
		if !late {
			select {
			case sorted := <-found[i]:
				tasks = append(tasks, sorted()...)
				continue
			case <-patience:
				late = true
			}
		}
		select {
		case sorted := <-found[i]:
			tasks = append(tasks, sorted()...)
		default:
			if !l.ended.Load() {
				tasks = append(tasks, l.tasksWhileHeld()...)
			}
		}
	}
	s.tellLeft(tasks)
}

func (s *Set) tellLeft(tasks []TaskInfo) {
	if len(tasks) > 0 {
		s.cfg.tell("drain took all of Grace",
			fmt.Sprintf("ringo: drain took all of Grace (%v), for: %s\n", s.cfg.Grace, left(tasks, leftMax)))
	}
}

// unended is the tasks that have not ended, for an error.
func (s *Set) unended() string {
	found := make([][]TaskInfo, len(s.loops))
	var asked sync.WaitGroup
	for i, l := range s.loops { // at the same time: those that are held take a while
		if !l.ended.Load() {
			asked.Go(func() { found[i] = l.Tasks() })
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
	namesMax = 20 // and in an error
)

// left names tasks and what they wait for, those that are alike together, the most frequent first:
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

// left says who a task is and what it waits for.
func (t *TaskInfo) left() string {
	name := t.Name()
	if name == "" {
		name = "a task"
	}
	text := fmt.Sprintf("%s (loop %d)", name, t.Loop)
	on := ""
	if t.State == TaskParked && t.Wait.On.ID != 0 && !strings.HasPrefix(t.Wait.Op, "Mutex.") { // which does says itself
		on = ", " + t.Wait.On.String()
	}
	switch {
	case t.Held != "" && t.State == TaskRunning:
		return text + ", which holds its loop"
	case t.Held != "" && name != "a task":
		return text // for what it waits its loop can't be asked
	default:
		return text + ", " + t.does() + on
	}
}
