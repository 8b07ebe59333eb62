package census_test

import (
	"sync"
	"testing"

	"ringo/internal/census"
	"ringo/internal/loop"
)

// However many ask a loop that is held, and however often, it finds one piece of mail of theirs when it goes on, one of
// those who watch its tasks, and one of the loop's own if it is to trim what it keeps. Then it answers as before.
func TestManyAskALoopThatIsHeld(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg *loop.Config) {
		err := run(t, cfg, func(l *loop.Loop) error {
			for range 2 {
				l.YieldTurn()
				before := l.Look().Counts().Mails
				done := make(chan struct{})
				go func() {
					defer close(done)
					var asked sync.WaitGroup
					for range 20 {
						asked.Go(func() { census.StatsOf(l) })
						asked.Go(func() { census.Meter(l); census.Tasks(l) })
						asked.Go(func() { census.EachHandle(l, func(*census.HandleInfo) {}) })
						asked.Go(func() { census.Ops(l) })
					}
					asked.Wait()
				}()
				<-done
				if n := census.Asked(l); n != 0 {
					t.Errorf("%d still wait that have given up", n)
				}
				l.YieldTurn()
				l.YieldTurn()
				if n := l.Look().Counts().Mails - before; n == 0 || n > 3 {
					t.Errorf("%d pieces of mail, want 1 to 3", n)
				}
				turns := l.Look().Counts().Turns
				var answers sync.WaitGroup
				var ended bool
				answers.Go(func() {
					for ok := false; !ok; { // a busy machine can hold it as well
						s, tasks := census.StatsOf(l), census.Tasks(l)
						_, ok = census.Ops(l)
						ok = ok && s.Turns >= turns && len(tasks) == 1 && tasks[0].State != loop.TaskUnknown &&
							census.EachHandle(l, func(*census.HandleInfo) {})
					}
					l.Call(func() { ended = true })
				})
				for !ended {
					l.YieldTurn()
				}
				answers.Wait()
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}
