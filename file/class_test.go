package file_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"ringo"
	"ringo/file"
	"ringo/internal/race"
	"ringo/internal/test/alloctest"
	"ringo/internal/test/patience"
	"ringo/internal/test/socktest"
	"ringo/stats"
)

// classOf is what a loop says of a class.
func classOf(l *ringo.Loop, name string) stats.Class {
	all := l.Stats().Classes
	if i := slices.IndexFunc(all, func(c stats.Class) bool { return c.Name == name }); i >= 0 {
		return all[i]
	}
	return stats.Class{}
}

// inClass starts tasks of a class, which go on together.
func inClass(t *testing.T, l *ringo.Loop, c *ringo.Class, n int, fn func(i int) error) (tasks []*ringo.Task) {
	all := ringo.NewBarrier(n)
	for i := range n {
		tasks = append(tasks, l.Go(func() {
			if err := l.WithClass(c, func() error {
				all.Wait(nil)
				return fn(i)
			}); err != nil {
				t.Errorf("task %d: %v", i, err)
			}
		}))
	}
	return tasks
}

func joinAll(tasks []*ringo.Task) {
	for _, task := range tasks {
		task.Wait()
	}
}

// create makes a file for reading and writing.
func create(t testing.TB, name string) *file.File {
	t.Helper()
	f, err := file.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// Of what the tasks of a class ask files for, no more than Depth is under way on a loop, and the others have their
// turns in the order in which they came.
func TestClassDepth(t *testing.T) {
	for _, depth := range []int{1, 2, 5} {
		t.Run(fmt.Sprint(depth), func(t *testing.T) {
			eachDriver(t, func(t *testing.T, cfg ringo.Config) {
				onLoop(t, cfg, func(l *ringo.Loop) {
					const n = 8
					dir := tempDir(t)
					c := ringo.NewClass("slow", 100)
					c.SetIO(ringo.IOLimits{Depth: depth})
					var came, went []int
					joinAll(inClass(t, l, c, n, func(i int) error {
						f := create(t, filepath.Join(dir, fmt.Sprint(i)))
						defer f.Close()
						if _, err := f.Write([]byte("some")); err != nil {
							return err
						}
						came = append(came, i)
						if err := f.Sync(); err != nil {
							return err
						}
						went = append(went, i)
						left := n - len(went)
						if got := classOf(l, "slow"); got.IO > depth || got.IO < min(depth, got.IO+got.IOWaiting) ||
							got.IO+got.IOWaiting > left {
							t.Errorf("%d are left, %d under way, %d wait", left, got.IO, got.IOWaiting)
						}
						return nil
					}))
					if depth == 1 && !slices.Equal(came, went) {
						t.Errorf("came as %v, had their turns as %v", came, went)
					}
				})
			})
		})
	}
}

// A class moves no more than Rate bytes a second, on all loops together.
func TestClassRate(t *testing.T) {
	const tasks, each, size, rate = 3, 4, 64 << 10, 8 << 20
	c := ringo.NewClass("slow", 100)
	c.SetIO(ringo.IOLimits{Rate: rate})
	// write is on a loop what takes time.
	write := func(t *testing.T, l *ringo.Loop) (took time.Duration) {
		dir, p := tempDir(t), make([]byte, size)
		began := l.Now()
		joinAll(inClass(t, l, c, tasks, func(i int) error {
			f := create(t, filepath.Join(dir, fmt.Sprint(i)))
			defer f.Close()
			for range each {
				if _, err := f.Write(p); err != nil {
					return err
				}
			}
			return nil
		}))
		l.Yield()
		return l.Now().Sub(began)
	}
	// least is how long the last write waits for all before it, of which 50 ms are saved up.
	least := func(loops int) time.Duration {
		return time.Duration(loops*tasks*each-1)*size*time.Second/rate - 50*time.Millisecond
	}
	socktest.EachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Loops = 2
		var took [2]time.Duration
		all := ringo.NewBarrier(cfg.Loops)
		if err := socktest.RunLoops(t, context.Background(), &cfg, func(l *ringo.Loop) error {
			all.Wait(nil)
			took[l.Index()] = write(t, l)
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		if got := max(took[0], took[1]); got < least(2) {
			t.Errorf("all was written in %v, want %v at least", got, least(2))
		}
	})
	inWorlds(t, func(t *testing.T, l *ringo.Loop) {
		c = ringo.NewClass("slow", 100)
		c.SetIO(ringo.IOLimits{Rate: rate})
		if took := write(t, l); took < least(1) || took > 2*(least(1)+50*time.Millisecond) {
			t.Errorf("all was written in %v, want %v", took, least(1))
		}
	})
}

// The wait for a turn ends as each wait does: with a cancel, and in a block whose time is over. No turn is lost,
// whether the task has stood in line or has waited for the rate.
func TestClassEnds(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		onLoop(t, cfg, func(l *ringo.Loop) {
			f := create(t, filepath.Join(tempDir(t), "f"))
			defer f.Close()
			c := ringo.NewClass("slow", 100)
			c.SetIO(ringo.IOLimits{Depth: 1, Rate: 1})
			write := func(n int) (err error) {
				l.WithClass(c, func() error { _, err = f.Write(make([]byte, n)); return nil })
				return err
			}
			// What this costs is paid for in days. Where it is cut short the rest waits for that.
			l.WithTimeout(10*time.Second, func() error { return write(1 << 20) })
			var errs [4]error
			waits := l.Go(func() { errs[0] = write(1) })
			inLine := l.Go(func() { errs[1] = l.WithClass(c, f.Sync) })
			timed := l.Go(func() {
				errs[2] = l.WithTimeout(time.Millisecond, func() error { return l.WithClass(c, f.Sync) })
			})
			timed.Wait()
			if got := classOf(l, "slow"); got.IO != 1 || got.IOWaiting != 1 {
				t.Errorf("%d under way, %d wait, want 1 and 1", got.IO, got.IOWaiting)
			}
			inLine.Cancel()
			inLine.Wait()
			last := l.Go(func() { errs[3] = l.WithClass(c, f.Sync) })
			l.Yield()
			c.SetIO(ringo.IOLimits{Depth: 1})
			waits.Cancel()
			waits.Wait()
			last.Wait()
			for i, want := range []error{context.Canceled, context.Canceled, os.ErrDeadlineExceeded, nil} {
				if !errors.Is(errs[i], want) {
					t.Errorf("%d: %v, want %v", i, errs[i], want)
				}
			}
			// What was not written is not paid for.
			c.SetIO(ringo.IOLimits{Rate: 1 << 30})
			if err := write(1); err != nil {
				t.Error(err)
			}
		})
	})
}

