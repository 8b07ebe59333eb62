//go:build linux

package uring

import (
	"errors"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ringo/internal/test/patience"
)

// put prepares NOPs with user data from first on, and does not submit them.
func put(t *testing.T, r *Ring, first uint64, n int) {
	t.Helper()
	for i := range n {
		e := r.SQE()
		if e == nil {
			t.Fatalf("SQ full after %d of %d", i, n)
		}
		e.PrepNop()
		e.SetUserData(first + uint64(i))
	}
}

// wantPending checks which entries the kernel has still to see.
func wantPending(t *testing.T, r *Ring, first uint64, n int) {
	t.Helper()
	var got []uint64
	r.EachPending(func(e *SQE) { got = append(got, e.UserData) })
	for i, data := range got {
		if data != first+uint64(i) {
			t.Errorf("pending entry %d has user data %d, want %d", i, data, first+uint64(i))
		}
	}
	if len(got) != n {
		t.Errorf("%d entries are pending, want %d", len(got), n)
	}
}

func TestSQFull(t *testing.T) {
	for _, entries := range []int{2, 8} {
		r := open(t, entries, nil)
		for round := range 3 {
			put(t, r, 0, entries)
			if e := r.SQE(); e != nil {
				t.Fatal("an entry more than there are")
			}
			if r.SQSpace() != 0 || r.SQPending() != entries {
				t.Errorf("round %d: space %d, pending %d", round, r.SQSpace(), r.SQPending())
			}
			wantPending(t, r, 0, entries)
			if n, errno := r.Enter(0, false, -1); n != entries || errno != 0 {
				t.Fatalf("round %d: consumed %d, %v", round, n, errno)
			}
			if r.SQSpace() != entries || r.SQPending() != 0 {
				t.Errorf("round %d: space %d, pending %d", round, r.SQSpace(), r.SQPending())
			}
			wantPending(t, r, 0, 0)
			if n := r.Drain(make([]CQE, 2*entries)); n != entries {
				t.Errorf("round %d: %d CQEs", round, n)
			}
		}
	}
}

// TestUnprepared: an entry that was taken and left alone is a NOP, not what the place held before.
func TestUnprepared(t *testing.T) {
	r := open(t, 2, nil)
	fd := eventfd(t)
	for range 2 {
		want(t, do(t, r, func(e *SQE) { e.PrepPollAdd(fd, unix.POLLOUT) }), unix.POLLOUT)
	}
	if *r.SQE() != (SQE{}) {
		t.Error("the entry is not zero")
	}
	want(t, finish(t, r, 0), 0)
}

func TestDrain(t *testing.T) {
	eachGeometry(t, func(t *testing.T, r *Ring) {
		next := uint64(0)
		for range 40 {
			n := min(r.SQEntries(), 7)
			put(t, r, next, n)
			if _, err := r.Wait(n, waitMax); err != nil {
				t.Fatal(err)
			}
			if r.CQReady() != n {
				t.Fatalf("%d ready, want %d", r.CQReady(), n)
			}
			for n > 0 { // in pieces
				into := make([]CQE, 3)
				got := r.Drain(into)
				if got != min(3, n) {
					t.Fatalf("drained %d, %d were left", got, n)
				}
				for _, c := range into[:got] {
					if c.UserData != next {
						t.Fatalf("want %d, got %+v", next, c)
					}
					next++
				}
				n -= got
			}
			if r.Drain(make([]CQE, 1)) != 0 || r.Drain(nil) != 0 {
				t.Fatal("drained from an empty ring")
			}
		}
	})
}

