package loop

import (
	"fmt"
	"log/slog"
	"time"

	"ringo/internal/peek"
)

// Parked is for how long a task has been parked, to 17 ms. For the loop's thread.
func (l *Loop) Parked(t *Task) time.Duration { return time.Duration(t.w.since.age(l.set.elapsed())) }

// TellFrozen counts and tells of a task that has been parked for so long and must not park, since behind it others
// wait: as of a stall. For the loop's thread.
func (l *Loop) TellFrozen(t *Task, took time.Duration, behind int) {
	l.stats.Stalls++
	unsaid, tell := l.set.frozen.count(l.set.elapsed())
	if l.cfg.OnStall == nil && !(tell && l.cfg.tells()) {
		return
	}
	wait := noWait
	if d, ok := t.waits.(Describer); ok {
		d.DescribeWait(t, &wait)
	}
	var peeker peek.Peeker
	at := "its stack is not known\n"
	if peeks() {
		_, pcs := peeker.At(t.w.g)
		at = (&stack{pcs: pcs}).parkedAt()
	}
	text := fmt.Sprintf("ringo: a callback of loop %d has been parked for %v in %v: %d others wait for it\n",
		l.index, took.Round(time.Millisecond), &wait, behind)
	about := []slog.Attr{slog.Int("loop", l.index), slog.Duration("so far", took), slog.String("in", wait.String()),
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