// What waits for the rate goes by another one within a moment, once there is one.
func TestClassRateChanges(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		onLoop(t, cfg, func(l *ringo.Loop) {
			f := create(t, filepath.Join(tempDir(t), "f"))
			defer f.Close()
			c := ringo.NewClass("slow", 100)
			c.SetIO(ringo.IOLimits{Rate: 1})
			l.WithTimeout(10*time.Second, func() error {
				return l.WithClass(c, func() error { _, err := f.Write(make([]byte, 1<<20)); return err })
			})
			began := l.Now()
			waits := l.Go(func() {
				l.WithClass(c, func() error { _, err := f.Write([]byte("more")); return err })
			})
			for classOf(l, "slow").IO == 0 {
				pause(l)
			}
			c.SetIO(ringo.IOLimits{Rate: 1 << 40})
			waits.Wait()
			if took := l.Now().Sub(began); socktest.InWorld() && took > 2*time.Second {
				t.Errorf("went on after %v", took)
			}
		})
	})
}

// Calls that give up while they wait for the rate take nothing from those before them, nor do those behind them wait
// for what they have not moved.
func TestClassRateGivenUp(t *testing.T) {
	t.Parallel()
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		onLoop(t, cfg, func(l *ringo.Loop) {
			const n, size, rate = 10, 64 << 10, 1 << 20
			f := create(t, filepath.Join(tempDir(t), "f"))
			defer f.Close()
			c := ringo.NewClass("slow", 100)
			c.SetIO(ringo.IOLimits{Rate: rate})
			began := l.Now()
			// moved is how long another one waits for so many calls, of which 50 ms are saved up.
			moved := func(what string, calls int) {
				l.Yield()
				took, least := l.Now().Sub(began), time.Duration(calls)*size*time.Second/rate-50*time.Millisecond
				if took < least || socktest.InWorld() && took > least+time.Second {
					t.Errorf("%s: %d calls were over in %v, want %v", what, calls, took, least)
				}
			}
			write := func(i int) error { _, err := f.WriteAt(make([]byte, size), int64(i)*size); return err }
			giveUp := func(i int) error {
				if err := l.WithTimeout(10*time.Millisecond, func() error { return write(i) }); err == nil {
					t.Error("a call in the midst did not give up")
				}
				return nil
			}
			first := inClass(t, l, c, n, write)
			l.Yield()
			given := inClass(t, l, c, 3*n, giveUp)
			l.Yield()
			behind := inClass(t, l, c, n, write)
			l.Yield()
			given = append(given, inClass(t, l, c, 3*n, giveUp)...)
			joinAll(given)
			joinAll(first)
			moved("before", n-1)
			joinAll(behind)
			moved("behind", 2*n-1)
		})
	})
}

