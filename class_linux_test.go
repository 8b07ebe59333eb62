//go:build linux

package ringo_test

import (
	"fmt"
	"testing"
	"time"

	"ringo"
	"ringo/file"
	"ringo/sim"
)

// Beside tasks in no class that are ready all the time, and many of another class, one of a small weight goes on, as
// much as its weight is; and a task in none that has waited has its turn before them.
func TestClassesInAWorld(t *testing.T) {
	sim.RunLoop(t, func(l *ringo.Loop) error {
		small, big := ringo.NewClass("small", 10), ringo.NewClass("big", 200)
		var ran struct{ small, big, none int }
		stop := false
		tasks := []*ringo.Task{
			inClass(l, small, &stop, func() { ran.small++; l.Yield() }),
			l.Go(func() {
				for !stop {
					ran.none++
					l.Yield()
				}
			}),
		}
		for range 50 {
			tasks = append(tasks, inClass(l, big, &stop, func() { ran.big++; l.Yield() }))
		}
		waits := l.Go(func() {
			for range 100 {
				l.Sleep(1)
				before := ran
				l.Sleep(1)
				// The timer fires in one of the next turns, and a turn is one class's.
				if n := ran.big - before.big; n > 3*50 {
					t.Errorf("%d others ran while a task in no class was ready", n)
				}
			}
		})
		for ran.none < 10_000 {
			l.Yield()
		}
		// A class that comes late, or has been idle, has not saved up what it has not had.
		late, n := ringo.NewClass("late", 100), 0
		tasks = append(tasks, inClass(l, late, &stop, func() { n++; l.Yield() }))
		for end := ran.none + 1000; ran.none < end; {
			l.Yield()
		}
		if n < 1500 || n > 2500+1000 { // a millisecond is what is lent
			t.Errorf("a class of 100 that came late ran %d times beside 2000", n)
		}
		for end := ran.none + 9000; ran.none < end; {
			l.Yield()
		}
		stop = true
		for _, task := range append(tasks, waits) {
			task.Wait()
		}
		// Two tasks in no class are always ready, this one and the one that counts.
		all := 2 * ran.none
		if got := float64(ran.small) / float64(all); got < 0.08 || got > 0.12 {
			t.Errorf("%d of a weight of 10 beside %d of 100", ran.small, all)
		}
		if got := float64(ran.big) / float64(all); got < 1.6 || got > 2.4 {
			t.Errorf("%d of a weight of 200 beside %d of 100", ran.big, all)
		}
		return nil
	})
}

// A class does not begin anew each time that a task of it is the last, and comes back.
func TestClassOfShortBlocks(t *testing.T) {
	sim.RunLoop(t, func(l *ringo.Loop) error {
		small, ran, none := ringo.NewClass("small", 10), 0, 0
		task := l.Go(func() {
			for none < 10_000 && ran < 100_000 {
				l.WithClass(small, func() error { ran++; return nil })
			}
		})
		for none < 10_000 {
			none++
			l.Yield()
		}
		task.Wait()
		if ran < 800 || ran > 1300 {
			t.Errorf("%d blocks of a weight of 10 beside %d of 100", ran, none)
		}
		return nil
	})
}

// What is started in a class begins in its time, however it is started, and not behind those in none, which have had
// more than their part.
func TestClassBegins(t *testing.T) {
	sim.RunLoop(t, func(l *ringo.Loop) error {
		stop := false
		var tasks []*ringo.Task
		for range 3 {
			tasks = append(tasks, l.Go(func() {
				for !stop {
					l.Yield()
				}
			}))
		}
		l.WithClass(ringo.NewClass("great", 10_000), func() error {
			for what, start := range map[string]func(fn func()){
				"Go":        func(fn func()) { l.Go(fn) },
				"Post":      func(fn func()) { l.Post(fn) },
				"AfterFunc": func(fn func()) { l.AfterFunc(0, fn) },
			} {
				for range 20 {
					began, yields := false, 0
					start(func() { began = true })
					for ; !began; yields++ {
						if l.Yield(); yields == 10 {
							t.Fatalf("%s: it has not begun after %d turns of its class", what, yields)
						}
					}
				}
			}
			return nil
		})
		stop = true
		for _, task := range tasks {
			task.Wait()
		}
		return nil
	})
}

// A class that has had more than its part, and then nothing while those in none had it all, has paid for it.
func TestClassPays(t *testing.T) {
	sim.RunLoop(t, func(l *ringo.Loop) error {
		var c ringo.Chan[bool]
		small, ran := ringo.NewClass("small", 1), 0
		var tasks []*ringo.Task
		for range 16 {
			tasks = append(tasks, l.Go(func() {
				l.WithClass(small, func() error {
					for range 2 {
						c.Recv()
						ran++
					}
					return nil
				})
			}))
		}
		for range 5000 {
			l.Yield()
		}
		for want := range 2 {
			for range 16 {
				c.Send(true)
			}
			for n := 0; ran < 16*(want+1); n++ {
				if l.Yield(); n == 10 {
					t.Errorf("%d have run after %d turns", ran, n)
				}
			}
			for range 5000 {
				l.Yield()
			}
		}
		for _, task := range tasks {
			task.Wait()
		}
		// Nor has one saved up meanwhile what it has not had.
		even, n, stop := ringo.NewClass("even", 100), 0, false
		task := l.Go(func() {
			l.WithClass(even, func() error {
				for c.Recv(); !stop; n++ {
					l.Yield()
				}
				return nil
			})
		})
		for range 10_000 {
			l.Yield()
		}
		c.Send(true)
		for range 2000 {
			l.Yield()
		}
		if stop = true; n > 2500+1000 { // a millisecond is what is lent
			t.Errorf("a class of 100 that has waited ran %d times beside 2000", n)
		}
		task.Wait()
		return nil
	})
}

// A host that crashes while tasks of a class stand in line for files, and wait for their rate, comes back.
func TestClassesAtFilesInACrash(t *testing.T) {
	sim.Explore(t, 40, func(w *sim.World) {
		h := w.Host("host")
		h.Disk = sim.Disk{Latency: time.Millisecond, Sync: 5 * time.Millisecond, Jitter: time.Millisecond}
		write := func(l *ringo.Loop) error {
			c := ringo.NewClass("slow", 100)
			c.SetIO(ringo.IOLimits{Depth: 2, Rate: 1 << 20})
			g := ringo.NewGroup(l)
			for i := range 6 {
				g.Go(func() error {
					return l.WithClass(c, func() error {
						f, err := file.Create(fmt.Sprint("f", i))
						if err != nil {
							return err
						}
						defer f.Close()
						for range 3 {
							if _, err := f.Write(make([]byte, 10_000)); err != nil {
								return err
							}
							if err := f.Sync(); err != nil {
								return err
							}
						}
						return nil
					})
				})
			}
			return g.Wait()
		}
		h.Run(&ringo.Config{Loops: 1}, write)
		w.RunFor(time.Duration(w.Rand().IntN(int(200 * time.Millisecond))))
		h.Crash()
		h.Restart()
		w.Check(w.Wait(h.Run(&ringo.Config{Loops: 1}, write)))
	})
}
