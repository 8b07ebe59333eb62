//go:build linux

package uring

import (
	"errors"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestOpenRoundsUp(t *testing.T) {
	for _, c := range []struct{ entries, cq, wantSQ, wantCQ int }{
		{2, 0, 2, 8}, {3, 0, 4, 16}, {64, 0, 64, 256}, {100, 0, 128, 512}, {2, 2, 2, 2}, {8, 9, 8, 16},
		{EntriesMax, 0, EntriesMax, CQEntriesMax},
	} {
		r := open(t, c.entries, &Config{CQEntries: c.cq})
		if r.SQEntries() != c.wantSQ || r.CQEntries() != c.wantCQ {
			t.Errorf("%d entries, CQ %d: want %d and %d, got %d and %d", c.entries, c.cq, c.wantSQ, c.wantCQ,
				r.SQEntries(), r.CQEntries())
		}
		if r.SQSpace() != c.wantSQ || r.SQPending() != 0 || r.CQReady() != 0 || r.Lost() != 0 {
			t.Errorf("a new ring has space %d, pending %d, ready %d, lost %d", r.SQSpace(), r.SQPending(), r.CQReady(),
				r.Lost())
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestLadder takes each flag away, as an older kernel would: the ring works without it, and without what depends on it.
func TestLadder(t *testing.T) {
	everything := open(t, 4, nil).Flags()
	alsoGone := map[SetupFlags]SetupFlags{SetupSingleIssuer: SetupDeferTaskrun}
	for _, f := range ladder {
		t.Run(f.String(), func(t *testing.T) {
			r := open(t, 4, &Config{Without: f})
			if got, want := r.Flags(), everything&^(f|alsoGone[f]); got != want {
				t.Errorf("want %v, got %v", want, got)
			}
			for range 20 {
				want(t, do(t, r, (*SQE).PrepNop), 0)
			}
		})
	}
	t.Run("DEFER and COOP", func(t *testing.T) {
		r := open(t, 4, &Config{Without: SetupDeferTaskrun | SetupCoopTaskrun})
		if r.Flags()&SetupTaskrunFlag != 0 {
			t.Errorf("%v: TASKRUN_FLAG has nothing to stand on", r.Flags())
		}
	})
}

// TestOpenRefuses: everything wrong is said at once, and a too small or too large ring is never made something else.
func TestOpenRefuses(t *testing.T) {
	for _, c := range []struct {
		name    string
		entries int
		cfg     Config
		want    []string
	}{
		{"no entry", 0, Config{}, []string{"0 entries: want 2 to 32768"}},
		{"one entry", 1, Config{}, []string{"1 entries: want 2"}},
		{"negative", -1, Config{}, []string{"-1 entries"}},
		{"too many", EntriesMax + 1, Config{}, []string{"32769 entries"}},
		{"CQ smaller than SQ", 8, Config{CQEntries: 4}, []string{"CQEntries 4: want 0, or 8"}},
		{"CQ too large", 8, Config{CQEntries: CQEntriesMax + 1}, []string{"CQEntries 65537"}},
		{"CQ size without the flag", 8, Config{CQEntries: 8, Without: SetupCQSize}, []string{"needs CQSIZE"}},
		{"SQPOLL contradiction", 8, Config{SQPoll: true, Without: SetupSQPoll},
			[]string{"SQPoll: SQPOLL is in Without"}},
		{"IOPOLL contradiction", 8, Config{IOPoll: true, Without: SetupIOPoll},
			[]string{"IOPoll: IOPOLL is in Without"}},
		{"index of one thread", 8, Config{AnyThread: true, With: SetupRegisteredFDOnly},
			[]string{"REGISTERED_FD_ONLY in With: not with AnyThread"}},
		{"idle of nobody", 8, Config{SQPollIdle: time.Second}, []string{"SQPollIdle 1s"}},
		{"two mistakes", 1, Config{SQPollIdle: -1}, []string{"1 entries", "SQPollIdle -1ns"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, err := Open(c.entries, &c.cfg)
			if err == nil {
				r.Close()
				t.Fatal("no error")
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("want %q in %q", want, err)
				}
			}
		})
	}
}

func TestCloseTwiceLeavesNothing(t *testing.T) {
	need(t)
	for _, g := range geometries {
		t.Run(g.name, func(t *testing.T) {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			fds, maps := openFDs(t), ringMappings(t)
			r, err := Open(g.entries, &g.cfg)
			if err != nil {
				t.Fatal(err)
			}
			if openFDs(t) != fds+1 || ringMappings(t) == maps {
				t.Fatal("the counts do not see an open ring")
			}
			start(t, r, (*SQE).PrepNop)
			for range 3 {
				if err := r.Close(); err != nil {
					t.Fatal(err)
				}
			}
			if n := openFDs(t); n != fds {
				t.Errorf("%d descriptors before, %d after", fds, n)
			}
			if n := ringMappings(t); n != maps {
				t.Errorf("%d mappings before, %d after", maps, n)
			}
			testClosed(t, r)
		})
	}
}

// testClosed: a closed ring touches no memory that is gone.
func testClosed(t *testing.T, r *Ring) {
	if e := r.SQE(); e != nil {
		t.Error("SQE handed out an entry")
	}
	if c, ok := r.CQE(); ok {
		t.Errorf("CQE found %+v", c)
	}
	if n := r.Drain(make([]CQE, 4)); n != 0 {
		t.Errorf("Drain found %d", n)
	}
	if r.NeedsEnter() || r.Overflowed() || r.CQReady() != 0 || r.Lost() != 0 || r.FD() != -1 ||
		r.SQSpace() != 0 || r.RingFD() {
		t.Error("a closed ring seems alive")
	}
	if _, errno := r.Enter(0, true, -1); errno != syscall.EBADF {
		t.Errorf("Enter: want EBADF, got %v", errno)
	}
	if _, err := r.Submit(); !errors.Is(err, syscall.EBADF) {
		t.Errorf("Submit: want EBADF, got %v", err)
	}
	if _, err := r.Wait(1, -1); !errors.Is(err, syscall.EBADF) {
		t.Errorf("Wait: want EBADF, got %v", err)
	}
	if _, err := r.ProbeOps(); !errors.Is(err, syscall.EBADF) {
		t.Errorf("ProbeOps: want EBADF, got %v", err)
	}
}

// TestWrongThread: the ring's thread is the only one, and who breaks the rule learns it from the call.
func TestWrongThread(t *testing.T) {
	for _, g := range geometries {
		t.Run(g.name, func(t *testing.T) {
			r := open(t, g.entries, &g.cfg)
			if r.Flags()&SetupSingleIssuer == 0 && !r.RingFD() && !(checkOwner && !r.anyone) {
				t.Skip("this ring does not mind")
			}
			e := r.SQE()
			e.PrepNop()
			errno := make(chan syscall.Errno)
			go func() {
				runtime.LockOSThread() // a thread of its own, which ends with it
				_, err := r.Enter(0, true, -1)
				errno <- err
			}()
			if got := <-errno; got != syscall.EEXIST {
				t.Errorf("want EEXIST, got %v", got)
			}
			// With SQPoll the kernel may be awake, and take it.
			if n := r.SQPending(); n != 1 && r.Flags()&SetupSQPoll == 0 {
				t.Fatalf("%d pending, want the one", r.SQPending())
			}
			if _, err := r.Wait(1, waitMax); err != nil {
				t.Error("the owner afterwards:", err)
			}
		})
	}
}

func TestAnyThread(t *testing.T) {
	r := open(t, 4, &Config{AnyThread: true})
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		r.SQE().PrepNop()
		_, err := r.Wait(1, waitMax)
		done <- err
	}()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if c, ok := r.CQE(); !ok || c.Res != 0 {
		t.Errorf("got %+v, %v", c, ok)
	}
}

// TestCloseOnWrongThread: the index of the registered descriptor names another ring there, which must survive.
func TestCloseOnWrongThread(t *testing.T) {
	need(t, CheckRingFD)
	rings, closed := make(chan *Ring), make(chan struct{})
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		runtime.LockOSThread() // never unlocked: what the kernel keeps, the thread takes with it
		r, err := Open(4, nil)
		if err != nil {
			t.Error(err)
		}
		rings <- r
		<-closed
	}()
	mine := open(t, 4, nil)
	theirs := <-rings
	if mine.enterFD != theirs.enterFD {
		t.Errorf("indices %d and %d: want the same on both threads", mine.enterFD, theirs.enterFD)
	}
	if err := theirs.Close(); !errors.Is(err, syscall.EEXIST) {
		t.Errorf("Close on another thread: want EEXIST, got %v", err)
	}
	close(closed)
	<-gone
	want(t, do(t, mine, (*SQE).PrepNop), 0)
}

// TestRingFDsRunOut: a thread registers 16 rings; the 17th works by its descriptor.
func TestRingFDsRunOut(t *testing.T) {
	need(t, CheckRingFD)
	for i := range 18 {
		r := open(t, 2, nil)
		if r.RingFD() != (i < 16) {
			t.Errorf("ring %d: registered descriptor: %v", i, r.RingFD())
		}
		want(t, do(t, r, (*SQE).PrepNop), 0)
	}
}

// TestMemlock opens a ring as an ordinary user who may not lock memory. Since Linux 6.14 rings count again.
func TestMemlock(t *testing.T) {
	need(t)
	if syscall.Getuid() != 0 {
		t.Skip("not root: cannot become another user")
	}
	var old, low unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_MEMLOCK, &old); err != nil {
		t.Fatal(err)
	}
	low = unix.Rlimit{Cur: 0, Max: old.Max}
	if err := unix.Setrlimit(unix.RLIMIT_MEMLOCK, &low); err != nil {
		t.Fatal(err)
	}
	defer unix.Setrlimit(unix.RLIMIT_MEMLOCK, &old)
	errs := make(chan error)
	go func() {
		runtime.LockOSThread() // the thread alone changes its user, and ends
		const nobody = 65534
		if _, _, errno := syscall.RawSyscall(syscall.SYS_SETUID, nobody, 0, 0); errno != 0 {
			errs <- os.NewSyscallError("setuid", errno)
			return
		}
		r, err := Open(64, nil)
		if err == nil {
			r.Close()
		}
		errs <- err
	}()
	err := <-errs
	if err == nil && (!newerThan("6.14") || newerThan("7.2")) { // what is between has been seen to count up to 6.18
		t.Skip("this kernel does not count rings")
	}
	if s := (*os.SyscallError)(nil); errors.As(err, &s) {
		t.Skip("cannot become another user: ", err)
	}
	var setup *SetupError
	if !errors.As(err, &setup) || !errors.Is(err, syscall.ENOMEM) {
		t.Fatalf("want a SetupError with ENOMEM, got %v", err)
	}
	if !strings.Contains(setup.Step, "io_uring_setup(64 entries") ||
		!strings.Contains(setup.Hint, "RLIMIT_MEMLOCK is 0 KiB") {
		t.Errorf("step %q, hint %q", setup.Step, setup.Hint)
	}
}
