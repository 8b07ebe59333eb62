package file_test

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ringo"
	"ringo/file"
	"ringo/internal/test/patience"
	"ringo/internal/test/socktest"
	"ringo/internal/test/testmain"
)

// filled makes a file of n bytes.
func filled(t testing.TB, dir string, n int) string {
	t.Helper()
	name := filepath.Join(dir, "filled")
	if err := writeFile(name, bytesOf(n), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// Any number of calls at once, by tasks of two loops and by goroutines, each on a part
// of its own; then Close, under them.
func TestManyAtOnce(t *testing.T) {
	const part, callers, rounds = 5000, 8, 20
	for place, dir := range places(t) {
		t.Run(place, func(t *testing.T) {
			eachDriver(t, func(t *testing.T, cfg ringo.Config) {
				f, err := file.Create(filepath.Join(dir, "file"))
				if err != nil {
					t.Fatal(err)
				}
				work := func(i int) {
					mine, got := bytesOf(part + i)[i:], make([]byte, part)
					off := int64(i) * part
					for range rounds {
						if n, err := f.WriteAt(mine, off); n != part || err != nil {
							t.Errorf("WriteAt = %d, %v", n, err)
							return
						}
						if n, err := f.ReadAt(got, off); n != part || err != nil || !bytes.Equal(got, mine) {
							t.Errorf("ReadAt = %d, %v", n, err)
							return
						}
					}
				}
				var wg sync.WaitGroup
				for i := range callers {
					wg.Go(func() { work(i) })
				}
				cfg.Loops = 2
				patience.Within(t.Name(), func() {
					err := ringo.Run(context.Background(), &cfg, func(l *ringo.Loop) error {
						for i := range callers {
							l.Go(func() { work((1+l.Index())*callers + i) })
						}
						return nil
					})
					if err != nil {
						t.Error(err)
					}
					wg.Wait()
				})
				if err := f.Close(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// Close waits for the calls in flight, and no call comes after it.
func TestCloseUnderCalls(t *testing.T) {
	everywhere(t, func(t *testing.T, l *ringo.Loop, dir string) {
		name := filled(t, dir, 100_000)
		f, err := file.OpenFile(name, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		var joins []func()
		for i := range 8 {
			joins = append(joins, begin(l, func() {
				p := make([]byte, 10_000)
				for {
					_, err := f.ReadAt(p, int64(i)*10_000)
					if i%2 == 0 && err == nil {
						err = f.Datasync()
					}
					if err == nil {
						continue
					}
					if !errors.Is(err, fs.ErrClosed) {
						t.Errorf("a call beside Close: %v, want fs.ErrClosed", err)
					}
					return
				}
			}))
		}
		pause(l)
		if err := f.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
		for _, join := range joins {
			join()
		}
	})
}

// Close ends a RawConn's calls of a function that never has enough, also where there is nothing to wait for.
func TestCloseEndsRawCalls(t *testing.T) {
	eachCallerHere(t, func(t *testing.T, l *ringo.Loop) {
		f, err := file.Create(filepath.Join(tempDir(t), "file"))
		if err != nil {
			t.Fatal(err)
		}
		raw, err := f.SyscallConn()
		if err != nil {
			t.Fatal(err)
		}
		var joins []func()
		for name, call := range map[string]func(func(uintptr) bool) error{"Read": raw.Read, "Write": raw.Write} {
			called := ringo.NewChan[struct{}](1)
			joins = append(joins, begin(l, func() {
				err := call(func(uintptr) bool {
					called.TrySend(struct{}{})
					return false
				})
				if !errors.Is(err, fs.ErrClosed) {
					t.Errorf("%s = %v, want ErrClosed", name, err)
				}
			}))
			called.Recv()
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
		for _, join := range joins {
			join()
		}
	})
}

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
