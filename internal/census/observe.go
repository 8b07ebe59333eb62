package census

import (
	"log/slog"
	"math"
	"sync/atomic"
	"time"

	"ringo/internal/loop"
	"ringo/stats"
)

// Run is what is kept of a Run for those who look at it: the loop.RunObserver of those who want no more.
type Run struct {
	set    *loop.Set
	totals *runTotals
}

// NewRun is for an observer of loop.Config that has it in itself.
func NewRun(s *loop.Set) *Run { return &Run{set: s} }

// On makes the Record of a loop.
func (r *Run) On(l *loop.Loop) loop.Observer { return r.Record(l) }

// Record is On for an observer that has it in itself.
func (r *Run) Record(l *loop.Loop) *Record {
	o := &Record{l: l, run: r, limit: l.Config().Stall, logs: l.Config().LogTasks}
	if o.limit < 0 {
		o.limit = math.MaxInt64
	}
	return o
}

// Begins gives the Run its place in the totals, and tells those who Follow.
func (r *Run) Begins() (over func()) {
	end := beginRun()
	endTotals := r.beginTotals()
	return func() { endTotals(); end() }
}

// Runs is nothing to it.
func (r *Run) Runs() (ends func()) { return func() {} }

// Record is what is kept of a loop. All but what says so is its thread's.
type Record struct {
	l         *loop.Loop
	run       *Run
	turnTimes stats.Histogram
	recent    recent
	limit     time.Duration // turns that are longer are stalls
	stalls    uint64
	logs      bool                 // tasks
	spared    uint64               // wakes, as they were told last
	last      atomic.Pointer[kept] // G
	promised  promised             // G
	names     nameTags             // G
	asked     askings              // G
	metering  atomic.Bool          // G: Meter has sent mail that is not read yet
	tracing   tracing
	meter     *meter // of what tasks take; nil: nobody watches
}

// of is the record of a loop; nil if nobody looks at its Run. G.
func of(l *loop.Loop) *Record {
	if o, ok := l.Observer().(interface{ record() *Record }); ok {
		return o.record()
	}
	return nil
}

func (r *Record) record() *Record { return r }

// Begins and Ends are for the totals.
func (r *Record) Begins() { r.beginTotals() }
func (r *Record) Ends()   { r.endTotals() }

// TurnBegins wants to know of all tasks if one of those is asked for who see them one by one.
func (r *Record) TurnBegins() (tasks bool) {
	r.tracing.look(r.l)
	if r.meter != nil {
		r.meterTurn()
	}
	return r.tracing.on || r.meter != nil || r.logs
}

// TurnEnds counts a turn.
func (r *Record) TurnEnds(took time.Duration) {
	r.turnTimes.Add(took)
	if took > r.limit {
		r.stalls++
	}
	if now := r.l.NowNS(); took > r.recent.longest || now >= r.recent.until {
		due := now >= r.recent.until
		r.recent.add(took, now)
		if due {
			r.keepTurn() // so that there are some if the loop is held before anybody has asked
		}
	}
	if r.tracing.turn != nil {
		r.tracing.turnEnds()
	}
}

// CountStall counts one that is not a turn's. For the loop's thread.
func CountStall(l *loop.Loop) {
	if r := of(l); r != nil {
		r.stalls++
	}
}

// TaskBegins notes a task.
func (r *Record) TaskBegins(t *loop.Task) {
	if name := t.Name(); name != "" {
		r.names.tag(t, name)
	}
	if r.meter != nil {
		r.meter.since = r.l.Elapsed()
	}
	if r.tracing.on {
		r.tracing.begins(t)
	}
	if r.logs {
		r.log("task begins", t)
	}
}

// TaskRunsFor notes whose it is.
func (r *Record) TaskRunsFor(t *loop.Task) {
	if r.tracing.on {
		r.tracing.begins(t)
	}
}

// TaskParks ends a stretch of the task's, and begins a wait.
func (r *Record) TaskParks(t *loop.Task) (seen any) {
	if r.meter != nil {
		r.meter.charge(t.Number(), r.l.Elapsed())
	}
	if r.tracing.on {
		return r.tracing.parks(t)
	}
	return nil
}

// TaskResumes ends the wait.
func (r *Record) TaskResumes(_ *loop.Task, seen any) {
	endWait(seen)
	if r.meter != nil {
		r.meter.since = r.l.Elapsed()
	}
}

// TaskEnds forgets a task.
func (r *Record) TaskEnds(t *loop.Task, err error) {
	if r.meter != nil {
		r.meter.ends(t.Number(), r.l.Elapsed())
	}
	if r.logs {
		r.log("task ends", t, slog.Duration("age", t.Age()), slog.Any("error", err))
	}
	if t.Name() != "" {
		worker, _ := t.Coroutine()
		r.names.untag(worker)
	}
	endTraced(t)
}

// WorkerEnds forgets a coroutine.
func (r *Record) WorkerEnds(worker any) { r.names.untagWorker(worker) }

// Refuses keeps what those see who are late.
func (r *Record) Refuses() { r.keepTurn() }

// log tells of a task that begins or ends.
func (r *Record) log(what string, t *loop.Task, more ...slog.Attr) {
	name := t.Name()
	if name == "" {
		name = t.Code().Name()
	}
	about := []slog.Attr{slog.Int("loop", r.l.Index()), slog.Uint64("task", uint64(t.Number())),
		slog.String("name", name)}
	r.l.Config().Log(what, append(about, more...)...)
}
