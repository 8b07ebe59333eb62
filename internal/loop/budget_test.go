package loop_test

import (
	"context"
	"testing"
	"time"

	"ringo/internal/census"
	"ringo/internal/loop"
)

// turn is the number of the present turn.
func turn(l *loop.Loop) uint64 { return l.Turn() }

// Calls that need not wait yield: 128 of one task, 16 times the budget of all
// of them in a turn.
func TestCallsOfATurn(t *testing.T) {
	for _, budget := range []int{1, 4, 64} {
		cfg := small(anyDriver(t))
		cfg.Budget = budget
		const tasks, calls = 50, 2000
		var inTurn, most, row, longest int
		last := uint64(0)
		err := run(t, cfg, func(l *loop.Loop) error {
			group := make([]*loop.Task, tasks)
			for i := range group {
				group[i] = l.Go(func() {
					row = 0
					for range calls {
						before := turn(l)
						if before != last {
							last, inTurn = before, 0
						}
						row++
						inTurn++
						longest, most = max(longest, row), max(most, inTurn)
						l.ChargeAndYield()
						if turn(l) != before {
							row = 0 // another task has run
						}
					}
				})
			}
			for _, task := range group {
				task.Wait()
			}
			if y := census.StatsOf(l).Yields; y == 0 {
				t.Error("nobody yielded")
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if limit := 16 * budget; most > limit {
			t.Errorf("budget %d: %d calls in one turn, want %d at most", budget, most, limit)
		}
		if longest > 128 {
			t.Errorf("budget %d: %d calls in a row, want 128 at most", budget, longest)
		}
	}
}

// A task whose waits end at once, because it was cancelled and does not care,
// leaves turns to others.
func TestDeafTasks(t *testing.T) {
	for name, wait := range map[string]func(l *loop.Loop, ended *loop.Task){
		"Sleep":   func(l *loop.Loop, _ *loop.Task) { l.Sleep(time.Hour) },
		"Offload": func(l *loop.Loop, _ *loop.Task) { l.Offload(func(context.Context) error { return nil }) },
		"Wait":    func(_ *loop.Loop, ended *loop.Task) { ended.Wait() },
	} {
		t.Run(name, func(t *testing.T) {
			eachDriver(t, func(t *testing.T, cfg *loop.Config) {
				err := run(t, cfg, func(l *loop.Loop) error {
					ended := l.Go(func() {})
					ended.Wait()
					stop, went := false, 0
					deaf := l.Go(func() {
						for ; !stop; went++ {
							wait(l, ended)
						}
					})
					deaf.Cancel()
					for went < 10_000 {
						before := turn(l)
						l.Sleep(0)
						if n := turn(l) - before; n > 3 {
							t.Errorf("Sleep(0) took %d turns", n)
						}
					}
					stop = true
					return deaf.Wait()
				})
				if err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// However many tasks are posted, those that exist are resumed and cancelled.
func TestUrgentMailPassesStarts(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg *loop.Config) {
		cfg.Budget = 16
		err := run(t, cfg, func(l *loop.Loop) error {
			var order []string
			victim := l.Go(func() { l.Sleep(time.Hour); order = append(order, "cancelled") })
			l.Sleep(0)
			const posts = 10_000
			ran := 0
			sent := make(chan struct{})
			go func() {
				defer close(sent)
				for range posts {
					l.Post(func() { ran++ })
				}
				victim.Cancel()
			}()
			<-sent // the loop is held meanwhile, so all mail is there at once
			before := turn(l)
			victim.Wait()
			if n := turn(l) - before; n > 3 || ran > 3*cfg.Budget {
				t.Errorf("a cancel took %d turns, in which %d posts ran", n, ran)
			}
			for ran < posts {
				before := ran
				l.Sleep(0)
				if n := ran - before; n > 3*cfg.Budget {
					t.Errorf("%d posts were started while another task waited for a turn", n)
				}
			}

			// Where there is room, one sender's mail is handled in order.
			order = nil
			victim = l.Go(func() { l.Sleep(time.Hour); order = append(order, "cancelled") })
			l.Sleep(0)
			sent = make(chan struct{})
			go func() {
				defer close(sent)
				l.Post(func() { order = append(order, "posted") })
				victim.Cancel()
			}()
			<-sent
			victim.Wait()
			if len(order) != 2 || order[0] != "posted" {
				t.Errorf("order: %v", order)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	})
}

// Mail that a loop has taken out and not handled when it ends is refused like the
// rest: nobody waits for it in vain.
func TestMailLeftAtTheEnd(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg *loop.Config) {
		cfg.Budget, cfg.Loops = 1, 2
		var tasks []*loop.Task
		err := run(t, cfg, func(l *loop.Loop) error {
			if l.Index() > 0 {
				return nil
			}
			other := l.Set().Loops()[1]
			for range 1000 {
				tasks = append(tasks, other.Go(func() {}))
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
		for i, task := range tasks {
			if err := task.Wait(); err != nil && err != loop.ErrEnded {
				t.Errorf("task %d: %v", i, err)
			}
		}
	})
}
