package debug

import (
	"cmp"
	"net/netip"
	"strings"
	"time"

	"ringo/internal/loop"
)

// handle is something open as the API shows it, with the fields of ringo.HandleInfo.
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

// shownHandle is one of a list in the making.
type shownHandle struct {
	loop.HandleInfo
	loop string
}

func (h *shownHandle) local() string  { return endName(h.Local, h.LocalName) }
func (h *shownHandle) remote() string { return endName(h.Remote, h.RemoteName) }

// endName is an address as text, or a name.
func endName(ap netip.AddrPort, name string) string {
	if name == "" && ap.IsValid() {
		return ap.String()
	}
	return name
}

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

// handles lists what is open on the loops.
func handles(q *query) (any, error) {
	which, err := q.wanted()
	if err != nil {
		return nil, err
	}
	n, err := q.rows()
	if err != nil {
		return nil, err
	}
	order, err := sorting(q, handleOrders, "-age")
	if err != nil {
		return nil, err
	}
	keeps := q.filter()
	sum := handleSum{kinds: map[string]int{}, rows: &first[shownHandle]{n: n, order: order}, held: []string{}}
	begun := time.Now()
	for _, l := range which {
		name, part := loopName(l), sum.part()
		ok := (*loop.Loop)(l).EachHandleInfo(func(i *loop.HandleInfo) {
			h := &shownHandle{*i, name}
			part.total++
			if keeps != nil && !keeps(h.Kind, h.State, h.local(), h.remote()) {
				return
			}
			part.add(h)
		})
		if !ok {
			sum.held = append(sum.held, name) // and what it tells now comes too late
			continue
		}
		sum.merge(part)
	}
	list := []handle{}
	for _, h := range sum.rows.sorted() {
		list = append(list, handle{
			Loop: h.loop, Kind: h.Kind, Network: h.Network, State: h.State, FD: int(h.FD), Local: h.local(),
			Remote: h.remote(), Reading: h.In, Writing: h.Out, Age: int64(h.Age), Unread: h.Unread, Unsent: h.Unsent,
			Leases: h.Leases,
		})
	}
	return map[string]any{
		"now": moment(time.Now()), "total": sum.total, "matched": sum.matched, "kinds": sum.kinds,
		"unread": sum.unread, "unsent": sum.unsent, "handles": list, "held": sum.held,
		"took": int64(time.Since(begun)),
	}, nil
}

// handleSum counts handles, and keeps the first of them.
type handleSum struct {
	total, matched int
	unread, unsent int
	kinds          map[string]int
	rows           *first[shownHandle]
	held           []string
}

// part is a sum for one loop, which may not answer to the end.
func (s *handleSum) part() *handleSum {
	return &handleSum{kinds: map[string]int{}, rows: &first[shownHandle]{n: s.rows.n, order: s.rows.order}}
}

func (s *handleSum) add(h *shownHandle) {
	s.matched++
	s.kinds[h.Kind]++
	s.unsent += h.Unsent
	if h.Kind != "listener" {
		s.unread += h.Unread
	}
	s.rows.add(h)
}

func (s *handleSum) merge(o *handleSum) {
	s.total, s.matched, s.unread, s.unsent = s.total+o.total, s.matched+o.matched, s.unread+o.unread, s.unsent+o.unsent
	for kind, n := range o.kinds {
		s.kinds[kind] += n
	}
	for i := range o.rows.rows {
		s.rows.add(&o.rows.rows[i])
	}
}
