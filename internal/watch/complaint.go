package watch

import (
	"bytes"
	"fmt"
	"strings"
	"time"

	"ringo/internal/census"
	"ringo/internal/loop"
	"ringo/internal/rt/stacks"
)

// textOf returns the goroutine's stack, or why there is none.
func textOf(g *stacks.Goroutine) []byte {
	if g == nil {
		return fmt.Appendf(nil, "No stack: there are too many tasks. Config.OnStall gets those of up to %d MiB in all.",
			stacks.TraceMax>>20)
	}
	return g.Stack
}

// complaint returns the text about a stall, for programs without OnStall.
func complaint(l *target, took time.Duration, t stacks.Trace, g *stacks.Goroutine, computes bool, unsaid int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "ringo: loop %d stands still for %v: %s", l.Index(), took.Round(time.Millisecond), nameIn(t, l, g))
	switch {
	case computes:
		b.WriteString(" computes")
	case g != nil:
		fmt.Fprintf(&b, " waits [%s]", g.State())
	default:
		b.WriteString(" waits")
	}
	fmt.Fprintf(&b, `
A task may wait only through Ringo: until this one goes on, no other task of its loop can. Calls that wait in other ways
belong in Loop.Offload, long computations in Loop.Compute. Config.StallLimit is %v; negative, it turns this off.
`, l.run.cfg.Stall)
	b.WriteString(held(l.l))
	if unsaid > 0 {
		fmt.Fprintf(&b, "Since the last report %d more turns of this loop took longer.\n", unsaid)
	}
	b.Write(bytes.TrimSpace(textOf(g)))
	b.WriteByte('\n')
	return b.String()
}

// held returns a sentence for the report if bytes that were accepted also wait; otherwise nothing.
func held(l *loop.Loop) string {
	if !l.Outbox().Owes() {
		return ""
	}
	return "What its tasks have written before waits as well: sock.Conn.Flush sends it at once.\n"
}

// nameIn names the task that a goroutine of the loop runs, or runs for.
func nameIn(t stacks.Trace, l *target, g *stacks.Goroutine) string {
	for g != nil && g.By != 0 && g.By != l.goid() {
		g = t[g.By]
	}
	switch {
	case g == nil:
		return "a task"
	case g.ID == l.goid():
		return "the loop itself"
	}
	if name := census.NameOf(l.l, g); name != "" {
		return "task " + name
	}
	return "a task"
}
