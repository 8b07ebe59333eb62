package census

import (
	"reflect"
	"sync"
	"time"

	"ringo/internal/loop"
	"ringo/stats"
)

// totals holds the counts of all loops of the process, including those that have ended, so that sums over the process
// never go down. A Run gets the lowest number that is free: so a program with one Run after another has one line of
// counts for each loop index, and not one for each loop of each Run.
var totals struct {
	sync.Mutex
	runs []*runTotals
}

type runTotals struct {
	set   *loop.Set // nil: the Run has ended
	loops []loopTotals
	lanes []stats.Lane // of the Runs that have ended
}

type loopTotals struct {
	live *loop.Loop
	past stats.Loop // the counts of those that have ended, without values of a moment
}

// Total is what all loops with the same Run number and index have counted.
type Total struct {
	Run, Index int
	Live       *loop.Loop // the loop that runs; nil: none
	past       stats.Loop
}

// Totals returns the totals of the process. G.
func Totals() (all []Total) {
	totals.Lock()
	defer totals.Unlock()
	for n, r := range totals.runs {
		for i := range r.loops {
			all = append(all, Total{n, i, r.loops[i].live, r.loops[i].past})
		}
	}
	return all
}

// Stats asks the loop as StatsOf does, and adds the counts of the loops before it. G, may park.
func (t *Total) Stats() stats.Loop {
	if t.Live == nil {
		return t.past
	}
	return plus(StatsOf(t.Live), &t.past)
}

// LaneTotals returns the lanes of all Runs, by number. G.
func LaneTotals() (all [][]stats.Lane) {
	totals.Lock()
	defer totals.Unlock()
	for _, r := range totals.runs {
		lanes := r.lanes
		if r.set != nil {
			s := plus(stats.Loop{Lanes: r.set.Lanes().Stats()}, &stats.Loop{Lanes: lanes})
			lanes = s.Lanes
		}
		all = append(all, lanes)
	}
	return all
}

// beginTotals gives a Run its number. Its lanes are counted live until the Run calls end.
func (s *Run) beginTotals() (end func()) {
	totals.Lock()
	defer totals.Unlock()
	var r *runTotals
	for _, o := range totals.runs {
		if o.free() {
			r = o
			break
		}
	}
	if r == nil {
		r = new(runTotals)
		totals.runs = append(totals.runs, r)
	}
	r.set, s.totals = s.set, r
	return func() {
		totals.Lock()
		defer totals.Unlock()
		last := plus(stats.Loop{Lanes: s.set.Lanes().Stats()}, &stats.Loop{Lanes: r.lanes})
		r.set, r.lanes = nil, counts(last).Lanes
	}
}

// free reports whether the number is free. A loop can outlast a Run that has ended without it.
func (r *runTotals) free() bool {
	for i := range r.loops {
		if r.loops[i].live != nil {
			return false
		}
	}
	return r.set == nil
}

func (r *Record) beginTotals() {
	totals.Lock()
	defer totals.Unlock()
	t, at := r.run.totals, r.l.Index()
	for len(t.loops) <= at {
		t.loops = append(t.loops, loopTotals{})
	}
	t.loops[at].live = r.l
}

// endTotals keeps the final counts of the loop, none less than callers have been given.
func (r *Record) endTotals() {
	totals.Lock()
	defer totals.Unlock()
	t := &r.run.totals.loops[r.l.Index()]
	last := plus(r.promised.end(r.last.Load().Loop, r.l.Elapsed()), &t.past)
	t.live, t.past = nil, counts(last)
}

// plus returns s with the counts of past added. It uses reflection, because the types show what can be added: uint64s
// and histograms, and durations except those of a moment; everything else stays as in s.
func plus(s stats.Loop, past *stats.Loop) stats.Loop {
	combine(reflect.ValueOf(&s).Elem(), reflect.ValueOf(past).Elem())
	return s
}

// counts returns s without values of a moment.
func counts(s stats.Loop) stats.Loop {
	keepCounts(reflect.ValueOf(&s).Elem())
	return s
}

// ofAMoment names the durations that are not counts.
var ofAMoment = map[string]bool{"Held": true, "Longest": true, "Recent": true, "Oldest": true}

var durationType = reflect.TypeFor[time.Duration]()

func combine(v, past reflect.Value) {
	if h, ok := v.Addr().Interface().(*stats.Histogram); ok {
		h.Merge(past.Addr().Interface().(*stats.Histogram))
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			if !ofAMoment[v.Type().Field(i).Name] {
				combine(v.Field(i), past.Field(i))
			}
		}
	case reflect.Slice:
		combineByName(v, past)
	case reflect.Uint64:
		v.SetUint(v.Uint() + past.Uint())
	case reflect.Int64:
		if v.Type() == durationType {
			v.SetInt(v.Int() + past.Int())
		}
	}
}

// combineByName combines the elements of two slices that have the same first field, their name.
func combineByName(v, past reflect.Value) {
	all := reflect.AppendSlice(reflect.MakeSlice(v.Type(), 0, v.Len()+past.Len()), v) // a copy: v may be shared
	for i := range past.Len() {
		at := 0
		for at < all.Len() && all.Index(at).Field(0).String() != past.Index(i).Field(0).String() {
			at++
		}
		if at == all.Len() {
			all = reflect.Append(all, past.Index(i))
			continue
		}
		combine(all.Index(at), past.Index(i))
	}
	v.Set(all)
}

func keepCounts(v reflect.Value) {
	if _, ok := v.Addr().Interface().(*stats.Histogram); ok {
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Field(i); ofAMoment[v.Type().Field(i).Name] {
				f.SetZero()
			} else {
				keepCounts(f)
			}
		}
	case reflect.Slice:
		for i := range v.Len() {
			keepCounts(v.Index(i))
		}
	case reflect.Int:
		v.SetZero()
	}
}
