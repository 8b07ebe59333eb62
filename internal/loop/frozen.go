package loop

import (
	"fmt"
	"log/slog"
	"time"

	"ringo/internal/rt/peek"
	"ringo/internal/rt/stacks"
)

// TellFrozen counts and tells of a task that is parked and must not park, since behind it others wait, and have done so
// for as long as it took: as of a stall. For the loop's thread.
func (l *Loop) TellFrozen(t *Task, took time.Duration, behind int) {
	l.stats.Stalls++
	unsaid, tell := l.set.frozen.count(l.set.elapsed())
	if l.cfg.OnStall == nil && !(tell && l.cfg.tells()) {
		return
	}
	var peeker peek.Peeker
	at := "its stack is not known\n"
	if peeks() {
		_, pcs := peeker.At(t.w.g)
		at = (&stacks.Stack{PCs: pcs}).ParkedAt()
	}
	in := t.frozenIn()
	text := fmt.Sprintf("ringo: a callback of loop %d is parked in %s, and %d others wait: its turn has taken %v\n",
		l.index, in, behind, took.Round(time.Millisecond))
	about := []slog.Attr{slog.Int("loop", l.index), slog.Duration("so far", took), slog.String("in", in),
		slog.Int("behind", behind), slog.Int("unsaid", unsaid)}
	if l.cfg.OnStall != nil {
		l.cfg.warn("callback parked", about...)
		l.set.telling.Go(func() { l.cfg.OnStall(l, took, []byte(text+at)) })
		return
	}
	if unsaid > 0 {
		text += fmt.Sprintf("Since the last report that came %d more times.\n", unsaid)
	}
	l.cfg.tell("callback parked", text+
		"A callback must not wait: it starts a task for what does (ringo.Loop.Go, event.Go).\n"+at, about...)
}

// frozenIn says what a parked task waits for, if it has not been made ready meanwhile.
func (t *Task) frozenIn() string {
	wait := noWait
	switch d := t.waits.(type) {
	case *yielding:
		wait.Op = "Yield"
	case Describer:
		d.DescribeWait(t, &wait)
	}
	if wait.Op == "" {
		wait.Op = "a wait that is over"
	}
	return wait.String()
}
