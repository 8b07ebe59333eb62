package loop

import (
	"context"
	"log/slog"
	"strconv"

	"ringo/internal/rt/code"
	"ringo/internal/rt/labels"
)

// ApplyLabels gives the running task labels, and those of its own if it is to have any. T.
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

// ownLabels is what a task's labels depend on: who it is, and those that it began with.
type ownLabels struct {
	code code.Func
	name string
	from labels.Set
}

// labelsMax is how many of them a loop keeps, to make them once; then it begins anew.
const labelsMax = 1024

// Log tells of something that begins or ends. G.
func (c *Config) Log(what string, about ...slog.Attr) {
	if c.Logger != nil {
		c.Logger.LogAttrs(context.Background(), slog.LevelDebug, "ringo: "+what, about...)
	}
}

// Tells reports whether anybody would be told what Tell tells.
func (c *Config) Tells() bool { return c.Logger != nil || c.Complain != nil }

// Tell says that something is not as it should be: to the Logger, or else in a text that is whole without the rest.
func (c *Config) Tell(what, text string, about ...slog.Attr) {
	if c.Logger != nil {
		c.TellLogger(what, append(about, slog.String("report", text))...)
	} else if c.Complain != nil {
		c.Complain(text)
	}
}

// TellLogger tells the Logger alone.
func (c *Config) TellLogger(what string, about ...slog.Attr) {
	if c.Logger != nil {
		c.Logger.LogAttrs(context.Background(), slog.LevelWarn, "ringo: "+what, about...)
	}
}
