package op

import "ringo/uring"

// How says how a driver over io_uring runs an op.
type How uint8

const (
	// ByEntry: one entry, and the kernel does the rest. A multishot op gets all its completions from it, or ends with
	// the first.
	ByEntry How = iota + 1
	// ByEntries: a multishot op by one entry after the other.
	ByEntries
	// ByReadiness: an entry that waits for readiness, then the plain call.
	ByReadiness
	// ByOffload: the plain call, on a thread where it may wait.
	ByOffload
)

// A Way is one way to run an op. Each row yields a list of ways, the best one first. When a ring is opened, the first
// way whose needs the kernel meets is chosen, once.
type Way struct {
	Name   string // for reports
	How    How
	Opcode uring.Op // of the entry, if there is one
	// Checks are self-tests of package uring that must have passed.
	Checks []string
	// Only and Never are flags of the ops that this way can serve.
	Only, Never Flags
	// Prep turns the op into a submission, as its row does; nil if this way has no entry. It is a field and not a
	// method because tasks submit, and their stacks must stay small: sock.TestParkedStacks.
	Prep func(o *Op, e *uring.SQE)
}

// Serves reports whether ops with these flags can use the way.
func (w *Way) Serves(f Flags) bool { return f&w.Only == w.Only && f&w.Never == 0 }

// once is the row's Prep for a single completion, even if the op is multishot.
func (d *Def) once(o *Op, e *uring.SQE) {
	flags := o.Flags
	o.Flags &^= Multishot
	d.Prep(o, e)
	o.Flags = flags
}

// ways has the lists of all rows: the row's own entry, then its single entry for kernels without multishot, then what
// its Kind allows on any kernel.
var ways = func() (all [Codes][]Way) {
	for code := range all {
		all[code] = Table[code].ways()
	}
	return all
}()

func (d *Def) ways() (list []Way) {
	entry := Way{Name: "entry", How: ByEntry, Opcode: d.Opcode, Never: Multishot, Prep: d.Prep}
	switch {
	case d.Prep == nil:
	case d.Select:
		own, lent := entry, entry
		own.Never |= Select
		lent.Only, lent.Checks = Select, []string{uring.CheckBufRing}
		shots := Way{Name: "multishot entry", How: ByEntry, Opcode: d.Opcode, Only: Multishot, Prep: d.Prep,
			Checks: []string{uring.CheckBufRing, d.Check}}
		list = append(list, own, lent, shots)
	case d.Multishot:
		shots := Way{Name: "multishot entry", How: ByEntry, Opcode: d.Opcode, Only: Multishot, Prep: d.Prep,
			Checks: []string{d.Check}}
		single := Way{Name: "entry", How: d.Single, Opcode: d.Opcode, Only: Multishot, Prep: d.once}
		if single.How == ByEntries {
			single.Name = "entries, one after the other"
		}
		list = append(list, entry, shots, single)
	default:
		list = append(list, entry)
	}
	switch {
	case d.Attempt == nil:
	case d.Kind == Blocking || d.File:
		list = append(list, Way{Name: "offload", How: ByOffload})
	case d.Interest != 0:
		list = append(list, Way{Name: "readiness, then a call", How: ByReadiness, Opcode: uring.OpPollAdd})
	}
	return list
}

// Ways returns the row's ways, the best one first.
func (c Code) Ways() []Way { return ways[c] }
