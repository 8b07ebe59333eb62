package loop_test

import (
	"context"
	"os"
	"testing"
	"time"

	"ringo/internal/loop"
)

// A task ends with its client's cancel or timeout, and the client awaits that end, whether it is told early or late.
func TestWaitAsClient(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg *loop.Config) {
		cfg.Loops = 2
		made, over := make(chan *loop.Loop, 2), make(chan struct{})
		err := run(t, cfg, func(l *loop.Loop) error {
			if l.Index() == 1 {
				made <- l
				return l.Offload(func(context.Context) error { <-over; return nil })
			}
			defer close(over)
			for _, on := range []*loop.Loop{l, <-made} {
				for name, end := range map[string]func(client *loop.Task, wait func()) (want error){
					"cancel": func(client *loop.Task, wait func()) error {
						l.Go(client.Cancel)
						wait()
						return context.Canceled
					},
					"cancelled before": func(client *loop.Task, wait func()) error {
						client.Cancel()
						wait()
						return context.Canceled
					},
					"timeout": func(_ *loop.Task, wait func()) error {
						l.WithTimeout(time.Millisecond, func() error { wait(); return nil })
						return os.ErrDeadlineExceeded
					},
				} {
					l.Go(func() {
						var slept int32
						ended := false
						want := end(l.Task(), func() {
							worker := on.Go(func() {
								slept = on.Sleep(time.Hour)
								on.Shield()
								on.Sleep(time.Millisecond) // it cleans up
								on.Unshield()
								ended = true
							})
							if err := worker.WaitAsClient(); err != nil || !ended || slept == 0 {
								t.Errorf("%s: %v, ended %v, its sleep gave %d", name, err, ended, slept)
							}
							if !l.Canceled() {
								t.Errorf("%s: the client is not cancelled", name)
							}
						})
						if got := l.Cause(); l.Canceled() && got != want {
							t.Errorf("%s: %v, want %v", name, got, want)
						}
					}).Wait()
				}
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	})
}
