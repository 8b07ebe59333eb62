//go:build linux

package file_test

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ringo"
	"ringo/buf"
	"ringo/file"
	"ringo/internal/driver"
	"ringo/internal/driver/open"
	"ringo/internal/driver/uring"
	"ringo/internal/fd"
	"ringo/internal/loop"
	"ringo/internal/op"
	"ringo/internal/sys"
	"ringo/internal/test/drivertest"
	"ringo/internal/test/patience"
	"ringo/internal/test/socktest"
	"ringo/internal/test/testmain"
	"ringo/internal/test/uringtest"
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
			kept := testmain.DescriptorsKept(t)
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
			kept(func() { pause(l) })
		})
	})
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
					if n := openOn(t, name); n != 1 {
						t.Errorf("%d descriptors are open, want 1", n)
					}
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
					if n := openOn(t, name); n != 0 { // its number may be another's already
						t.Errorf("%d descriptors are open after Close", n)
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

var errDead = errors.New("dead on purpose")

// The driver of a loop dies while a read of one of its tasks waits for a device: Run waits for it, and the task
// goes on with what the device gave.
func TestSlowReadDriverDies(t *testing.T) {
	slowWays(t, func(t *testing.T, cfg ringo.Config, m *failingMount, openFile func(t *testing.T) *file.File) {
		var mortal drivertest.Mortal
		defer open.Through(mortal.Wrap)()
		f, r := openFile(t), newSlowRead(0)
		victim := make(chan *drivertest.Victim, 1)
		var ended atomic.Bool
		join := begin(nil, func() {
			err := socktest.RunLoops(t, t.Context(), &cfg, func(l *ringo.Loop) error {
				victim <- mortal.Of((*loop.Loop)(l).Ops())
				r.run(f)
				return nil
			})
			if !errors.Is(err, errDead) {
				t.Errorf("Run: %v, want what the driver died of", err)
			}
			ended.Store(true)
		})
		v := <-victim
		device := m.next(t, nil)
		v.Die(errDead)
		<-v.Died()
		aWhile(nil)
		if r.early = r.claim(); ended.Load() && !r.early {
			t.Error("Run has ended, and a read is under way")
		}
		device.answer('a')
		join()
		aWhile(nil)
		r.check(t, 'a', context.Canceled)
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	})
}

// A ring dies while the kernel waits for a device in an entry's name: the op ends once, when nothing will touch its
// memory any more, whatever the kernel makes of the cancel of it.
func TestSlowReadOnDeadRing(t *testing.T) {
	m := mountWith(t, fuseAsyncRead, heldMax) // any other read would hold up who submits it
	masks := []string{""}
	if testmain.Long() {
		masks = append(masks, "defer_taskrun", "kernel=6.0", "kernel=5.10")
	}
	for i, without := range masks {
		t.Run(without, func(t *testing.T) {
			patience.Within(t.Name(), func() { slowReadOnDeadRing(t, m, newSlowRead(i), without) })
		})
	}
}

func slowReadOnDeadRing(t *testing.T, m *failingMount, r *slowRead, without string) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	// By os it would be polled, by all Ps that there are.
	g, err := unix.Open(m.slow()["by the page cache"], unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(g)
	if err := unix.Fadvise(g, 0, 0, unix.FADV_RANDOM); err != nil { // nothing is read ahead
		t.Fatal(err)
	}
	var number fd.FD
	number.Init(int32(g))
	var dead bool
	start := time.Now()
	slab := op.NewSlab(0)
	d, err := uring.Open(driver.Config{Entries: 8, Slab: slab, Without: []string{without},
		Now: func() int64 { return int64(time.Since(start)) },
		Fault: func() error {
			if dead {
				return errDead
			}
			return nil
		}})
	if uringtest.Refused(err) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	o := slab.Get(op.ReadAt)
	o.FD, o.Buf, o.Off = &number, r.p, r.off
	var done driver.Queue
	wait := func() {
		err := d.Wait(int64(time.Since(start)+time.Millisecond), &done) // a Poll need not enter the kernel
		if dead != (err != nil) {
			t.Errorf("Wait: %v, and dead: %v", err, dead)
		}
		if c, ok := done.Pop(); ok {
			if r.n = int(c.Res); c.Res == -sys.ECANCELED {
				r.n, r.err = 0, context.Canceled
			}
			r.ended.Add(1)
		}
		pause(nil)
	}
	d.Submit(o)
	wait()
	device := m.next(t, nil)
	dead = true
	for range 200 { // many times as long as the kernel takes to tear down a ring
		wait()
	}
	r.early = r.claim()
	if err := device.answer('a'); err != nil && !r.early {
		t.Errorf("the device's answer: %v", err)
	}
	for r.ended.Load() == 0 {
		wait()
	}
	r.check(t, 'a', context.Canceled)
	for range 20 {
		wait()
	}
	r.check(t, 'a', context.Canceled)
	if err := d.Close(&done); err != nil {
		t.Errorf("Close: %v", err)
	}
	slab.Put(o)
}

// heldRead is a read of a failingMount's file that waits for its answer.
type heldRead struct {
	d      *fuseDevice
	unique uint64
	size   int
}

// straight begins the names of files of which the kernel keeps nothing: an answer goes into
// the memory of the one who reads.
const straight = "straight"

// heldMax is how many reads may wait.
const heldMax = 1024

// answer gives the reader bytes, all the same. An error says that nobody waits for it.
func (r heldRead) answer(b byte) error {
	return r.d.reply(answerTo(r.unique, bytes.Repeat([]byte{b}, r.size), 0))
}

// next is the next read that waits.
func (m *failingMount) next(t *testing.T, l *ringo.Loop) heldRead {
	t.Helper()
	r, _ := m.nextUnless(t, l, func() bool { return false })
	return r
}

// nextUnless is next for a reader that may give up before its read comes here: over says so.
func (m *failingMount) nextUnless(t *testing.T, l *ringo.Loop, over func() bool) (r heldRead, ok bool) {
	t.Helper()
	patience.UntilBy(t, "a read that comes to the mount", func() { pause(l) }, func() bool {
		gone := over() // asked first: what has come is taken all the same
		select {
		case r = <-m.held:
			ok = true
		default:
		}
		return ok || gone
	})
	return r, ok
}

// answerAll answers with b whatever waits, and what comes, until done says that nobody will.
func (m *failingMount) answerAll(t *testing.T, l *ringo.Loop, b byte, done func() bool) {
	t.Helper()
	patience.UntilBy(t, "an end of reads that are answered", func() { pause(l) }, func() bool {
		for !done() {
			select {
			case r := <-m.held:
				r.answer(b)
				continue
			default:
			}
			return false
		}
		return true
	})
}

// slow are a mount's files by what is behind them.
func (m *failingMount) slow() map[string]string {
	return map[string]string{"by the page cache": filepath.Join(m.dir, "cached"),
		"straight": filepath.Join(m.dir, straight)}
}
