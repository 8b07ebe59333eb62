package loop_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"ringo/internal/loop"
)

// thing is something open on a loop; it notes what it is told.
type thing struct {
	loop.Handle
	l    *loop.Loop
	name string
	log  *[]string
	// leaves says that it closes when accepts stop.
	leaves bool
}

func (h *thing) Drain() {
	*h.log = append(*h.log, "drain "+h.name)
	if h.leaves {
		h.l.Handles().Unregister(&h.Handle)
	}
}

func (h *thing) Abandon() {
	*h.log = append(*h.log, "abandon "+h.name)
	h.l.Handles().Unregister(&h.Handle)
}

// What is open hears of the drain, may leave then, and is abandoned at the end if
// it has not; what has left hears nothing.
func TestHandles(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg *loop.Config) {
		cfg.Grace = 20 * time.Millisecond
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		var log []string
		err := runContext(t, ctx, cfg, func(l *loop.Loop) error {
			var things []*thing
			for _, name := range []string{"a", "b", "c", "d"} {
				h := &thing{l: l, name: name, log: &log, leaves: name == "b" || name == "c"}
				l.Handles().Register(&h.Handle, h)
				things = append(things, h)
			}
			l.Handles().Unregister(&things[3].Handle)
			l.Handles().Unregister(&things[3].Handle) // again is fine
			cancel()
			for !l.Draining() {
				l.Sleep(time.Millisecond)
			}
			l.Sleep(time.Hour) // until Grace has ended
			return nil
		})
		if err != nil {
			t.Error(err)
		}
		count := func(word string) (n int) {
			for _, w := range log {
				if w == word {
					n++
				}
			}
			return n
		}
		if count("drain b") != 1 || count("drain c") != 1 || count("drain a") < 1 || count("abandon a") != 1 ||
			slices.Contains(log, "abandon b") || slices.Contains(log, "drain d") || slices.Contains(log, "abandon d") {
			t.Errorf("%q", log)
		}
		if log[len(log)-1] != "abandon a" {
			t.Errorf("%q: something after the end", log)
		}
	})
}

// A Call that comes as the loop ends still finds what it looks at, and calls without end don't keep it from ending.
func TestCallAtTheEnd(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg *loop.Config) {
		for range 50 {
			var l *loop.Loop
			begun, over := make(chan struct{}), make(chan struct{})
			accepted, ran := 0, 0 // by the caller, by the loop
			go func() {
				defer close(over)
				<-begun
				for l.Call(func() { ran++ }) {
					accepted++
				}
			}()
			if err := run(t, cfg, func(loop *loop.Loop) error { l = loop; close(begun); return nil }); err != nil {
				t.Fatal(err)
			}
			receive(t, "the caller", over)
			if ran != accepted {
				t.Fatalf("%d calls accepted, %d ran", accepted, ran)
			}
		}
	})
}

// Current finds the running task from anywhere in it, and nothing elsewhere.
func TestCurrent(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg *loop.Config) {
		cfg.Loops = 3
		err := run(t, cfg, func(l *loop.Loop) error {
			here := func() {
				if got, task := loop.Current(); got != l || task == nil || task != l.Task() || task.Loop() != l {
					t.Errorf("in a task: loop %p, task %p, want loop %p", got, task, l)
				}
			}
			here()
			l.Go(func() { l.Sleep(0); here() }).Wait()
			l.Post(here)
			return l.Offload(func(context.Context) error {
				if got, task := loop.Current(); got != nil || task != nil {
					t.Errorf("on a goroutine: loop %p, task %p", got, task)
				}
				return nil
			})
		})
		if err != nil {
			t.Fatal(err)
		}
		if got, task := loop.Current(); got != nil || task != nil {
			t.Errorf("without loops: loop %p, task %p", got, task)
		}
	})
}
