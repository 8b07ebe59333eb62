package differ

import (
	"fmt"
	"strings"
	"time"
)

// Differences lists what differs between two results of a plan, one line each, or "" if they are the same.
func Differences(p *Plan, want, got Result) string {
	var b strings.Builder
	for _, r := range []Result{want, got} {
		if r.Err != nil {
			fmt.Fprintf(&b, "%s: %v\n", r.Machine, r.Err)
		}
	}
	if b.Len() > 0 {
		return b.String()
	}
	for i := range p.Actors {
		for k := range p.Actors[i] {
			s := &p.Actors[i][k]
			if w, g := want.Seen[i][k], got.Seen[i][k]; w != g {
				fmt.Fprintf(&b, "a%d.%d: %s\n  %s: %s\n  %s: %s\n", i, k, s, want.Machine, w, got.Machine, g)
			}
		}
	}
	return b.String()
}

// A Bench is several machines; the first one's results count as right.
type Bench struct {
	Machines []Machine
	Allowed  []Kind
	Patience time.Duration
	Target   string // the fuzz target that reruns a failed program
	sessions []Session
}

// Try runs a program on all machines, and returns what differs.
func (b *Bench) Try(p Program) string {
	plan := MakePlan(p, b.Allowed)
	var want Result
	for i, m := range b.Machines {
		got := b.run(i, m, plan)
		if i == 0 {
			want = got
		}
		if d := Differences(plan, want, got); d != "" {
			return d
		}
	}
	return ""
}

// run runs a plan on machine i. It uses the same session as before unless something went wrong there.
func (b *Bench) run(i int, m Machine, plan *Plan) Result {
	for len(b.sessions) < len(b.Machines) {
		b.sessions = append(b.sessions, nil)
	}
	if b.sessions[i] == nil {
		s, err := m.Open()
		if err != nil {
			return Result{Machine: m.Name(), Err: err}
		}
		b.sessions[i] = s
	}
	r := Run(b.sessions[i], m.Name(), plan, b.Patience)
	if r.Err != nil {
		// A session that hangs may never end, so nothing waits for its Close here.
		go b.sessions[i].Close()
		b.sessions[i] = nil
	}
	return r
}

// Close ends all sessions, and returns their errors.
func (b *Bench) Close() (errs []error) {
	for _, s := range b.sessions {
		if s != nil {
			if err := s.Close(); err != nil {
				errs = append(errs, err)
			}
		}
	}
	b.sessions = nil
	return errs
}

// Shrink makes a failing program smaller for as long as it still fails: it removes records, sets numbers in them and
// in the head to zero or to half, which also removes actors. Because a program may fail only now and then, Shrink tries
// each smaller one several times before it keeps the larger one.
func (b *Bench) Shrink(p Program, tries int, until time.Time) Program {
	fails := func(q Program) bool {
		for range tries {
			if time.Now().After(until) {
				return false
			}
			if b.Try(q) != "" {
				return true
			}
		}
		return false
	}
	for smaller := true; smaller; {
		smaller = false
		for n := len(p.records()) / 2; n > 0; n /= 2 {
			for from := 0; from < len(p.records()); {
				if q := p.withoutRecords(from, n); fails(q) {
					p, smaller = q, true
				} else {
					from += n
				}
			}
		}
		for i := range p {
			for _, v := range []byte{0, p[i] / 2} {
				if v < p[i] {
					q := append(Program{}, p...)
					if q[i] = v; (i < headSize || (i-headSize)%recordSize > 0) && fails(q) {
						p, smaller = q, true
						break
					}
				}
			}
		}
	}
	return p
}

// Report describes a failure: what differs, and the program as text and as a file for testdata/fuzz.
func (b *Bench) Report(p Program, what string) string {
	return fmt.Sprintf("%s\n%s\nas a file of internal/test/differ/testdata/fuzz/%s:\n%s", what,
		MakePlan(p, b.Allowed), b.Target, p.Corpus())
}
