//go:build linux

package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"ringo/bench/internal/plan"
)

// progress tells on stderr how far a run is: one line that changes on a terminal, a line for each cell elsewhere.
type progress struct {
	w             io.Writer
	steps, rounds int
	terminal      bool
	last          plan.Step
}

func newProgress(w io.Writer, steps, rounds int) *progress {
	return &progress{w: w, steps: steps, rounds: rounds, terminal: isTerminal(w)}
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}

// show says that step i begins, and how long is left.
func (p *progress) show(i int, s plan.Step, left time.Duration) {
	text := fmt.Sprintf("round %d of %d, %s: %d of %d done, %s left", s.Round, p.rounds, s.Cell, i, p.steps,
		minutes(left))
	switch {
	case p.terminal:
		fmt.Fprintf(p.w, "\r%s (%s)\x1b[K", text, s.Server)
	case s.Round != p.last.Round || s.Cell != p.last.Cell:
		fmt.Fprintln(p.w, text)
	}
	p.last = s
}

// say writes a line of its own.
func (p *progress) say(format string, v ...any) {
	if p.terminal {
		format = "\r\x1b[K" + format
	}
	fmt.Fprintf(p.w, format+"\n", v...)
}

// end leaves the line that changes.
func (p *progress) end() {
	if p.terminal {
		fmt.Fprintln(p.w)
	}
}

// minutes is a time as people read it.
func minutes(d time.Duration) string {
	d = d.Round(time.Second)
	if d < time.Minute {
		return fmt.Sprintf("%d s", d/time.Second)
	}
	return fmt.Sprintf("%d min %02d s", d/time.Minute, d%time.Minute/time.Second)
}
