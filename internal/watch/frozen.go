package watch

import (
	"fmt"
	"log/slog"
	"time"

	"ringo/internal/census"
	"ringo/internal/loop"
	"ringo/internal/rt/peek"
	"ringo/internal/rt/stacks"
)

// TellFrozen counts and reports a callback of l, in task t, that is parked although others wait behind it. took is how
// long they have waited. It is reported like a stall. If it is too soon after the last report of this loop, TellFrozen
// returns the time that is left: if the callback is parked then, it is to be called again, which does not count it. It
// runs on the loop's thread.
func TellFrozen(l *loop.Loop, t *loop.Task, took time.Duration, behind int, again bool) (left time.Duration) {
	if !again {
		census.CountStall(l)
	}
	o, cfg := targetOf(l), l.Config()
	if o == nil || cfg.OnStall == nil && !cfg.Tells() {
		return 0
	}
	unsaid, left := o.frozen.Count(l.Elapsed())
	if cfg.OnStall == nil && left > 0 {
		return left
	}
	if again {
		unsaid-- // this one
	}
	var peeker peek.Peeker
	at := "its stack is not known\n"
	if peeks() {
		_, g := t.Coroutine()
		_, pcs := peeker.At(g)
		at = (&stacks.Stack{PCs: pcs}).ParkedAt()
	}
	wait := t.Waits()
	if wait.Op == "" { // t was made ready meanwhile
		wait.Op = "a wait that is over"
	}
	in := wait.String()
	text := fmt.Sprintf("ringo: a callback of loop %d is parked in %s, and %d others wait: its turn has taken %v\n",
		l.Index(), in, behind, took.Round(time.Millisecond))
	about := []slog.Attr{slog.Int("loop", l.Index()), slog.Duration("so far", took), slog.String("in", in),
		slog.Int("behind", behind), slog.Int("unsaid", unsaid)}
	if cfg.OnStall != nil {
		cfg.TellLogger("callback parked", about...)
		l.Set().Report(func() { cfg.OnStall(l, took, []byte(text+at)) })
		return 0
	}
	if unsaid > 0 {
		text += fmt.Sprintf("Since the last report that came %d more times.\n", unsaid)
	}
	cfg.Tell("callback parked", text+
		"A callback must not wait: it starts a task for what does (ringo.Loop.Go, event.Go).\n"+at, about...)
	return 0
}