// TestOverflow: CQEs that find the CQ full wait in the kernel; the flag says so and none is lost.
func TestOverflow(t *testing.T) {
	for _, g := range []geometry{
		{"two entries", 2, Config{CQEntries: 2}},
		{"default", 8, Config{CQEntries: 8}},
		{"coop", 8, Config{CQEntries: 8, Without: deferral}},
		{"bare", 8, Config{Without: ^SetupFlags(0), WithoutRingFD: true}},
	} {
		t.Run(g.name, func(t *testing.T) {
			r := open(t, g.entries, &g.cfg)
			if r.Features()&FeatNoDrop == 0 {
				t.Skip("the kernel drops CQEs")
			}
			total := uint64(0)
			for total < 5*uint64(r.CQEntries()) {
				put(t, r, total, r.SQEntries())
				n, errno := r.Enter(0, false, -1)
				total += uint64(n)
				if errno == syscall.EBUSY && n == 0 {
					break // older kernels take no more while CQEs wait
				}
			}
			if !r.Overflowed() || !r.NeedsEnter() {
				t.Fatalf("%d CQEs for a CQ of %d: no flag", total, r.CQEntries())
			}
			seen := uint64(0)
			for r.CQReady() > 0 || r.NeedsEnter() {
				for c, ok := r.CQE(); ok; c, ok = r.CQE() {
					if c.UserData != seen {
						t.Fatalf("want %d, got %+v", seen, c)
					}
					seen++
				}
				if _, errno := r.Enter(0, true, -1); errno != 0 {
					t.Fatal(errno)
				}
			}
			if seen != total || r.Overflowed() || r.Lost() != 0 {
				t.Errorf("%d of %d seen, overflowed %v, lost %d", seen, total, r.Overflowed(), r.Lost())
			}
		})
	}
}

// TestBadEntryInBatch: with SUBMIT_ALL a bad entry costs itself; without, what is behind it stays pending.
func TestBadEntryInBatch(t *testing.T) {
	for _, c := range []struct {
		name    string
		without SetupFlags
		taken   int
	}{{"SUBMIT_ALL", 0, 4}, {"stops", SetupSubmitAll, 2}} {
		t.Run(c.name, func(t *testing.T) {
			r := open(t, 4, &Config{Without: c.without})
			if c.without == 0 && r.Flags()&SetupSubmitAll == 0 {
				t.Skip("the kernel has no SUBMIT_ALL")
			}
			put(t, r, 0, 1)
			*r.SQE() = SQE{Op: 255, UserData: 1}
			put(t, r, 2, 2)
			n, errno := r.Enter(0, false, -1)
			if n != c.taken || errno != 0 || r.SQPending() != 4-c.taken {
				t.Fatalf("consumed %d, %v, pending %d; want %d consumed", n, errno, r.SQPending(), c.taken)
			}
			if _, err := r.Wait(4, waitMax); err != nil {
				t.Fatal(err)
			}
			// In any order: Linux 6.1 answers the bad entry at once, and the good ones at the end of the batch.
			results := []any{0, syscall.EINVAL, 0, 0}
			for range results {
				e, _ := r.CQE()
				if e.UserData >= uint64(len(results)) || results[e.UserData] == nil {
					t.Fatalf("got %+v, want one of what is left of %v", e, results)
				}
				want(t, e, results[e.UserData])
				results[e.UserData] = nil
			}
		})
	}
}

func TestEnterTimeout(t *testing.T) {
	need(t, CheckExtArg)
	eachGeometry(t, func(t *testing.T, r *Ring) {
		if r.Features()&FeatExtArg == 0 {
			t.Skip("no EXT_ARG")
		}
		const d = 3 * time.Millisecond
		begin := time.Now()
		enter := func(d time.Duration) (int, syscall.Errno) {
			return uninterrupted(func() (int, syscall.Errno) { return r.Enter(1, false, d) })
		}
		if n, errno := enter(d); n != 0 || errno != syscall.ETIME {
			t.Fatalf("want ETIME, got %d, %v", n, errno)
		}
		if took := time.Since(begin); took < d {
			t.Errorf("%v took %v", d, took)
		}
		if _, err := r.Wait(1, d); !errors.Is(err, syscall.ETIME) {
			t.Errorf("Wait: want ETIME, got %v", err)
		}
		if _, errno := enter(0); errno != syscall.ETIME {
			t.Errorf("no time: want ETIME, got %v", errno)
		}
		if n, err := r.Wait(0, 0); n != 0 || err != nil {
			t.Errorf("waiting for nothing: %d, %v", n, err)
		}
		want(t, do(t, r, (*SQE).PrepNop), 0)
	})
}

