package file_test

import (
	"context"
	"errors"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"ringo"
	"ringo/file"
	"ringo/internal/test/patience"
	"ringo/internal/test/socktest"
	"ringo/internal/test/testmain"
)

// A task that is cancelled as the lock is given up to it has it, or leaves it free. Given up to nobody it would be
// nobody's, and who comes next would spin for it.
func TestExclusiveCanceled(t *testing.T) {
	rounds := int32(400) // or as many as a busy machine has time for
	if testmain.Long() {
		rounds = 4000
	}
	end := time.Now().Add(patience.Max / 2)
	x := file.NewExclusive()
	var round, held, gone, freed atomic.Int32
	var over atomic.Bool
	patience.Within(t.Name(), func() {
		done := make(chan struct{})
		go func() { // holds the lock in each round until it is wanted
			defer close(done)
			for n := int32(1); ; n++ {
				for round.Load() < n {
					if over.Load() {
						return
					}
					runtime.Gosched()
				}
				if err := x.Lock(); err != nil {
					t.Error(err)
				}
				for held.Store(n); !x.IsWanted() && gone.Load() < n; {
					runtime.Gosched()
				}
				for range n % 997 { // about as long as the task takes to hear of its cancel
					freed.Load()
				}
				x.Unlock()
				freed.Store(n)
			}
		}()
		if err := socktest.RunLoops(t, t.Context(), &ringo.Config{Loops: 1}, func(l *ringo.Loop) error {
			for n := int32(1); n <= rounds && time.Now().Before(end); n++ {
				for round.Store(n); held.Load() < n; {
					l.Sleep(0)
				}
				task := l.Go(func() {
					switch err := x.Lock(); {
					case err == nil:
						x.Unlock()
					case !errors.Is(err, context.Canceled):
						t.Error(err)
					}
				})
				l.Sleep(0)
				task.Cancel()
				task.Wait()
				for gone.Store(n); freed.Load() < n; {
					l.Sleep(0)
				}
				if !x.IsFree() {
					t.Fatalf("round %d: nobody holds the lock, and it is not free", n)
				}
			}
			return nil
		}); err != nil {
			t.Error(err)
		}
		over.Store(true)
		<-done
	})
}
