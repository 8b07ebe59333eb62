package debug

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"ringo"
	"ringo/internal/loop"
	"ringo/internal/watch"
	"ringo/stats"
)

// hold is a place that has held a loop, in the form of the API, with the fields of stats.Hold.
type hold struct {
	Loop    string `json:"loop"`
	Task    string `json:"task"`
	At      string `json:"at"`
	In      string `json:"in"`
	State   string `json:"state"`
	Times   uint64 `json:"times"`
	Total   int64  `json:"total"`
	Longest int64  `json:"longest"`
}

// holds lists what has held the loops, the longest in all first. It returns all places, since there are few.
func holds(q *query) (any, error) {
	which, err := q.wanted()
	if err != nil {
		return nil, err
	}
	list, present, total := []hold{}, []*hold{}, 0
	for _, l := range which {
		if h := presentHold(l); h != nil {
			present = append(present, h)
		}
		for _, h := range l.Holds() {
			list = append(list, holdOf(loopName(l), h))
		}
	}
	total = len(list)
	if keeps := q.filter(); keeps != nil {
		list = slices.DeleteFunc(list, func(h hold) bool { return !keeps(h.Task, h.At, h.In, h.State) })
	}
	slices.SortFunc(list, func(a, b hold) int {
		return cmp.Or(cmp.Compare(b.Total, a.Total), strings.Compare(a.Task, b.Task), strings.Compare(a.Loop, b.Loop))
	})
	return map[string]any{
		"now": moment(time.Now()), "total": total, "matched": len(list), "holds": list, "present": present,
	}, nil
}

// presentHold returns what holds the loop now, or nil if nothing does.
func presentHold(l *ringo.Loop) *hold {
	h, held := watch.PresentHold((*loop.Loop)(l))
	if !held {
		return nil
	}
	of := holdOf(loopName(l), h)
	return &of
}

func holdOf(loop string, h stats.Hold) hold {
	return hold{loop, h.Task, h.At, h.In, h.State, h.Times, int64(h.Total), int64(h.Longest)}
}
