//go:build linux

package ringo_test

import (
	"bufio"
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"ringo"
)

// purse is something that tasks lock.
type purse struct{ mu ringo.Mutex }

// transfer locks one, waits until all have theirs, and wants the other. Somebody else unlocks both.
func transfer(from, to *purse, all *ringo.WaitGroup) {
	from.mu.Lock()
	all.Done()
	all.Wait()
	to.mu.Lock()
}

// transferPatiently is transfer with a wait that ends.
func transferPatiently(l *ringo.Loop, from, to *purse) {
	from.mu.Lock()
	defer from.mu.Unlock()
	l.WithTimeout(time.Minute, func() error {
		l.Sleep(time.Millisecond)
		return to.mu.LockContext(l.Context())
	})
}

func init() {
	// Is in a deadlock of the sort that the environment says, until a line comes in.
	children["deadlock"] = func() {
		cfg := small(os.Getenv("RINGO_TEST_DRIVER"))
		cfg.Loops = 2
		var p [6]purse
		var all ringo.WaitGroup
		all.Add(map[string]int{"two": 2, "across": 4}[os.Getenv("RINGO_TEST_CIRCLE")])
		ringo.Run(context.Background(), &cfg, func(l *ringo.Loop) error {
			first := l.Index() == 0
			switch os.Getenv("RINGO_TEST_CIRCLE") {
			case "two":
				if first {
					l.Go(func() { transfer(&p[0], &p[1], &all) })
					l.Go(func() { transfer(&p[1], &p[0], &all) })
				}
			case "across":
				i := 2 * l.Index()
				l.Go(func() { transfer(&p[i], &p[i+1], &all) })
				l.Go(func() { transfer(&p[i+1], &p[(i+2)%4], &all) })
			case "itself":
				if first {
					l.Go(func() { transferPatiently(l, &p[2], &p[3]) })
					l.Go(func() { transferPatiently(l, &p[3], &p[2]) })
					l.Go(func() { p[0].mu.Lock(); l.Sleep(0); p[0].mu.Lock() })
					l.Go(func() { p[4].mu.Lock(); p[0].mu.Lock() }) // behind the circle, not in it
				}
			}
			if first {
				l.Offload(func(context.Context) error {
					bufio.NewReader(os.Stdin).ReadString('\n')
					for i := range p {
						for !p[i].mu.TryLock() {
							p[i].mu.Unlock()
						}
					}
					return nil
				})
				return context.Canceled // of those that are bounded
			}
			return nil
		})
	}
}

// Tasks that wait for Mutexes of each other are named, with their stacks, on one loop and on two, also one that waits
// for itself; waits that end by themselves are no deadlock, and who waits for one of a circle is not in it.
func TestDeadlocksOfMutexes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		want []string
	}{
		{"two", []string{"ringo: deadlock: 2 tasks wait", " on loop 0, for ", ", which ringo_test.init.",
			"ringo.(*Mutex).Lock", "\nringo_test.transfer\n"}},
		{"across", []string{"ringo: deadlock: 4 tasks wait", " on loop 0, for ", " on loop 1, for ",
			"\nringo_test.transfer\n"}},
		{"itself", []string{"ringo: deadlock: task ringo_test.init.", "that it has itself", "ringo.(*Mutex).Lock"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			eachDriver(t, func(t *testing.T, cfg ringo.Config) {
				t.Parallel()
				cmd := child(t, "deadlock", "RINGO_TEST_DRIVER="+cfg.Driver, "RINGO_DRIVER=",
					"RINGO_TEST_CIRCLE="+c.name)
				deadlock := false
				said := saysUntil(t, cmd, func(line string) bool {
					deadlock = deadlock || strings.HasPrefix(line, "ringo: deadlock")
					return deadlock && strings.HasPrefix(line, "ringo/internal/loop.(*worker).serve") // a stack's end
				})
				for _, want := range c.want {
					if !strings.Contains(said, want) {
						t.Errorf("no %q in:\n%s", want, said)
					}
				}
				if n := strings.Count(said, "ringo: deadlock"); n != 1 {
					t.Errorf("%d deadlocks:\n%s", n, said)
				}
			})
		})
	}
}
