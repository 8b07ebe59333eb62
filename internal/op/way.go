package op

import "ringo/uring"

// How is the manner in which a driver over io_uring runs an op.
type How uint8

const (
	// ByEntry: one entry, and the kernel does the rest. A multishot op yields all its
	// completions from it.
	ByEntry How = iota
	// ByEntries: a multishot op by one entry after the other.
	ByEntries
	// ByReadiness: an entry that waits for readiness, then the plain call.
	ByReadiness
	// ByOffload: the plain call, on a thread where it may wait.
	ByOffload
)

// A Way is one way to run an op. What a row says makes a list of them, in the order of
// preference; the first whose needs are met is taken, once, when a ring is opened.
type Way struct {
	Name   string // for people
	How    How
	Opcode uring.Op // of the entry, if there is one
	Prep   func(o *Op, e *uring.SQE)
	// Checks are self-tests of package uring that must have passed.
	Checks []string
	// Only and Never are flags of the ops that this way can serve.
	Only, Never Flags
	// NeedsExt: Prep fills in the op's Ext, which the driver provides.
	NeedsExt bool
}

// Serves reports whether ops with these flags can go this way.
func (w *Way) Serves(f Flags) bool { return f&w.Only == w.Only && f&w.Never == 0 }

// ways are the rows' lists: the row's own entry, then what it names beside, then what
// its Kind leaves in any case.
var ways = func() (all [Codes][]Way) {
	for code := range all {
		all[code] = Table[code].ways()
	}
	return all
}()

func (d *Def) ways() (list []Way) {
	if d.Prep != nil {
		entry := Way{Name: "entry", How: ByEntry, Opcode: d.Opcode, Prep: d.Prep, Never: Multishot}
		if d.Select {
			own, lent := entry, entry
			own.Never |= Select
			lent.Only, lent.Checks = Select, []string{uring.CheckBufRing}
			list = append(list, own, lent)
		} else {
			list = append(list, entry)
		}
		if d.Multishot {
			shots := Way{Name: "multishot entry", How: ByEntry, Opcode: d.Opcode, Prep: d.Prep, Only: Multishot}
			if d.Select {
				shots.Checks = append(shots.Checks, uring.CheckBufRing)
			}
			shots.Checks = append(shots.Checks, d.Check)
			list = append(list, shots)
		}
	}
	list = append(list, d.Beside...)
	switch {
	case d.Attempt == nil:
	case d.Kind == Blocking || d.File:
		list = append(list, Way{Name: "offload", How: ByOffload})
	case d.Interest != 0:
		list = append(list, Way{Name: "readiness, then a call", How: ByReadiness, Opcode: uring.OpPollAdd})
	}
	return list
}

// vectored is the way of an entry with a vector, for kernels before Linux 5.6.
func vectored(code uring.Op, prep func(*Op, *uring.SQE)) []Way {
	return []Way{{Name: "vectored entry", How: ByEntry, Opcode: code, Prep: prep, NeedsExt: true}}
}

// Ways lists the row's ways, the best one first.
func (c Code) Ways() []Way { return ways[c] }
