package debug

import (
	"cmp"
	"strings"
	"time"

	"ringo/internal/census"
	"ringo/internal/loop"
	"ringo/internal/rt/code"
)

// task is a task as the API shows it, with the fields of stats.Task.
type task struct {
	Loop     string `json:"loop"`
	ID       uint64 `json:"id"`
	Name     string `json:"name"`
	At       string `json:"at,omitempty"`
	State    string `json:"state"`
	Age      int64  `json:"age"`
	Since    int64  `json:"since"`
	Canceled bool   `json:"canceled,omitempty"`
	Ran      int64  `json:"ran"` // the part of the last second in which it ran, in millionths
	Stack    int    `json:"stack"`
	Wait     string `json:"wait,omitempty"`
	WaitOp   string `json:"waitOp,omitempty"`
	FD       int    `json:"fd"`
	Peer     string `json:"peer,omitempty"`
	Until    any    `json:"until,omitempty"`
	Holder   string `json:"holder,omitempty"`
}

// taskGroup is the tasks with one name, state and wait.
type taskGroup struct {
	Name   string `json:"name"`
	At     string `json:"at,omitempty"`
	State  string `json:"state"`
	WaitOp string `json:"waitOp,omitempty"`
	Count  int    `json:"count"`
	Oldest int64  `json:"oldest"` // the largest Since of them
	Stack  int    `json:"stack"`  // bytes, of all
}

// groupsMax bounds the groups of an answer; its states count the tasks of all groups.
const groupsMax = 100

// shownTask is a task in a list that is being made. Its texts are made when they are needed; for most tasks they
// aren't.
type shownTask struct {
	*census.TaskInfo
	loop string
	now  time.Time
}

func (t *shownTask) age() int64 {
	if t.Began.IsZero() {
		return 0
	}
	return int64(t.now.Sub(t.Began))
}

var taskOrders = map[string]func(a, b *shownTask) int{
	"age":   func(a, b *shownTask) int { return cmp.Compare(a.age(), b.age()) },
	"since": func(a, b *shownTask) int { return cmp.Compare(a.Since, b.Since) },
	"id":    func(a, b *shownTask) int { return cmp.Compare(a.ID, b.ID) },
	"ran":   func(a, b *shownTask) int { return cmp.Compare(a.Ran, b.Ran) },
	"stack": func(a, b *shownTask) int { return cmp.Compare(a.Stack, b.Stack) },
	"state": func(a, b *shownTask) int { return cmp.Compare(a.State, b.State) },
	"name":  func(a, b *shownTask) int { return strings.Compare(a.Name(), b.Name()) },
	"wait":  func(a, b *shownTask) int { return strings.Compare(a.Wait.Op, b.Wait.Op) },
	"loop":  func(a, b *shownTask) int { return strings.Compare(a.loop, b.loop) },
}

// tasks lists the tasks of the loops, with counts by state and by group.
func tasks(q *query) (any, error) {
	list, err := listOf(q, taskOrders, "-since")
	if err != nil {
		return nil, err
	}
	groups := &grouping{by: map[groupKey]*taskGroup{}}
	states := map[string]int{}
	t := new(shownTask) // reused, since there may be many tasks
	answers := census.AskEach(len(list.loops), func(i int) []census.TaskInfo {
		l := (*loop.Loop)(list.loops[i])
		census.Meter(l) // so that the next request gets Ran
		return census.Tasks(l)
	})
	for i, l := range list.loops {
		name, found := loopName(l), answers[i]
		list.total += len(found)
		now := time.Now()
		for i := range found {
			*t = shownTask{&found[i], name, now}
			if list.keeps != nil && !list.keeps(t.Name(), t.waits(), t.State.String()) {
				continue
			}
			states[t.State.String()]++
			groups.add(t)
			list.add(t)
		}
	}
	rows := []task{}
	for _, t := range list.rows.sorted() {
		rows = append(rows, t.row())
	}
	return list.answer(map[string]any{"tasks": rows, "states": states, "groups": groups.largest()}), nil
}

// waits returns what the task waits for, or how its loop is held.
func (t *shownTask) waits() string {
	if t.Held != "" {
		return t.Held
	}
	return t.Wait.String()
}

func (t *shownTask) row() task {
	row := task{
		Loop: t.loop, ID: uint64(t.ID), Name: t.Name(), At: t.Code.Place(), State: t.State.String(), Age: t.age(),
		Since: int64(t.Since), Canceled: t.Canceled, Ran: t.Ran, Stack: t.Stack, Wait: t.waits(), WaitOp: t.Wait.Op,
		FD: int(t.Wait.FD), Peer: t.Wait.PeerName(), Until: moment(t.Until),
	}
	if on := &t.Wait.On; on.Known {
		row.Holder = on.String()
	}
	return row
}

// grouping counts tasks by name, state and wait.
type grouping struct{ by map[groupKey]*taskGroup }

type groupKey struct {
	code  code.Func
	named string
	state loop.TaskState
	wait  string
}

// groupsKept bounds the groups in memory, since each task may have a name of its own.
const groupsKept = 10000

func (g *grouping) add(t *shownTask) {
	key := groupKey{t.Code, t.Named, t.State, t.Wait.Op}
	of := g.by[key]
	if of == nil {
		if len(g.by) == groupsKept {
			key = groupKey{named: "(others)"}
			of = g.by[key]
		}
		if of == nil {
			of = &taskGroup{Name: t.Name(), At: t.Code.Place(), State: t.State.String(), WaitOp: t.Wait.Op}
			if key.named == "(others)" {
				*of = taskGroup{Name: key.named}
			}
			g.by[key] = of
		}
	}
	of.Count++
	of.Stack += t.Stack
	of.Oldest = max(of.Oldest, int64(t.Since))
}

func (g *grouping) largest() []taskGroup {
	rows := &first[taskGroup]{n: groupsMax, order: func(a, b *taskGroup) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), strings.Compare(a.Name, b.Name), strings.Compare(a.State, b.State),
			strings.Compare(a.WaitOp, b.WaitOp))
	}}
	for _, of := range g.by {
		rows.add(of)
	}
	return append([]taskGroup{}, rows.sorted()...)
}