// Whatever gives up when, a class moves as much as its rate says, and no less while something waits.
func TestClassRateOfRandomCalls(t *testing.T) {
	seed := seedOf(t)
	inWorlds(t, func(t *testing.T, l *ringo.Loop) {
		f := create(t, filepath.Join(tempDir(t), "f"))
		defer f.Close()
		for round := range uint64(10) {
			const most, rate = 64 << 10, 1 << 20
			random := rand.New(rand.NewPCG(seed, round))
			c := ringo.NewClass("slow", 100)
			c.SetIO(ringo.IOLimits{Rate: rate})
			n, sum, began := 10+random.IntN(50), 0, l.Now()
			var tasks []*ringo.Task
			for range n {
				size, patient := 1+random.IntN(most), time.Duration(random.IntN(3000))*time.Millisecond
				tasks = append(tasks, l.Go(func() {
					l.WithClass(c, func() error {
						write := func() error { _, err := f.WriteAt(make([]byte, size), 0); return err }
						if l.WithTimeout(patient, write) != nil {
							return nil
						}
						l.Yield()
						took := l.Now().Sub(began)
						due := time.Duration(sum) * time.Second / rate // another one's turn may have come before
						more := time.Duration(most)*time.Second/rate + 50*time.Millisecond
						if took < due-more || took > due+more+time.Second {
							t.Errorf("round %d of seed %d: a call behind %d bytes was over in %v, want %v",
								round, seed, sum, took, due)
						}
						sum += size
						return nil
					})
				}))
			}
			joinAll(tasks)
		}
	})
}

// Bytes that were asked for and not moved, since the file had ended, need not be paid for.
func TestClassPaysForWhatMoves(t *testing.T) {
	inWorlds(t, func(t *testing.T, l *ringo.Loop) {
		f := create(t, filepath.Join(tempDir(t), "f"))
		defer f.Close()
		c := ringo.NewClass("slow", 100)
		c.SetIO(ringo.IOLimits{Rate: 1 << 10})
		began := l.Now()
		joinAll(inClass(t, l, c, 1, func(int) error {
			for range 100 {
				if n, err := f.ReadAt(make([]byte, 1<<10), 0); n != 0 || err != io.EOF {
					return fmt.Errorf("read %d bytes: %w", n, err)
				}
			}
			return nil
		}))
		l.Yield()
		if took := l.Now().Sub(began); took > 10*time.Second {
			t.Errorf("reads of nothing took %v", took)
		}
	})
}

// A class that has asked for nothing has saved up 50 ms, however long that was.
func TestClassSavesLittle(t *testing.T) {
	inWorlds(t, func(t *testing.T, l *ringo.Loop) {
		f := create(t, filepath.Join(tempDir(t), "f"))
		defer f.Close()
		c := ringo.NewClass("slow", 100)
		c.SetIO(ringo.IOLimits{Rate: 1 << 20})
		joinAll(inClass(t, l, c, 1, func(int) error {
			for range 2 {
				began := l.Now()
				for range 16 {
					if _, err := f.WriteAt(make([]byte, 64<<10), 0); err != nil {
						return err
					}
				}
				l.Yield()
				if took := l.Now().Sub(began); took < 850*time.Millisecond || took > 10*time.Second {
					t.Errorf("a megabyte took %v", took)
				}
				l.Sleep(time.Hour)
			}
			return nil
		}))
	})
}

