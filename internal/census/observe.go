package census

import (
	"log/slog"
	"math"
	"sync/atomic"
	"time"

	"ringo/internal/loop"
	"ringo/stats"
)

// Run is the census of a Run. It is a loop.RunObserver, and part of others.
type Run struct {
	set    *loop.Set
	totals *runTotals
}

// NewRun makes a Run, for an observer that embeds it.
func NewRun(s *loop.Set) *Run { return &Run{set: s} }

// On makes the Record of a loop.
func (r *Run) On(l *loop.Loop) loop.Observer { return r.Record(l) }

// Record makes the Record of a loop, for an observer that embeds it.
func (r *Run) Record(l *loop.Loop) *Record {
	o := &Record{l: l, run: r, limit: l.Config().Stall, logs: l.Config().LogTasks}
	if o.limit < 0 {
		o.limit = math.MaxInt64
	}
	return o
}

// Begins gives the Run its place in the totals, and calls the followers (Follow).
func (r *Run) Begins() (over func()) {
	end := beginRun()
	endTotals := r.beginTotals()
	return func() { endTotals(); end() }
}

// Runs does nothing.
func (r *Run) Runs() (ends func()) { return func() {} }

// Record is what is kept of a loop. Only its thread uses it, except for the fields marked G.
type Record struct {
	l         *loop.Loop
	run       *Run
	turnTimes stats.Histogram
	recent    recent
	limit     time.Duration // longer turns are stalls
	stalls    uint64
	logs      bool                 // tasks are logged
	spared    uint64               // wakes spared, as reported last
	last      atomic.Pointer[kept] // G
	promised  promised             // G
	names     nameTags             // G
	asked     askings              // G
	metering  atomic.Bool          // G: Meter has sent mail that was not read yet
	tracing   tracing
	meter     *meter // measures the tasks; nil: no one has asked lately
}

// of returns the record of a loop, nil if its Run has no census. G.
func of(l *loop.Loop) *Record {
	if o, ok := l.Observer().(interface{ record() *Record }); ok {
		return o.record()
	}
	return nil
}

func (r *Record) record() *Record { return r }

// Begins and Ends add the loop to the totals, and its counts when it ends.
func (r *Record) Begins() { r.beginTotals() }
func (r *Record) Ends()   { r.endTotals() }

// TurnBegins reports whether the observer wants to hear of all tasks: for a trace, a meter or the log.
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
			r.keepTurn() // so that there is a snapshot if the loop is held before anyone has asked
		}
	}
	if r.tracing.turn != nil {
		r.tracing.turnEnds()
	}
}

// CountStall counts a stall that is not a long turn. It runs on the loop's thread.
func CountStall(l *loop.Loop) {
	if r := of(l); r != nil {
		r.stalls++
	}
}

// TaskBegins names, measures, traces and logs a task.
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

// TaskRunsFor traces a task of Ringo's that now runs a function of the program.
func (r *Record) TaskRunsFor(t *loop.Task) {
	if r.tracing.on {
		r.tracing.begins(t)
	}
}

// TaskParks charges the task for the time it ran, and begins the region of its wait.
func (r *Record) TaskParks(t *loop.Task) (seen any) {
	if r.meter != nil {
		r.meter.charge(t.Number(), r.l.Elapsed())
	}
	if r.tracing.on {
		return r.tracing.parks(t)
	}
	return nil
}

// TaskResumes ends the region of the wait.
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

// WorkerEnds forgets a worker.
func (r *Record) WorkerEnds(worker any) { r.names.untagWorker(worker) }

// Refuses keeps a snapshot, for callers that the loop won't answer any more.
func (r *Record) Refuses() { r.keepTurn() }

// log logs that a task begins or ends.
func (r *Record) log(what string, t *loop.Task, more ...slog.Attr) {
	name := t.Name()
	if name == "" {
		name = t.Code().Name()
	}
	about := []slog.Attr{slog.Int("loop", r.l.Index()), slog.Uint64("task", uint64(t.Number())),
		slog.String("name", name)}
	r.l.Config().Log(what, append(about, more...)...)
}
