//go:build unix

package ringo_test

import (
	"context"
	"os"
	"strings"
	"syscall"
	"testing"

	"ringo"
)

// parks is a program with three tasks that are alike and one more, which last does something.
func parks(asks bool, last func(l *ringo.Loop)) func() {
	return func() {
		cfg := small(os.Getenv("RINGO_TEST_DRIVER"))
		cfg.TasksOnQuit = asks
		ringo.Run(context.Background(), &cfg, func(l *ringo.Loop) error {
			var m ringo.Mutex
			m.Lock()
			for range 3 {
				l.GoNamed("client", func() { m.Lock() })
			}
			l.Yield()
			last(l)
			return l.Sleep(limit)
		})
	}
}

// quits sends the signal from elsewhere: while it is told of, the caller goes on to its wait.
func quits(*ringo.Loop) {
	self, _ := os.FindProcess(os.Getpid())
	go self.Signal(syscall.SIGQUIT)
}

func init() {
	children["quits"] = parks(false, quits)
	children["quits, asked to tell"] = parks(true, quits)
	children["quits, asked by a Run that has ended"] = func() {
		cfg := small(os.Getenv("RINGO_TEST_DRIVER"))
		cfg.TasksOnQuit = true
		ringo.Run(context.Background(), &cfg, func(*ringo.Loop) error { return nil })
		parks(false, quits)()
	}
	children["quits, asked by two Runs"] = parks(true, func(*ringo.Loop) {
		begun := ringo.NewChan[bool](1)
		go func() {
			cfg := small(os.Getenv("RINGO_TEST_DRIVER"))
			cfg.TasksOnQuit = true
			ringo.Run(context.Background(), &cfg, func(l *ringo.Loop) error {
				begun.Send(true)
				return l.Sleep(limit)
			})
		}()
		begun.Recv()
		quits(nil)
	})
	children["crashes"] = parks(false, func(l *ringo.Loop) { panic("the reason") })
}

// What a program says that is sent SIGQUIT has its tasks if it was asked for, and then all that the runtime says. A
// crash has those of its loop, behind the panic.
func TestTasksInLastWords(t *testing.T) {
	t.Parallel()
	const list = "ringo: 4 tasks of loop 0:"
	const tasks = "3 × client: parked in Mutex.Lock, task 1 ringo_test.init"
	for _, c := range []struct {
		child, env string
		begins     string
		has        []string
		tells      int
	}{
		{"quits", "", "SIGQUIT: quit", []string{"goroutine "}, 0},
		{"quits", "RINGO_DEBUG=quit=1", list, []string{tasks, "SIGQUIT: quit", "goroutine "}, 1},
		{"quits, asked to tell", "", list, []string{tasks, "SIGQUIT: quit", "goroutine "}, 1},
		{"quits, asked by two Runs", "", list, []string{tasks, "SIGQUIT: quit", "goroutine "}, 1},
		{"quits, asked by a Run that has ended", "", "SIGQUIT: quit", []string{"goroutine "}, 0},
		{"crashes", "", "panic: the reason [in a task]",
			[]string{"4 tasks of loop 0:", tasks, "1 × ringo_test.init", ": running"}, 1},
	} {
		t.Run(c.child+c.env, func(t *testing.T) {
			text, code := output(t, child(t, c.child, "RINGO_TEST_DRIVER="+anyDriver(t).Driver, c.env))
			if !strings.HasPrefix(text, c.begins) || code != 2 || strings.Count(text, tasks) != c.tells {
				t.Errorf("it ended with %d, and said\n%s", code, text)
			}
			for _, part := range c.has {
				_, rest, ok := strings.Cut(text, part)
				if !ok {
					t.Errorf("it did not say %q, or not in this place, but\n%s", part, text)
				}
				text = rest
			}
		})
	}
}
