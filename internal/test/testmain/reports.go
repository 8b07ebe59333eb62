package testmain

import (
	"context"
	"log/slog"
	"testing"
)

// Reports returns a Config.Logger that writes what Ringo reports to the test's log, such as that a test held its loop.
func Reports(t testing.TB) *slog.Logger { return slog.New(reports{slog.DiscardHandler, t}) }

type reports struct {
	slog.Handler
	t testing.TB
}

func (r reports) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelWarn }

func (r reports) Handle(_ context.Context, record slog.Record) error {
	text := record.Message
	record.Attrs(func(a slog.Attr) bool {
		if a.Key == "report" {
			text = a.Value.String()
		}
		return true
	})
	r.t.Log(text)
	return nil
}
