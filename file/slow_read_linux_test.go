//go:build linux

package file_test

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ringo"
	"ringo/buf"
	"ringo/file"
	"ringo/internal/fd"
	"ringo/internal/op"
	"ringo/internal/test/patience"
	"ringo/internal/test/socktest"
)

// page is what slow reads are of.
const page = 4096

var mine = bytes.Repeat([]byte("mine"), page/4)

// slowRead is a read of a page, and what came of it.
type slowRead struct {
	off   int64 // which no other read of the same open file has
	p     []byte
	n     int
	err   error
	ended atomic.Int32
	early bool // it has ended before it was answered
}

func newSlowRead(i int) *slowRead { return &slowRead{off: int64(i) * page, p: buf.Aligned(page, page)} }

func (r *slowRead) run(f *file.File) {
	r.n, r.err = f.ReadAt(r.p, r.off)
	r.ended.Add(1)
}

// over reports whether it has ended.
func (r *slowRead) over() bool { return r.ended.Load() != 0 }

// claim makes the memory of a read that has ended its owner's.
func (r *slowRead) claim() bool {
	if r.ended.Load() == 0 {
		return false
	}
	copy(r.p, mine)
	return true
}

// check is for when all answers were given.
func (r *slowRead) check(t *testing.T, b byte, why error) {
	t.Helper()
	if n := r.ended.Load(); n != 1 {
		t.Fatalf("a read has ended %d times", n)
	}
	switch {
	case errors.Is(r.err, why) && why != nil:
	case r.err != nil || r.n != page:
		t.Errorf("ReadAt = %d, %v, want %v or the answer", r.n, r.err, why)
	case !r.early && !bytes.Equal(r.p, bytes.Repeat([]byte{b}, page)):
		t.Errorf("ReadAt has read %q…", r.p[:8])
	}
	if r.early && !bytes.Equal(r.p, mine) {
		t.Errorf("a read that had ended has written to its memory: %q…", r.p[:8])
	}
}

// slowWays runs f for each sort of file that answers late, by each path of a task.
func slowWays(t *testing.T,
	f func(t *testing.T, cfg ringo.Config, m *failingMount, open func(t *testing.T) *file.File)) {
	t.Helper()
	m := mountFailing(t)
	for what, name := range m.slow() {
		for _, w := range ways {
			if w.hosted { // a task's go as in waits
				continue
			}
			for _, flag := range []int{0, file.Direct} {
				if flag != 0 && what == "straight" { // the same
					continue
				}
				t.Run(what+"/"+w.name+map[int]string{0: "", file.Direct: ", direct"}[flag], func(t *testing.T) {
					w.take(t, m.dir)
					eachDriver(t, func(t *testing.T, cfg ringo.Config) {
						f(t, cfg, m, func(t *testing.T) *file.File {
							t.Helper()
							g, err := file.OpenFile(name, os.O_RDONLY|flag, 0)
							if err != nil {
								t.Fatal(err)
							}
							return g
						})
					})
				})
			}
		}
	}
}

// A task is cancelled, or its time is up, while its read waits for a device: the read ends
// once, with what the device gave or with the reason, and then its memory is the task's.
func TestSlowReadCancel(t *testing.T) {
	slowWays(t, func(t *testing.T, cfg ringo.Config, m *failingMount, open func(t *testing.T) *file.File) {
		onLoop(t, cfg, func(l *ringo.Loop) {
			f := open(t)
			for i, c := range []struct {
				start func(r *slowRead, after time.Duration) *ringo.Task
				why   error
			}{
				{func(r *slowRead, _ time.Duration) *ringo.Task {
					return l.Go(func() { r.run(f) })
				}, context.Canceled},
				{func(r *slowRead, after time.Duration) *ringo.Task {
					return l.Go(func() {
						l.WithTimeout(after, func() error { r.run(f); return r.err })
					})
				}, os.ErrDeadlineExceeded},
			} {
				r := newSlowRead(i)
				after := 10 * time.Millisecond
				task := c.start(r, after)
				device, ok := m.nextUnless(t, l, r.over)
				for !ok { // on a busy machine the time may be up before a read gets to the device
					task.Wait()
					r, after = newSlowRead(i), 2*after
					task = c.start(r, after)
					device, ok = m.nextUnless(t, l, r.over)
				}
				if c.why == context.Canceled {
					task.Cancel()
				}
				aWhile(l)
				r.early = r.claim()
				if err := device.answer('a'); err != nil && !r.early {
					t.Errorf("the device's answer: %v", err)
				}
				task.Wait()
				r.check(t, 'a', c.why)
				r.early = r.claim()
				if err := device.answer('b'); err == nil {
					t.Error("the kernel took a second answer")
				}
				aWhile(l)
				r.check(t, 'a', c.why)
			}
			if err := f.Close(); err != nil {
				t.Error(err)
			}
		})
	})
}

