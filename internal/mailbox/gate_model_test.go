package mailbox

import (
	"strings"
	"testing"
)

// This file walks every interleaving of two notifiers and an owner over the
// gate's transitions, the very functions that Gate's methods apply. Each step of
// a thread is one atomic action of the real code; a failed compare-and-swap
// changes nothing and so needs no step of its own.

// table is the gate under test, so that broken ones can be tried too.
type table struct {
	notify, signalled, announce, awake, close func(word) (word, bool)
}

var realTable = table{word.notify, word.signalled, word.announce, word.awake, word.close}

const (
	notifiers    = 2
	pushesEach   = 2
	othersMax    = 2 // completions that end a sleep without the gate
	pcDone       = -1
	pcAsleep     = 3
	pcMustSignal = 2
)

// state is the whole system: comparable, so that a state is visited once.
type state struct {
	w                          word
	rung, fdClosed, mailClosed bool
	mail                       int
	delivered, refused         int
	owner, others              int
	pc                         [notifiers]int
	pushed                     [notifiers]int
}

type checker struct {
	table
	closeMailFirst bool
	seen           map[state]bool
	faults         map[string]bool
	ends           int
}

func (c *checker) fault(what string) { c.faults[what] = true }

func (c *checker) explore(s state) {
	if c.seen[s] {
		return
	}
	c.seen[s] = true
	moved := false
	for i := range notifiers {
		if s.pc[i] != pcDone {
			moved = true
			c.explore(c.notifier(s, i))
		}
	}
	for _, next := range c.ownerSteps(s) {
		moved = true
		c.explore(next)
	}
	if !moved {
		c.end(s)
	}
}

// end checks a state in which nobody can move.
func (c *checker) end(s state) {
	c.ends++
	if s.owner == pcAsleep {
		if s.mail > 0 {
			c.fault("lost wake: the owner sleeps on mail")
		}
		return // a correct sleep with nothing to come; the owner could also close, elsewhere in the walk
	}
	if !s.fdClosed {
		c.fault("the descriptor is never closed")
	}
	if s.delivered+s.refused != notifiers*pushesEach {
		c.fault("a message is lost")
	}
}

func (c *checker) closeFD(s *state) {
	if s.fdClosed {
		c.fault("the descriptor is closed twice")
	}
	s.fdClosed = true
}

// notifier makes one step of notifier i: push, notify, signal, signalled, close.
func (c *checker) notifier(s state, i int) state {
	again := func() int {
		if s.pushed[i] == pushesEach {
			return pcDone
		}
		return 0
	}
	var yes bool
	switch s.pc[i] {
	case 0:
		s.pushed[i]++
		if s.mailClosed {
			s.refused++
		} else {
			s.mail++
		}
		s.pc[i] = 1
	case 1:
		if s.w, yes = c.notify(s.w); yes {
			s.pc[i] = pcMustSignal
		} else {
			s.pc[i] = again()
		}
	case pcMustSignal:
		if s.fdClosed {
			c.fault("a closed descriptor is signalled")
		}
		s.rung = true
		s.pc[i] = 3
	case 3:
		if s.w, yes = c.signalled(s.w); yes {
			s.pc[i] = 4
		} else {
			s.pc[i] = again()
		}
	case 4:
		c.closeFD(&s)
		s.pc[i] = again()
	}
	return s
}

