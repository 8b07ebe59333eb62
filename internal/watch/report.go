package watch

import (
	"fmt"
	"ringo/stats"
	"strings"
	"time"
)

const (
	// reportEvery is the least time between two reports of holds.
	reportEvery = time.Minute
	// reportAfter is how long a first hold waits for its report, since more may follow.
	reportAfter = time.Second
	// reportMax bounds the places in a report.
	reportMax = 10
)

// last reports what is left, at the end of the Run.
func (w *watcher) last() {
	if w.hold == 0 {
		return
	}
	for i, l := range w.run.loops {
		w.settle(l, &w.seen[i])
	}
	w.report(true)
}

// untilReport returns the time until the next report; ok is false if there is nothing to report.
func (w *watcher) untilReport() (left time.Duration, ok bool) {
	due := max(w.noticed+int64(reportAfter), w.reported+int64(reportEvery))
	return time.Duration(due - w.run.elapsed()), w.noticed != 0 && w.run.cfg.Tells()
}

// report reports what has held the loops since the last report, if the time has come, or at the end.
func (w *watcher) report(end bool) {
	left, ok := w.untilReport()
	if !ok || left > 0 && !end {
		return
	}
	w.noticed = 0
	var text strings.Builder
	for _, l := range w.run.loops {
		if list := l.held.takeUnsaid(w.run.cfg.HoldsShown); len(list) > 0 {
			writeHolds(&text, l, list)
		}
	}
	if text.Len() == 0 {
		return
	}
	w.reported = w.run.elapsed()
	w.run.cfg.Tell("holds", fmt.Sprintf("ringo: tasks held their loops for longer than %v at a time, in which no "+
		"other task of these loops\nran. Calls that wait belong in Loop.Offload, long computations in Loop.Compute. "+
		"Config.HoldLimit, negative,\nturns this off.\n", w.hold)+text.String())
}

// writeHolds writes a line for each place.
func writeHolds(to *strings.Builder, l *target, list []stats.Hold) {
	more := 0
	if more = len(list) - reportMax; more > 0 {
		list = list[:reportMax]
	}
	for _, h := range list {
		fmt.Fprintf(to, "  loop %d: %s\n", l.Index(), h)
	}
	if more > 0 {
		fmt.Fprintf(to, "  loop %d: and %d more places, see Loop.Holds\n", l.Index(), more)
	}
}
