package open

import (
	"errors"
	"fmt"
	"math"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"ringo/internal/driver"
	"ringo/internal/op"
	"ringo/internal/posix"
	"ringo/internal/sys"
)

// childEnv makes the test binary a program that opens the driver named, and says
// what came of it.
const childEnv = "RINGO_TEST_CHILD"

var epoch = time.Now()

// with opens a driver on a thread of its own and gives it to f.
func with(name string, f func(d driver.Driver, err error)) { withSlab(name, op.NewSlab(0), f) }

func withSlab(name string, slab *op.Slab, f func(d driver.Driver, err error)) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread()
		d, err := Open(name, driver.Config{
			Slab: slab, Entries: 64,
			Now: func() int64 { return int64(time.Since(epoch)) },
		})
		f(d, err)
		if err == nil {
			d.Close(new(driver.Queue))
		}
	}()
	<-done
}

// describe is what a child says: the driver and why, or the error.
func describe(name string) (text string) {
	with(name, func(d driver.Driver, err error) {
		if err != nil {
			text = fmt.Sprintf("error: %v", err)
			if s := (*driver.SetupError)(nil); errors.As(err, &s) {
				text = fmt.Sprintf("SetupError of %s at %s: %v", s.Driver, s.Step, err)
			}
			return
		}
		text = fmt.Sprintf("%s: %s", d.Info().Name, d.Info().Reason)
	})
	return text
}

func TestCheck(t *testing.T) {
	for _, name := range Names() {
		if err := Check(name); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, name := range []string{"", "Auto", "uring ", "iouring", "iocp"} {
		err := Check(name)
		if err == nil {
			t.Errorf("%q is accepted", name)
			continue
		}
		for _, want := range append(Names(), fmt.Sprintf("%q", name)) {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%q: %v does not say %s", name, err, want)
			}
		}
	}
}

// The driver of simulated worlds is known, though no name opens it, and who asks is told where worlds are made.
func TestCheckOfWorlds(t *testing.T) {
	for what, err := range map[string]error{"Check": Check("sim"), "Open": refusal(t, "sim")} {
		if err == nil || !strings.Contains(err.Error(), "sim.Run") || strings.Contains(err.Error(), "unknown") {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// Each driver is what was asked for, works, and says why it was chosen.
func TestOpen(t *testing.T) {
	for _, name := range Names() {
		t.Run(name, func(t *testing.T) {
			with(name, func(d driver.Driver, err error) {
				if err != nil {
					t.Skip(err)
				}
				info := d.Info()
				if name != Auto && (info.Name != name || info.Reason != "asked for") {
					t.Errorf("%s, because %q", info.Name, info.Reason)
				}
				best := []string{Uring, Epoll}
				if !sys.HaveEpoll {
					best = []string{Kqueue, Poll}
				}
				if name == Auto && (!slices.Contains(best, info.Name) || info.Reason == "" ||
					info.Reason == "asked for") {
					t.Errorf("%s, because %q", info.Name, info.Reason)
				}
				if ring := info.Name == Uring || info.Name == UringPoll; (info.Entries >= 32) != ring {
					t.Errorf("a submission queue of %d entries", info.Entries)
				}
				if len(info.Features) == 0 && info.Name == Uring {
					t.Error("a ring without features")
				}
				d.Wake()
				var done driver.Queue
				if err := d.Wait(math.MaxInt64, &done); err != nil {
					t.Errorf("Wait: %v", err)
				}
				if d.Info().Stats.Enters == 0 && info.Name == Uring {
					t.Error("Info does not show the driver's counters")
				}
			})
		})
	}
}

func TestOpenUnknown(t *testing.T) {
	if err := refusal(t, "iocp"); err == nil || !strings.Contains(err.Error(), "iocp") {
		t.Error(err)
	}
}

// A poller of another system's is known, and refused as what this one does not have.
func TestOpenForeign(t *testing.T) {
	played := 0
	for name, have := range map[string]bool{Epoll: sys.HaveEpoll, Kqueue: sys.HaveKqueue} {
		if have {
			continue
		}
		played++
		err := refusal(t, name)
		if !errors.Is(err, posix.ENOSYS) || !strings.Contains(err.Error(), "this system has no such poller") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if played == 0 {
		t.Error("a system with epoll and kqueue")
	}
}

// refusal is the error of a driver that can't be had.
func refusal(t *testing.T, name string) (err error) {
	with(name, func(d driver.Driver, refused error) {
		if err = refused; d != nil {
			t.Errorf("%s: there is a driver, and %v", name, err)
		}
	})
	return err
}

func self(t *testing.T) string {
	t.Helper()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return path
}
