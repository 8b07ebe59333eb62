package op

import (
	"testing"

	"ringo/uring"
)

// A row without ways could not be run by a ring, and one whose last way needs much
// would not run on an old kernel.
func TestWays(t *testing.T) {
	for code := range Codes {
		d := &Table[code]
		for _, flags := range []Flags{0, Multishot, Select, Multishot | Select} {
			if flags&Multishot != 0 && !d.Multishot || flags&Select != 0 && !d.Select {
				continue
			}
			var last *Way
			for i := range code.Ways() {
				w := &code.Ways()[i]
				if !w.Serves(flags) {
					continue
				}
				last = w
				switch {
				case w.How == 0:
					t.Errorf("%s: nobody knows how to go %s", d.Name, w.Name)
				case w.Prep != nil && d.Prep == nil:
					t.Errorf("%s: %s has nothing to submit", d.Name, w.Name)
				case w.Prep == nil && d.Attempt == nil:
					t.Errorf("%s: %s has no call to make", d.Name, w.Name)
				}
				if w.How == ByReadiness && d.Kind != Pollable {
					t.Errorf("%s: readiness does not concern it", d.Name)
				}
			}
			if last == nil {
				t.Errorf("%s: no way with flags %b", d.Name, flags)
				continue
			}
			if len(last.Checks) != 0 {
				t.Errorf("%s, flags %b: the last way needs %v", d.Name, flags, last.Checks)
			}
			// What there has been since the first kernel that this driver runs on.
			since := uring.OpSet{}.With(uring.OpNop, uring.OpPollAdd, uring.OpTimeout, uring.OpAsyncCancel)
			if last.How != ByOffload && !since.Has(last.Opcode) {
				t.Errorf("%s, flags %b: the last way needs %v", d.Name, flags, last.Opcode)
			}
		}
	}
}

// The best way of a row is its own Prep, if it has one.
func TestBestWay(t *testing.T) {
	for code := range Codes {
		d, best := &Table[code], code.Ways()[0]
		if d.Prep == nil {
			if best.Prep != nil {
				t.Errorf("%s: its best way is an entry", d.Name)
			}
			continue
		}
		if best.How != ByEntry || best.Opcode != d.Opcode {
			t.Errorf("%s: its best way is %s, %v", d.Name, best.Name, best.Opcode)
		}
	}
}
