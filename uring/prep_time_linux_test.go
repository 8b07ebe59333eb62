//go:build linux

package uring

import (
	"strconv"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func init() {
	prepTests = append(prepTests,
		prepTest{"PrepTimeout", nil, testTimeout},
		prepTest{"PrepTimeoutRemove", nil, testTimeoutRemove},
		prepTest{"PrepTimeoutUpdate", nil, testTimeoutUpdate},
		prepTest{"PrepLinkTimeout", nil, testLinkTimeout},
		prepTest{"PrepCancel", nil, testCancel},
		prepTest{"PrepCancelFD", []string{CheckCancelFD}, testCancelFD},
		prepTest{"PrepCancelMatching", []string{CheckCancelFD}, testCancelMatching},
	)
}

// after is a time from now, on the heap.
func after(d time.Duration) *Timespec {
	ts := new(Timespec)
	*ts = NewTimespec(d)
	return ts
}

func testTimeout(t *testing.T, r *Ring) {
	const d = 5 * time.Millisecond
	ts := after(d)
	begin := time.Now()
	want(t, do(t, r, func(e *SQE) { e.PrepTimeout(ts, 0, 0) }), syscall.ETIME)
	if took := time.Since(begin); took < d {
		t.Errorf("a timer of %v fired after %v", d, took)
	}
	// With a count the timer also ends when so many other requests have.
	*ts = NewTimespec(time.Hour)
	timer := start(t, r, func(e *SQE) { e.PrepTimeout(ts, 1, 0) })
	*ts = Timespec{} // consumed: the kernel has its copy
	nop := start(t, r, (*SQE).PrepNop)
	want(t, finish(t, r, nop), 0)
	want(t, finish(t, r, timer), 0)
}

// TestTimeoutFlags: clocks, moments, repetition, and times that are none.
func TestTimeoutFlags(t *testing.T) {
	past := &Timespec{Sec: 1}
	for _, c := range []struct {
		name, since string
		ts          *Timespec
		flags       uint32
		res         any
	}{
		{"a moment that has passed", "5.4", past, TimeoutAbs, syscall.ETIME},
		{"now", "5.4", &Timespec{}, 0, syscall.ETIME},
		{"BOOTTIME", "5.15", past, TimeoutAbs | TimeoutBoottime, syscall.ETIME},
		{"REALTIME", "5.15", past, TimeoutAbs | TimeoutRealtime, syscall.ETIME},
		{"ETIME_SUCCESS", "5.16", &Timespec{Nsec: 1}, TimeoutETimeSuccess, syscall.ETIME},
		{"two clocks", "5.4", past, TimeoutBoottime | TimeoutRealtime, syscall.EINVAL},
		{"unknown flags", "5.4", past, 1 << 20, syscall.EINVAL},
		{"negative", "5.4", &Timespec{Sec: -1}, 0, syscall.EINVAL},
		{"too many nanoseconds", "5.4", &Timespec{Nsec: -1}, 0, syscall.EINVAL},
	} {
		t.Run(c.name, func(t *testing.T) {
			if (c.ts.Sec < 0 || c.ts.Nsec < 0) && !newerThan("6.1") {
				t.Skip("such a time never comes on Linux 5.10")
			}
			if c.ts.Nsec < 0 && strconv.IntSize == 32 {
				t.Skip("of a program of 32 bits the kernel takes the lower half of the nanoseconds, here 4.3 s")
			}
			r := open(t, 8, nil)
			got := do(t, r, func(e *SQE) { e.PrepTimeout(c.ts, 0, c.flags) })
			if c.res != syscall.EINVAL {
				needFlag(t, got, c.name, c.since)
			} else if got.Res == -int32(syscall.ETIME) && !newerThan("6.10") {
				t.Skip("kernels once took it for a time that has passed")
			}
			want(t, got, c.res)
		})
	}
	t.Run("MULTISHOT", func(t *testing.T) {
		r := open(t, 8, nil)
		ts := after(time.Millisecond)
		tag := start(t, r, func(e *SQE) { e.PrepTimeout(ts, 3, TimeoutMultishot) })
		for i := range 3 {
			c := needFlag(t, finish(t, r, tag), "TIMEOUT_MULTISHOT", "6.4")
			want(t, c, syscall.ETIME)
			if c.More() != (i < 2) {
				t.Fatalf("CQE %d of 3: %+v", i+1, c)
			}
		}
		tag = start(t, r, func(e *SQE) { e.PrepTimeout(ts, 0, TimeoutMultishot) })
		for range 3 {
			if c := finish(t, r, tag); !c.More() {
				t.Fatalf("one without end has ended: %+v", c)
			}
		}
		removal := start(t, r, func(e *SQE) { e.PrepTimeoutRemove(tag) })
		for last := false; !last; { // it may fire until the removal gets there
			if _, err := r.Wait(1, waitMax); err != nil {
				t.Fatal(err)
			}
			c, _ := r.CQE()
			switch {
			case c.UserData == removal && (c.Res == -int32(syscall.ENOENT) || c.Res == -int32(syscall.EALREADY)):
				// It fires just now, and is not begun again yet.
				removal = start(t, r, func(e *SQE) { e.PrepTimeoutRemove(tag) })
			case c.UserData == removal:
				want(t, c, 0)
			case !c.More():
				want(t, c, syscall.ECANCELED)
				last = true
			}
		}
	})
}

func testTimeoutRemove(t *testing.T, r *Ring) {
	ts := after(time.Hour)
	endByRemoval(t, r, start(t, r, func(e *SQE) { e.PrepTimeout(ts, 0, 0) }), (*SQE).PrepTimeoutRemove)
	want(t, do(t, r, func(e *SQE) { e.PrepTimeoutRemove(lastTag.Load() + 99) }), syscall.ENOENT)
}

func testTimeoutUpdate(t *testing.T, r *Ring) {
	soon, late := after(time.Millisecond), after(time.Hour)
	timer := start(t, r, func(e *SQE) { e.PrepTimeout(late, 0, 0) })
	tags := startAll(t, r, func(e *SQE) { e.PrepTimeoutUpdate(timer, soon, 0) })
	cqes := finishAll(t, r, timer, tags[0])
	want(t, cqes[0], syscall.ETIME)
	want(t, cqes[1], 0)
	want(t, do(t, r, func(e *SQE) { e.PrepTimeoutUpdate(timer, soon, 0) }), syscall.ENOENT)

	a, _ := socketpair(t, unix.SOCK_STREAM)
	p := make([]byte, 8)
	tags = startAll(t, r, linked(func(e *SQE) { e.PrepRecv(a, p, 0) }), func(e *SQE) { e.PrepLinkTimeout(late, 0) })
	update := start(t, r, func(e *SQE) { e.PrepTimeoutUpdate(tags[1], soon, TimeoutLinked) })
	cqes = finishAll(t, r, update, tags[0], tags[1])
	if needFlag(t, cqes[0], "LINK_TIMEOUT_UPDATE", "5.15"); cqes[0].Res != 0 {
		t.Errorf("update: %s", result(cqes[0].Res))
	}
	want(t, cqes[1], syscall.ECANCELED)
	want(t, cqes[2], syscall.ETIME)
}

// linked is an entry with the next one on its heels.
func linked(prep func(e *SQE)) func(e *SQE) {
	return func(e *SQE) {
		prep(e)
		e.SetFlags(SQELink)
	}
}

func testLinkTimeout(t *testing.T, r *Ring) {
	a, b := socketpair(t, unix.SOCK_STREAM)
	p := make([]byte, 8)
	recv := linked(func(e *SQE) { e.PrepRecv(a, p, 0) })
	limited := func(d time.Duration) []uint64 {
		ts := after(d)
		return startAll(t, r, recv, func(e *SQE) { e.PrepLinkTimeout(ts, 0) })
	}
	cqes := finishAll(t, r, limited(time.Millisecond)...)
	want(t, cqes[0], syscall.ECANCELED)
	want(t, cqes[1], syscall.ETIME)
	tags := limited(time.Hour)
	write(t, b, "hello")
	cqes = finishAll(t, r, tags...)
	want(t, cqes[0], 5)
	want(t, cqes[1], syscall.ECANCELED)
	ts := after(time.Hour)
	want(t, do(t, r, func(e *SQE) { e.PrepLinkTimeout(ts, 0) }), syscall.EINVAL)
}

func testCancel(t *testing.T, r *Ring) {
	a, _ := socketpair(t, unix.SOCK_STREAM)
	p := make([]byte, 8)
	endByRemoval(t, r, start(t, r, func(e *SQE) { e.PrepRecv(a, p, 0) }), (*SQE).PrepCancel)
	want(t, do(t, r, func(e *SQE) { e.PrepCancel(lastTag.Load() + 99) }), syscall.ENOENT)
}

func testCancelFD(t *testing.T, r *Ring) {
	a, _ := socketpair(t, unix.SOCK_STREAM)
	other := eventfd(t)
	polls := 1
	if r.CQEntries() > 2 {
		polls = 3
	}
	left := start(t, r, func(e *SQE) { e.PrepPollAdd(other, unix.POLLIN) })
	pending := map[uint64]bool{}
	for range polls {
		pending[start(t, r, func(e *SQE) { e.PrepPollAdd(a, unix.POLLIN) })] = true
	}
	cancel := start(t, r, func(e *SQE) { e.PrepCancelFD(a) })
	for range polls + 1 {
		if _, err := r.Wait(1, waitMax); err != nil {
			t.Fatal(err)
		}
		c, _ := r.CQE()
		switch {
		case c.UserData == cancel:
			want(t, c, polls)
		case pending[c.UserData]:
			want(t, c, syscall.ECANCELED)
			delete(pending, c.UserData)
		default:
			t.Fatalf("CQE of nobody: %+v", c)
		}
	}
	want(t, do(t, r, func(e *SQE) { e.PrepCancelFD(a) }), 0)
	signalEventfd(t, other)
	want(t, finish(t, r, left), unix.POLLIN)
}

// testCancelMatching has a poll of a, a recv from a and a poll of b wait, and cancels each way some of them.
func testCancelMatching(t *testing.T, r *Ring) {
	a, _ := socketpair(t, unix.SOCK_STREAM)
	b, _ := socketpair(t, unix.SOCK_STREAM)
	p := make([]byte, 8)
	table(t, r, 2)
	if _, err := r.UpdateFiles(1, []int{a}); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, since string
		cancel      func(e *SQE, recv uint64)
		res         int
		hit         [4]bool // the poll of a, the recv, the poll of b, the poll of the place in the table
	}{
		{"user data", "6.6", func(e *SQE, recv uint64) { e.PrepCancelMatching(CancelUserData, recv, 0, 0) }, 0,
			[4]bool{false, true, false, false}},
		{"user data, all", "5.19", func(e *SQE, recv uint64) { e.PrepCancelMatching(CancelAll, recv, 0, 0) }, 1,
			[4]bool{false, true, false, false}},
		{"fd, all", "5.19", func(e *SQE, _ uint64) { e.PrepCancelMatching(CancelFD|CancelAll, 0, b, 0) }, 1,
			[4]bool{false, false, true, false}},
		{"op, all", "6.6", func(e *SQE, _ uint64) { e.PrepCancelMatching(CancelOp|CancelAll, 0, 0, OpRecv) }, 1,
			[4]bool{false, true, false, false}},
		{"op and fd, all", "6.6",
			func(e *SQE, _ uint64) { e.PrepCancelMatching(CancelFD|CancelOp|CancelAll, 0, b, OpPollAdd) }, 1,
			[4]bool{false, false, true, false}},
		{"op and fd that do not meet", "6.6",
			func(e *SQE, _ uint64) { e.PrepCancelMatching(CancelFD|CancelOp|CancelAll, 0, b, OpRecv) }, 0, [4]bool{}},
		{"a place of the table", "6.0",
			func(e *SQE, _ uint64) { e.PrepCancelMatching(CancelFD|CancelFixed|CancelAll, 0, 1, 0) }, 3,
			[4]bool{true, true, false, true}}, // the file is the same by both ways
		{"any", "5.19", func(e *SQE, _ uint64) { e.PrepCancelMatching(CancelAny, 0, 0, 0) }, 4,
			[4]bool{true, true, true, true}},
	} {
		if !newerThan(c.since) {
			continue
		}
		waiting := []uint64{
			start(t, r, func(e *SQE) { e.PrepPollAdd(a, unix.POLLIN) }),
			start(t, r, func(e *SQE) { e.PrepRecv(a, p, 0) }),
			start(t, r, func(e *SQE) { e.PrepPollAdd(b, unix.POLLIN) }),
			start(t, r, func(e *SQE) { e.PrepPollAdd(1, unix.POLLIN); e.SetFlags(SQEFixedFile) }),
		}
		cancel := start(t, r, func(e *SQE) { c.cancel(e, waiting[1]) })
		got := map[uint64]CQE{}
		await := func(tag uint64) CQE {
			for len(got) <= len(waiting) && got[tag].UserData == 0 {
				if _, err := r.Wait(1, waitMax); err != nil {
					t.Fatalf("%s: %v, got %v", c.name, err, got)
				}
				c, _ := r.CQE()
				got[c.UserData] = c
			}
			return got[tag]
		}
		if res := await(cancel).Res; res == -int32(syscall.EINVAL) && !newerThan(c.since) {
			t.Logf("%s: %v", c.name, &FeatureError{"ASYNC_CANCEL", c.since})
		} else {
			for i, hit := range c.hit {
				if hit && await(waiting[i]).Res != -int32(syscall.ECANCELED) {
					t.Errorf("%s: request %d ended with %s", c.name, i, result(got[waiting[i]].Res))
				}
			}
			if hits := len(got) - 1; int(res) != c.res || hits > 0 && hits != max(1, c.res) {
				t.Errorf("%s: the result is %s, %d were cancelled, want %d", c.name, result(res), hits, c.res)
			}
		}
		rest := start(t, r, func(e *SQE) { e.PrepCancelMatching(CancelAny, 0, 0, 0) })
		waiting = append(waiting, rest)
		for _, tag := range waiting {
			await(tag)
		}
	}
}