// The same of more reads than are under way at once: those that wait for their turn end at
// once. Afterwards as many can be under way as before, and no descriptor is lost.
func TestSlowReadCancelMany(t *testing.T) {
	const many = 40
	slowWays(t, func(t *testing.T, cfg ringo.Config, m *failingMount, open func(t *testing.T) *file.File) {
		onLoop(t, cfg, func(l *ringo.Loop) {
			before := descriptors(t)
			least := 1
			for range 2 {
				var reads []*slowRead
				var tasks []*ringo.Task
				var files []*file.File
				for range many {
					files = append(files, open(t)) // before workers wait for the device
				}
				for i, f := range files {
					r := newSlowRead(i)
					reads = append(reads, r)
					tasks = append(tasks, l.Go(func() { r.run(f) }))
				}
				var devices []heldRead
				for len(devices) < least { // as many as before
					devices = append(devices, m.next(t, l))
				}
				for quiet := 0; quiet < 20; quiet++ {
					select {
					case d := <-m.held:
						devices, quiet = append(devices, d), 0
					default:
						pause(l)
					}
				}
				for _, task := range tasks {
					task.Cancel()
				}
				aWhile(l)
				early := 0
				for _, r := range reads {
					if r.early = r.claim(); r.early {
						early++
					}
				}
				for _, d := range devices {
					d.answer('a')
				}
				m.answerAll(t, l, 'a', func() bool {
					return !slices.ContainsFunc(reads, func(r *slowRead) bool { return r.ended.Load() == 0 })
				})
				for i, task := range tasks {
					task.Wait()
					reads[i].check(t, 'a', context.Canceled)
					if err := files[i].Close(); err != nil {
						t.Error(err)
					}
				}
				t.Logf("%d of %d reads came to the device, %d ended before it answered", len(devices), many, early)
				least = len(devices)
			}
			if n := descriptors(t); n != before {
				t.Errorf("%d descriptors are open, %d were before", n, before)
			}
		})
	})
}

// descriptors counts those that are open.
func descriptors(t *testing.T) int {
	t.Helper()
	list, err := readDir("/proc/self/fd")
	if err != nil {
		t.Skipf("no /proc: %v", err)
	}
	return len(list)
}

// Close waits for the device as long as a read does, and no read begins beside it.
func TestSlowReadClose(t *testing.T) {
	m := mountFailing(t)
	for what, name := range m.slow() {
		for _, w := range ways {
			t.Run(what+"/"+w.name, func(t *testing.T) {
				w.take(t, m.dir)
				eachCaller(t, func(t *testing.T, l *ringo.Loop) {
					f, err := file.Open(name)
					if err != nil {
						t.Fatal(err)
					}
					number := f.Fd()
					r := newSlowRead(0)
					join := begin(l, func() { r.run(f) })
					device := m.next(t, l)
					var closed atomic.Bool
					joinClose := begin(l, func() {
						if err := f.Close(); err != nil {
							t.Errorf("Close: %v", err)
						}
						closed.Store(true)
					})
					aWhile(l)
					if closed.Load() || r.ended.Load() > 0 {
						t.Errorf("before the device has answered Close has returned: %v, and %d reads",
							closed.Load(), r.ended.Load())
					}
					if _, err := f.ReadAt(make([]byte, 1), 0); !errors.Is(err, fs.ErrClosed) {
						t.Errorf("ReadAt beside Close: %v, want fs.ErrClosed", err)
					}
					if err := device.answer('a'); err != nil {
						t.Errorf("the device's answer: %v", err)
					}
					join()
					joinClose()
					r.check(t, 'a', nil)
					if file.NewFile(number, "none") != nil {
						t.Error("the descriptor is open after Close")
					}
				})
			})
		}
	}
}

