package debug

import (
	"cmp"
	"slices"
	"strings"

	"ringo/internal/census"
	"ringo/internal/loop"
)

// operation is an op in flight, in the form of the API.
type operation struct {
	Loop      string `json:"loop"`
	Op        string `json:"op"`
	State     string `json:"state"`
	FD        int    `json:"fd"` // -1: none
	Bytes     int    `json:"bytes"`
	Multishot bool   `json:"multishot,omitempty"`
	Canceled  bool   `json:"canceled,omitempty"`
}

// opKind counts the ops of one kind.
type opKind struct {
	Op       string `json:"op"`
	InFlight int    `json:"inFlight"`
	Queued   int    `json:"queued"` // of InFlight, those that the kernel has not taken yet
	Canceled int    `json:"canceled"`
	Bytes    int    `json:"bytes"` // lent to the kernel
}

var opOrders = map[string]func(a, b *operation) int{
	"op":    func(a, b *operation) int { return strings.Compare(a.Op, b.Op) },
	"fd":    func(a, b *operation) int { return cmp.Compare(a.FD, b.FD) },
	"bytes": func(a, b *operation) int { return cmp.Compare(a.Bytes, b.Bytes) },
	"loop":  func(a, b *operation) int { return strings.Compare(a.Loop, b.Loop) },
}

// ops lists the operations in flight.
func ops(q *query) (any, error) {
	list, err := listOf(q, opOrders, "fd")
	if err != nil {
		return nil, err
	}
	kinds, held := map[string]*opKind{}, []string{}
	type answer struct {
		ops []census.OpInfo
		ok  bool
	}
	answers := census.AskEach(len(list.loops), func(i int) (a answer) {
		a.ops, a.ok = census.Ops((*loop.Loop)(list.loops[i]))
		return a
	})
	for i, l := range list.loops {
		name, found := loopName(l), answers[i].ops
		if !answers[i].ok {
			held = append(held, name)
		}
		list.total += len(found)
		for _, o := range found {
			row := operation{name, o.Op, o.State, int(o.FD), o.Bytes, o.Multishot, o.Canceled}
			if list.keeps != nil && !list.keeps(row.Op, row.State) {
				continue
			}
			list.add(&row)
			k := kinds[o.Op]
			if k == nil {
				k = &opKind{Op: o.Op}
				kinds[o.Op] = k
			}
			k.add(&row)
		}
	}
	all := []opKind{}
	for _, k := range kinds {
		all = append(all, *k)
	}
	slices.SortFunc(all, func(a, b opKind) int {
		return cmp.Or(cmp.Compare(b.InFlight, a.InFlight), strings.Compare(a.Op, b.Op))
	})
	return list.answer(map[string]any{
		"ops": append([]operation{}, list.rows.sorted()...), "kinds": all, "held": held,
	}), nil
}

func (k *opKind) add(o *operation) {
	k.InFlight++
	k.Bytes += o.Bytes
	if o.State == "queued" {
		k.Queued++
	}
	if o.Canceled {
		k.Canceled++
	}
}