// ownerSteps returns what the owner can do next: look round (0, 1), announce or
// close (2), wake (3), close the gate, the descriptor and the mailbox (4 to 6).
func (c *checker) ownerSteps(s state) []state {
	takeAll := func(s *state) { s.delivered, s.mail = s.delivered+s.mail, 0 }
	var yes bool
	next := s
	switch s.owner {
	case 0:
		next.w, _ = c.awake(s.w)
		next.owner = 1
	case 1:
		takeAll(&next)
		next.owner = 2
	case 2:
		closing := s
		closing.owner = 4
		if c.closeMailFirst {
			takeAll(&closing)
			closing.mailClosed = true
		}
		if next.w, yes = c.announce(s.w); yes {
			next.owner = pcAsleep
		} else {
			next.owner = 0
		}
		return []state{closing, next}
	case pcAsleep:
		return c.wakes(s)
	case 4:
		if next.w, yes = c.close(s.w); yes {
			next.owner = 5
		} else {
			next.owner = 6
		}
	case 5:
		c.closeFD(&next)
		next.owner = 6
	case 6:
		takeAll(&next)
		next.mailClosed = true
		next.owner = pcDone
	default:
		return nil
	}
	return []state{next}
}

// wakes returns how a sleep can end: by the descriptor or by something else.
func (c *checker) wakes(s state) (next []state) {
	if s.rung {
		rung := s
		rung.rung, rung.owner = false, 0
		next = append(next, rung)
	}
	if s.others < othersMax {
		other := s
		other.others, other.owner = s.others+1, 0
		next = append(next, other)
	}
	return next
}

func walk(tab table, closeMailFirst bool) *checker {
	c := &checker{table: tab, closeMailFirst: closeMailFirst, seen: map[state]bool{}, faults: map[string]bool{}}
	c.explore(state{})
	return c
}

func TestGateAllInterleavings(t *testing.T) {
	for _, mailFirst := range []bool{false, true} {
		c := walk(realTable, mailFirst)
		for what := range c.faults {
			t.Errorf("mailbox closed first %v: %s", mailFirst, what)
		}
		t.Logf("mailbox closed first %v: %d states, %d ends", mailFirst, len(c.seen), c.ends)
		if len(c.seen) < 1000 {
			t.Errorf("only %d states: the walk does not walk", len(c.seen))
		}
	}
}

// Each table here has one mistake, and the walk must find it: otherwise the test
// above proves nothing.
func TestGateWalkFindsMistakes(t *testing.T) {
	for _, m := range []struct {
		name   string
		want   string
		damage func(tab *table)
	}{
		{"Announce forgets a notification", "lost wake", func(tab *table) {
			tab.announce = func(w word) (word, bool) { return w.with(stateAsleep), true }
		}},
		{"Notify leaves no mark on an awake owner", "lost wake", func(tab *table) {
			tab.notify = func(w word) (word, bool) {
				if w.state() == stateAwake {
					return w, false
				}
				return w.notify()
			}
		}},
		{"Awake does not end the sleep", "lost wake", func(tab *table) {
			tab.awake = func(w word) (word, bool) {
				if w.state() == stateNotified {
					return w, true
				}
				return w.awake()
			}
			tab.announce = func(w word) (word, bool) { return w, true }
		}},
		{"Notify does not count itself", "a closed descriptor is signalled", func(tab *table) {
			tab.notify = func(w word) (word, bool) {
				next, must := w.notify()
				if must {
					next -= signaller
				}
				return next, must
			}
			tab.signalled = func(w word) (word, bool) { return w, false }
		}},
		{"Close does not look at the count", "closed twice", func(tab *table) {
			tab.close = func(w word) (word, bool) { return w.with(stateClosed), true }
		}},
		{"Signalled never closes", "never closed", func(tab *table) {
			tab.signalled = func(w word) (word, bool) { return w - signaller, false }
		}},
		{"Notify goes on after Close", "closed descriptor", func(tab *table) {
			tab.notify = func(w word) (word, bool) {
				if w.state() == stateClosed {
					return w + signaller, true
				}
				return w.notify()
			}
		}},
	} {
		tab := realTable
		m.damage(&tab)
		found := false
		var all []string
		for what := range walk(tab, false).faults {
			found = found || strings.Contains(what, m.want)
			all = append(all, what)
		}
		if !found {
			t.Errorf("%s: found %q, want %q", m.name, all, m.want)
		}
	}
}