// What a class does by its limits is what it does without them, by each call that moves bytes.
func TestClassMovesAll(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		onLoop(t, cfg, func(l *ringo.Loop) {
			dir := tempDir(t)
			content := bytesOf(3<<20 + 77)
			c := ringo.NewClass("slow", 100)
			c.SetIO(ringo.IOLimits{Depth: 2, Rate: 1 << 30, Priority: ringo.IOLowest})
			joinAll(inClass(t, l, c, 3, func(i int) error {
				name := filepath.Join(dir, fmt.Sprint(i))
				f := create(t, name)
				defer f.Close()
				if _, err := f.Write(content); err != nil {
					return err
				}
				if err := f.Datasync(); err != nil {
					return err
				}
				got := make([]byte, len(content))
				var rs []file.ReadRange
				for at := 0; at < len(got); at += 100_000 {
					rs = append(rs, file.ReadRange{Off: int64(at), P: got[at:min(at+100_000, len(got))]})
				}
				if err := f.ReadRanges(rs); err != nil {
					return err
				}
				if !bytes.Equal(got, content) {
					t.Error("other ranges were read")
				}
				if _, err := file.CopyFile(name+"copy", name); err != nil {
					return err
				}
				if got, err := file.ReadFile(name + "copy"); err != nil || !bytes.Equal(got, content) {
					t.Errorf("the copy has %d bytes, or other ones: %v", len(got), err)
				}
				w, err := file.NewWriter(f, nil)
				if err != nil {
					return err
				}
				if _, err := w.Write(content); err != nil {
					return err
				}
				return w.Close()
			}))
			joinAll(inClass(t, l, c, 1, func(int) error {
				if got := classOf(l, "slow"); got.IO != 0 || got.IOWaiting != 0 || got.IOBytes < 9<<20 {
					t.Errorf("%d are under way, %d wait, %d bytes", got.IO, got.IOWaiting, got.IOBytes)
				}
				return nil
			}))
		})
	})
}

// What a Reader and a Writer move beside their caller is moved in the caller's class, with its values: also by a
// ReaderAt or a WriterAt of the program's own.
func TestClassStreams(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		onLoop(t, cfg, func(l *ringo.Loop) {
			const size = 1 << 20
			c := ringo.NewClass("slow", 100)
			c.SetIO(ringo.IOLimits{Depth: 1})
			f := create(t, filepath.Join(tempDir(t), "f"))
			defer f.Close()
			ctx := context.WithValue(context.Background(), keyOfStreams{}, "the caller's")
			joinAll(inClass(t, l, c, 1, func(int) error {
				return l.WithContext(ctx, func() error {
					mine := &inner{l, f}
					w := mustWriter(t, mine, &file.StreamConfig{Size: 64 << 10})
					if _, err := w.Write(bytesOf(size)); err != nil {
						return err
					}
					if err := w.Close(); err != nil {
						return err
					}
					if got := classOf(l, "slow"); got.IO != 0 || got.IOWaiting != 0 || got.IOBytes != size {
						t.Errorf("%d are under way, %d wait, %d bytes", got.IO, got.IOWaiting, got.IOBytes)
					}
					r := mustReader(t, mine, &file.StreamConfig{Size: 64 << 10})
					defer r.Close()
					if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, bytesOf(size)) {
						t.Errorf("%d bytes were read, or other ones: %v", len(got), err)
					}
					return nil
				})
			}))
		})
	})
}

type keyOfStreams struct{}

// inner is a file in a type of the program's, which wants to be called in a class and a context.
type inner struct {
	l *ringo.Loop
	f *file.File
}

func (i *inner) check() error {
	if got := classOf(i.l, "slow"); got.Tasks < 2 || got.IO > 1 {
		return fmt.Errorf("%d tasks are of the class, and %d calls under way", got.Tasks, got.IO)
	}
	if got := i.l.Context().Value(keyOfStreams{}); got != "the caller's" {
		return fmt.Errorf("the value is %v", got)
	}
	return nil
}