// TestWithoutExtArg: a timeout that the kernel cannot take is refused before anything is submitted.
func TestWithoutExtArg(t *testing.T) {
	r := open(t, 4, &Config{WithoutFeatures: FeatExtArg})
	put(t, r, 1, 1)
	if n, errno := r.Enter(1, false, time.Second); n != 0 || errno != syscall.EINVAL || r.SQPending() != 1 {
		t.Errorf("Enter: consumed %d, %v, pending %d", n, errno, r.SQPending())
	}
	if _, err := r.Wait(1, time.Second); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("Wait: want errors.ErrUnsupported, got %v", err)
	}
	if n, errno := r.Enter(1, false, -1); n != 1 || errno != 0 {
		t.Errorf("without a timeout: consumed %d, %v", n, errno)
	}
	want(t, finishReady(t, r), 0)
}

func finishReady(t *testing.T, r *Ring) CQE {
	t.Helper()
	c, ok := r.CQE()
	if !ok {
		t.Fatal("no CQE")
	}
	return c
}

func TestWaitForTooMany(t *testing.T) {
	r := open(t, 2, nil)
	for _, n := range []int{-1, r.CQEntries() + 1} {
		if _, err := r.Wait(n, -1); err == nil {
			t.Errorf("waiting for %d of %d: no error", n, r.CQEntries())
		}
	}
}

// TestNeedsEnter: with deferred completions the CQ shows nothing until an Enter that asks; the flag says there is more.
func TestNeedsEnter(t *testing.T) {
	r := open(t, 4, nil)
	if r.Flags()&SetupDeferTaskrun == 0 {
		t.Skip("the kernel defers nothing")
	}
	fd := eventfd(t)
	tag := start(t, r, func(e *SQE) { e.PrepPollAdd(fd, unix.POLLIN) })
	if r.NeedsEnter() {
		t.Error("work, and nothing has happened")
	}
	signalEventfd(t, fd)
	if c, ok := r.CQE(); ok {
		t.Fatalf("not asked for, yet here: %+v", c)
	}
	if !r.NeedsEnter() {
		t.Fatal("nothing says that work waits")
	}
	if _, errno := r.Enter(0, true, -1); errno != 0 {
		t.Fatal(errno)
	}
	if c, ok := r.CQE(); !ok || c.UserData != tag || r.NeedsEnter() {
		t.Errorf("got %+v, %v; more: %v", c, ok, r.NeedsEnter())
	}
}

// TestSignal: a signal ends an Enter with EINTR and does not end a Wait.
func TestSignal(t *testing.T) {
	need(t, CheckExtArg)
	r := open(t, 4, nil)
	const d = 20 * time.Millisecond
	pid, tid := unix.Getpid(), unix.Gettid()
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for tick := time.NewTicker(time.Millisecond); ; <-tick.C {
			select {
			case <-stop:
				tick.Stop()
				return
			default:
				unix.Tgkill(pid, tid, unix.SIGURG) // the runtime's own; ignored but for its effect on system calls
			}
		}
	}()
	patience.Within("an Enter that signals end", func() {
		if _, errno := r.Enter(1, false, endless); errno != syscall.EINTR {
			t.Errorf("Enter: want EINTR, got %v", errno)
		}
	})
	begin := time.Now()
	if _, err := r.Wait(1, d); !errors.Is(err, syscall.ETIME) {
		t.Errorf("Wait: want ETIME, got %v", err)
	}
	if took := time.Since(begin); took < d {
		t.Errorf("Wait of %v took %v", d, took)
	}
	close(stop)
	<-stopped
}

// TestIOPoll: the flag reaches the kernel, which then refuses what cannot be polled for.
func TestIOPoll(t *testing.T) {
	r := open(t, 4, &Config{IOPoll: true})
	if r.Flags()&SetupIOPoll == 0 {
		t.Errorf("flags %v", r.Flags())
	}
	want(t, do(t, r, func(e *SQE) { e.PrepPollAdd(0, unix.POLLIN) }), syscall.EINVAL)
}

// A wait for more than there is ends when its time is over, also if there is something: the kernel says then that it
// has waited, and not that its time is over.
func TestWaitForMoreThanComes(t *testing.T) {
	need(t, CheckExtArg)
	for _, timeout := range []time.Duration{0, time.Millisecond} {
		r := open(t, 8, nil)
		tag := start(t, r, (*SQE).PrepNop)
		if _, err := r.Wait(2, timeout); !errors.Is(err, syscall.ETIME) {
			t.Errorf("waited for 2 for %v, with 1 there: %v", timeout, err)
		}
		want(t, finish(t, r, tag), 0)
	}
}
