package event_test

import (
	"context"
	"testing"
	"time"

	"ringo"
	"ringo/event"
	"ringo/internal/test/patience"
)

// Run waits for tasks, and for what they begin when nothing else is active any more.
func TestRunWaitsForTasks(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		var got []byte
		closed, ticked := false, false
		patience.Within(t.Name(), func() {
			if err := event.Run(context.Background(), &cfg, func(l *event.Loop) error {
				l.Ringo().Go(func() {
					if err := l.Ringo().Sleep(time.Millisecond); err != nil { // Wait has returned
						t.Error(err)
					}
					addr := listenOnce(t, l, &funcs{open: func(c *event.Conn) { c.Write([]byte("hello")); c.Close() }})
					l.Dial("tcp", addr, &funcs{
						data:  func(_ *event.Conn, p []byte) int { got = append(got, p...); return len(p) },
						close: func(*event.Conn, error) { closed = true },
					})
				})
				return nil
			}); err != nil {
				t.Error(err)
			}
			// A drain ends there, too, what never ends by itself.
			ctx, drain := context.WithCancel(context.Background())
			cfg.Grace = patience.Max / 3
			if err := event.Run(ctx, &cfg, func(l *event.Loop) error {
				l.Ringo().Go(func() {
					l.Ringo().Sleep(time.Millisecond)
					l.Every(time.Millisecond, func() { ticked = true; drain() })
				})
				return nil
			}); err != nil {
				t.Error("Run that drains:", err)
			}
		})
		if string(got) != "hello" || !closed || !ticked {
			t.Errorf("got %q, closed %v, ticked %v", got, closed, ticked)
		}
	})
}