// A Run whose context has ended waits for a read that is under way, too.
func TestSlowReadRunEnds(t *testing.T) {
	slowWays(t, func(t *testing.T, cfg ringo.Config, m *failingMount, open func(t *testing.T) *file.File) {
		f, r := open(t), newSlowRead(0)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var ended atomic.Bool
		cfg.Grace = patience.Max
		join := begin(nil, func() {
			if err := socktest.RunLoops(t, ctx, &cfg, func(*ringo.Loop) error { r.run(f); return nil }); err != nil {
				t.Errorf("Run: %v", err)
			}
			ended.Store(true)
		})
		device := m.next(t, nil)
		cancel()
		aWhile(nil)
		if ended.Load() {
			t.Error("Run has ended, and a read is under way")
		}
		r.early = r.claim()
		device.answer('a')
		join()
		r.check(t, 'a', context.Canceled)
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	})
}

// A goroutine's read by the hosted ring, whose context ends: Do returns once the device has
// answered, and touches nothing after that; no slot is lost, and Close of the ring waits.
func TestSlowReadHosted(t *testing.T) {
	// The entry of any other read would hold up who leads, so that package file makes none.
	m := mountWith(t, fuseAsyncRead, heldMax)
	for what, name := range m.slow() {
		if what == "straight" {
			continue
		}
		t.Run(what, func(t *testing.T) {
			patience.Within(t.Name(), func() {
				h := onRing(t, m.dir, 0, nil)
				g, err := os.Open(name)
				if err != nil {
					t.Fatal(err)
				}
				defer g.Close()
				var number fd.FD
				number.Init(int32(g.Fd()))
				for i := range 3 {
					r := newSlowRead(i)
					ctx, cancel := context.WithCancel(t.Context())
					join := begin(nil, func() {
						res, ok := h.Do(ctx, &op.Op{Code: op.ReadAt, FD: &number, Buf: r.p, Off: r.off})
						if r.n = int(res); !ok {
							t.Error("Do has not begun the read")
						}
						if res == -int32(unix.ECANCELED) {
							r.n, r.err = 0, context.Canceled
						}
						r.ended.Add(1)
					})
					device := m.next(t, nil)
					cancel()
					aWhile(nil)
					r.early = r.claim()
					if info := h.Info(); info.Stats.Canceled != uint64(i+1) || !r.early && info.Used != 1 {
						t.Errorf("while the device has not answered: %+v", info)
					}
					closed := atomic.Bool{}
					joinClose := func() {}
					if i == 2 {
						joinClose = begin(nil, func() {
							if err := h.Close(); err != nil {
								t.Error(err)
							}
							closed.Store(true)
						})
						if aWhile(nil); closed.Load() && !r.early {
							t.Error("Close of the ring has returned, and a read is under way")
						}
					}
					if err := device.answer('a'); err != nil && !r.early {
						t.Errorf("the device's answer: %v", err)
					}
					join()
					joinClose()
					r.check(t, 'a', context.Canceled)
					if r.early = r.claim(); device.answer('b') == nil {
						t.Error("the kernel took a second answer")
					}
					aWhile(nil)
					r.check(t, 'a', context.Canceled)
					if info := h.Info(); info.Used != 0 || info.Waiting != 0 || info.Stats.Stale != 0 {
						t.Errorf("left: %+v", info)
					}
				}
			})
		})
	}
}
