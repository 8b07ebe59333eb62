package loop

import (
	"context"
	"log/slog"
	"strconv"

	"ringo/internal/rt/code"
	"ringo/internal/rt/labels"
)

// tellsOfTasks reports whether somebody is to know of every task.
func (c *Config) tellsOfTasks() bool { return c.LabelTasks || c.LogTasks }

// tellBegin gives the running task, which begins, the labels s, and tells that it does.
func (l *Loop) tellBegin(s labels.Set) {
	l.ApplyLabels(s)
	if l.cfg.LogTasks {
		l.logTask("task begins", l.cur, l.cur.w)
	}
}

// ApplyLabels gives the running task labels, and those of its own if it is to have any. T.
func (l *Loop) ApplyLabels(s labels.Set) {
	name := l.cur.name()
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

// log tells of something that begins or ends. G.
func (c *Config) log(what string, about ...slog.Attr) {
	if c.Logger != nil {
		c.Logger.LogAttrs(context.Background(), slog.LevelDebug, "ringo: "+what, about...)
	}
}

// tells reports whether anybody would be told what tell tells.
func (c *Config) tells() bool { return c.Logger != nil || c.Complain != nil }

// tell says that something is not as it should be: to the Logger, or else in a text that is whole without the rest.
func (c *Config) tell(what, text string, about ...slog.Attr) {
	if c.Logger != nil {
		c.warn(what, append(about, slog.String("report", text))...)
	} else if c.Complain != nil {
		c.Complain(text)
	}
}

// warn tells the Logger alone.
func (c *Config) warn(what string, about ...slog.Attr) {
	if c.Logger != nil {
		c.Logger.LogAttrs(context.Background(), slog.LevelWarn, "ringo: "+what, about...)
	}
}

// logTask tells of t, which w runs or has run.
func (l *Loop) logTask(what string, t *Task, w *worker, more ...slog.Attr) {
	name := t.name()
	if name == "" {
		name = w.code.Name()
	}
	about := []slog.Attr{slog.Int("loop", l.index), slog.Uint64("task", uint64(w.id)), slog.String("name", name)}
	l.cfg.log(what, append(about, more...)...)
}
