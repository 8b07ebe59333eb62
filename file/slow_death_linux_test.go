//go:build linux

package file_test

import (
	"context"
	"errors"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ringo"
	"ringo/file"
	"ringo/internal/driver"
	"ringo/internal/driver/open"
	"ringo/internal/driver/uring"
	"ringo/internal/fd"
	"ringo/internal/op"
	"ringo/internal/sys"
	"ringo/internal/test/drivertest"
	"ringo/internal/test/patience"
	"ringo/internal/test/socktest"
	"ringo/internal/test/testmain"
	"ringo/internal/test/uringtest"
)

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
			err := socktest.RunLoops(t, t.Context(), &cfg, func(*ringo.Loop) error {
				victim <- mortal.Current()
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