func (i *inner) ReadAt(p []byte, off int64) (int, error) {
	if err := i.check(); err != nil {
		return 0, err
	}
	return i.f.ReadAt(p, off)
}

func (i *inner) WriteAt(p []byte, off int64) (int, error) {
	if err := i.check(); err != nil {
		return 0, err
	}
	return i.f.WriteAt(p, off)
}

// A Writer's blocks wait for the rate, and Close for all of them, in a cancelled task too.
func TestClassStreamRate(t *testing.T) {
	inWorlds(t, func(t *testing.T, l *ringo.Loop) {
		const size = 1 << 20
		f := create(t, filepath.Join(tempDir(t), "f"))
		defer f.Close()
		c := ringo.NewClass("slow", 100)
		c.SetIO(ringo.IOLimits{Depth: 1, Rate: size})
		began := l.Now()
		closes := inClass(t, l, c, 1, func(int) error {
			w := mustWriter(t, f, &file.StreamConfig{Depth: 8, Size: size / 16})
			_, err := w.Write(bytesOf(size))
			if !errors.Is(err, context.Canceled) {
				t.Errorf("Write: %v", err)
			}
			written := w.Written()
			if err := w.Close(); err != nil || w.Written() <= written {
				t.Errorf("Close: %v, written up to %d after %d", err, w.Written(), written)
			}
			l.Yield()
			took := l.Now().Sub(began)
			least := time.Duration(w.Written()-size/16)*time.Second/size - 50*time.Millisecond
			if took < least || took > 10*time.Second {
				t.Errorf("%d bytes were written in %v, want %v", w.Written(), took, least)
			}
			if got := classOf(l, "slow"); got.IO != 0 || got.IOWaiting != 0 || got.IOBytes != uint64(w.Written()) {
				t.Errorf("%d are under way, %d wait, %d bytes of %d", got.IO, got.IOWaiting, got.IOBytes, w.Written())
			}
			return nil
		})
		l.Sleep(200 * time.Millisecond)
		closes[0].Cancel()
		joinAll(closes)
	})
}

// When a loop cancels all that runs, its Writers' last blocks do not wait for the rate.
func TestClassStreamAsTheLoopStops(t *testing.T) {
	socktest.EachDriver(t, func(t *testing.T, cfg ringo.Config) {
		c := ringo.NewClass("slow", 100)
		c.SetIO(ringo.IOLimits{Depth: 1, Rate: 1})
		name, want := filepath.Join(tempDir(t), "f"), pattern(100_000)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		cfg.Grace = -1
		patience.Within(t.Name(), func() {
			if err := ringo.Run(ctx, &cfg, func(l *ringo.Loop) error {
				return l.WithClass(c, func() error {
					f, err := file.Create(name)
					if err != nil {
						return err
					}
					defer f.Close()
					w := mustWriter(t, f, &file.StreamConfig{Size: 4096, Depth: 100})
					if _, err := w.Write(want); err != nil {
						return err
					}
					cancel()
					if err := l.Sleep(patience.Max); !errors.Is(err, context.Canceled) {
						return fmt.Errorf("the loop goes on: %v", err)
					}
					return w.Close()
				})
			}); err != nil {
				t.Errorf("Run: %v", err)
			}
		})
		if got, err := readFile(name); err != nil || !bytes.Equal(got, want) {
			t.Errorf("of %d bytes %d are in the file: %v", len(want), len(got), err)
		}
	})
}

// Limits cost no allocation.
func TestClassAllocs(t *testing.T) {
	if race.Enabled {
		t.Skip("the race detector allocates")
	}
	socktest.EachDriver(t, func(t *testing.T, cfg ringo.Config) {
		onLoop(t, cfg, func(l *ringo.Loop) {
			f := create(t, filepath.Join(tempDir(t), "f"))
			defer f.Close()
			c := ringo.NewClass("slow", 100)
			c.SetIO(ringo.IOLimits{Depth: 1, Rate: 1 << 40, Priority: ringo.IOIdle})
			joinAll(inClass(t, l, c, 1, func(int) error {
				p := make([]byte, 100_000)
				if n := alloctest.Least(20, 0.1, func() { f.WriteAt(p, 0) }); n > 0.1 {
					t.Errorf("%v allocations a write", n)
				}
				return nil
			}))
		})
	})
}
