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
func parks(last func(l *ringo.Loop)) func() {
	return func() {
		cfg := small(os.Getenv("RINGO_TEST_DRIVER"))
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

func quits(*ringo.Loop) {
	self, _ := os.FindProcess(os.Getpid())
	self.Signal(syscall.SIGQUIT)
}

func init() {
	children["quits"] = parks(quits)
	children["quits, asked to tell"] = parks(func(l *ringo.Loop) { ringo.TasksOnQuit(); quits(l) })
	children["quits, asked not to tell any more"] = parks(func(l *ringo.Loop) { ringo.TasksOnQuit()(); quits(l) })
	children["quits, asked by three"] = parks(func(l *ringo.Loop) {
		ringo.TasksOnQuit()
		stop := ringo.TasksOnQuit()
		ringo.TasksOnQuit()
		stop()
		stop() // which counts once
		quits(l)
	})
	children["crashes"] = parks(func(l *ringo.Loop) { panic("the reason") })
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
		{"quits, asked by three", "", list, []string{tasks, "SIGQUIT: quit", "goroutine "}, 1},
		{"quits, asked not to tell any more", "", "SIGQUIT: quit", []string{"goroutine "}, 0},
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
