package loop

import (
	"bytes"
	"fmt"
	"strings"
	"time"
)

// waits reports whether a goroutine that does not run waits for something that its
// function asked for; otherwise it waits for the scheduler or the garbage collector.
func (g *goroutine) waits() bool {
	switch state := g.state(); {
	case state == "running", state == "runnable", state == "preempted", state == "waiting":
		return false
	default:
		return !strings.HasPrefix(state, "GC ")
	}
}

// state is what a trace says in brackets, such as "chan receive".
func (g *goroutine) state() string {
	head, _, _ := bytes.Cut(g.stack, []byte("\n"))
	_, state, _ := bytes.Cut(head, []byte("["))
	state, _, _ = bytes.Cut(state, []byte("]"))
	state, _, _ = bytes.Cut(state, []byte(","))
	return string(state)
}

// text is the goroutine's stack, or why there is none.
func (g *goroutine) text() []byte {
	if g == nil {
		return fmt.Appendf(nil, "No stack: there are too many tasks. Config.OnStall gets those of up to %d MiB in all.",
			traceMax>>20)
	}
	return g.stack
}

// complaint is what a stall looks like to those who did not ask.
func complaint(l *Loop, took time.Duration, t trace, g *goroutine, computes bool, unsaid int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "ringo: loop %d stands still for %v: %s", l.index, took.Round(time.Millisecond), t.name(l, g))
	switch {
	case computes:
		b.WriteString(" computes")
	case g != nil:
		fmt.Fprintf(&b, " waits [%s]", g.state())
	default:
		b.WriteString(" waits")
	}
	fmt.Fprintf(&b, `
A task may wait only through Ringo: until this one goes on, no other task of its loop can. Calls that wait in other ways
belong in Loop.Offload, long computations in Loop.Compute. Config.StallLimit is %v; negative, it turns this off.
`, l.cfg.Stall)
	b.WriteString(held(l))
	if unsaid > 0 {
		fmt.Fprintf(&b, "Since the last report %d more turns of this loop took longer.\n", unsaid)
	}
	b.Write(bytes.TrimSpace(g.text()))
	b.WriteByte('\n')
	return b.String()
}

// held says that what was accepted waits, too, if something was.
func held(l *Loop) string {
	if !l.Owes() {
		return ""
	}
	return "What its tasks have written before waits as well: sock.Conn.Flush sends it at once.\n"
}

// name names the task that a goroutine of the loop runs, or runs for.
func (t trace) name(l *Loop, g *goroutine) string {
	for g != nil && g.by != 0 && g.by != l.goid {
		g = t[g.by]
	}
	switch {
	case g == nil:
		return "a task"
	case g.id == l.goid:
		return "the loop itself"
	}
	if name := l.nameOf(g); name != "" {
		return "task " + name
	}
	return "a task"
}
