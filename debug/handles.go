package debug

import (
	"cmp"
	"strings"

	"ringo/internal/census"
	"ringo/internal/loop"
)

// handle is an open handle in the form of the API, with the fields of stats.Handle.
type handle struct {
	Loop    string `json:"loop"`
	Kind    string `json:"kind"`
	Network string `json:"network,omitempty"`
	State   string `json:"state"`
	FD      int    `json:"fd"`
	Local   string `json:"local,omitempty"`
	Remote  string `json:"remote,omitempty"`
	Reading string `json:"reading,omitempty"`
	Writing string `json:"writing,omitempty"`
	Age     int64  `json:"age"`
	Unread  int    `json:"unread"`
	Unsent  int    `json:"unsent"`
	Leases  int    `json:"leases"`
}

// shownHandle is a handle in a list that is being made.
type shownHandle struct {
	census.HandleInfo
	loop string
}

func (h *shownHandle) local() string  { local, _ := h.Ends(); return local }
func (h *shownHandle) remote() string { _, remote := h.Ends(); return remote }

var handleOrders = map[string]func(a, b *shownHandle) int{
	"age":    func(a, b *shownHandle) int { return cmp.Compare(a.Age, b.Age) },
	"fd":     func(a, b *shownHandle) int { return cmp.Compare(a.FD, b.FD) },
	"kind":   func(a, b *shownHandle) int { return strings.Compare(a.Kind, b.Kind) },
	"state":  func(a, b *shownHandle) int { return strings.Compare(a.State, b.State) },
	"unread": func(a, b *shownHandle) int { return cmp.Compare(a.Unread, b.Unread) },
	"unsent": func(a, b *shownHandle) int { return cmp.Compare(a.Unsent, b.Unsent) },
	"leases": func(a, b *shownHandle) int { return cmp.Compare(a.Leases, b.Leases) },
	"loop":   func(a, b *shownHandle) int { return strings.Compare(a.loop, b.loop) },
	"local":  func(a, b *shownHandle) int { return strings.Compare(a.local(), b.local()) },
	"remote": func(a, b *shownHandle) int { return strings.Compare(a.remote(), b.remote()) },
}

// handles lists the open handles of the loops.
func handles(q *query) (any, error) {
	list, err := listOf(q, handleOrders, "-age")
	if err != nil {
		return nil, err
	}
	sum, held := handleSum{listing: list, kinds: map[string]int{}}, []string{}
	parts := census.AskEach(len(list.loops), func(i int) *handleSum {
		l := list.loops[i]
		name, part := loopName(l), sum.part()
		ok := census.EachHandle((*loop.Loop)(l), func(i *census.HandleInfo) {
			h := &shownHandle{*i, name}
			part.total++
			if part.keeps != nil && !part.keeps(h.Kind, h.State, h.local(), h.remote()) {
				return
			}
			part.count(h)
		})
		if !ok {
			return nil // what the loop reports from now on comes too late
		}
		return part
	})
	for i, part := range parts {
		if part == nil {
			held = append(held, loopName(list.loops[i]))
			continue
		}
		sum.merge(part)
	}
	rows := []handle{}
	for _, h := range list.rows.sorted() {
		rows = append(rows, handle{
			Loop: h.loop, Kind: h.Kind, Network: h.Network, State: h.State, FD: int(h.FD), Local: h.local(),
			Remote: h.remote(), Reading: h.In, Writing: h.Out, Age: int64(h.Age), Unread: h.Unread, Unsent: h.Unsent,
			Leases: h.Leases,
		})
	}
	return list.answer(map[string]any{
		"handles": rows, "kinds": sum.kinds, "unread": sum.unread, "unsent": sum.unsent, "held": held,
	}), nil
}

// handleSum counts handles, and keeps those that are first in the order of the list.
type handleSum struct {
	*listing[shownHandle]
	unread, unsent int
	kinds          map[string]int
}

// part returns an empty sum for one loop, which may stop answering before its end.
func (s *handleSum) part() *handleSum {
	return &handleSum{listing: s.listing.part(), kinds: map[string]int{}}
}

func (s *handleSum) count(h *shownHandle) {
	s.kinds[h.Kind]++
	s.unsent += h.Unsent
	if h.Kind != "listener" {
		s.unread += h.Unread
	}
	s.add(h)
}

func (s *handleSum) merge(o *handleSum) {
	s.listing.merge(o.listing)
	s.unread, s.unsent = s.unread+o.unread, s.unsent+o.unsent
	for kind, n := range o.kinds {
		s.kinds[kind] += n
	}
}
