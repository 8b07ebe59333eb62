package loop

import (
	"context"
	"log/slog"
	"strconv"

	"ringo/internal/rt/code"
	"ringo/internal/rt/labels"
)

// ApplyLabels sets the running task's labels: s, and those that name the task, if it has a name or LabelTasks is set.
// T.
func (l *Loop) ApplyLabels(s labels.Set) {
	name := l.cur.Name()
	if name == "" && !l.cfg.LabelTasks {
		s.Apply()
		return
	}
	key := ownLabels{l.cur.w.code, name, s}
	with, ok := l.labels[key]
	if !ok {
		if name == "" {
			name = key.code.Name()
		}
		with = s.With("task", name, "loop", strconv.Itoa(l.index))
		if l.labels == nil || len(l.labels) == labelsMax {
			l.labels = map[ownLabels]labels.Set{}
		}
		l.labels[key] = with
	}
	with.Apply()
}

// ownLabels are what the labels of a task depend on: its function, its name, and the labels that it began with.
type ownLabels struct {
	code code.Func
	name string
	from labels.Set
}

// labelsMax is how many label sets a loop keeps for reuse. At the bound it drops all of them.
const labelsMax = 1024

// Log logs that something begins or ends, at debug level. G.
func (c *Config) Log(what string, about ...slog.Attr) {
	if c.Logger != nil {
		c.Logger.LogAttrs(context.Background(), slog.LevelDebug, "ringo: "+what, about...)
	}
}

// Tells reports whether there is a Logger or a Complain to receive what Tell reports.
func (c *Config) Tells() bool { return c.Logger != nil || c.Complain != nil }

// Tell reports a problem: to the Logger, or without one to Complain, as a text that is complete without the
// attributes.
func (c *Config) Tell(what, text string, about ...slog.Attr) {
	if c.Logger != nil {
		c.TellLogger(what, append(about, slog.String("report", text))...)
	} else if c.Complain != nil {
		c.Complain(text)
	}
}

// TellLogger reports a problem to the Logger only.
func (c *Config) TellLogger(what string, about ...slog.Attr) {
	if c.Logger != nil {
		c.Logger.LogAttrs(context.Background(), slog.LevelWarn, "ringo: "+what, about...)
	}
}
