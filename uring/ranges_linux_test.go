//go:build linux

package uring

import (
	"errors"
	"math"
	"syscall"
	"testing"
	"time"
)

// TestNumbersAreNotCut: what has no room in the kernel's field is refused before the call, and leaves nothing behind.
func TestNumbersAreNotCut(t *testing.T) {
	r := open(t, 8, nil)
	fd := beyond(t, 0)
	for what, err := range map[string]error{
		"RegisterFiles":          r.RegisterFiles([]int{fd}),
		"RegisterFilesTagged":    r.RegisterFilesTagged([]int{fd}, []uint64{0}),
		"RegisterFilesSparse":    r.RegisterFilesSparse(beyond(t, 1)),
		"RegisterBuffersSparse":  r.RegisterBuffersSparse(beyond(t, 1)),
		"as much as there is":    r.RegisterBuffersSparse(math.MaxInt),
		"less than nothing":      r.RegisterBuffersSparse(-1),
		"RegisterFileAllocRange": r.RegisterFileAllocRange(beyond(t, 0), 1),
		"RegisterEventfd":        r.RegisterEventfd(beyond(t, int64(eventfd(t)))),
		"CloneBuffers":           r.CloneBuffers(open(t, 8, nil), BufferRange{From: -1}),
		"AllowRegister":          r.RegisterRestrictions([]Restriction{AllowRegister(256)}),
		"of a task":              RegisterTaskRestrictions([]Restriction{AllowRegister(257)}),
	} {
		if !errors.Is(err, syscall.EINVAL) && !errors.Is(err, syscall.EBADF) || errors.As(err, new(*SetupError)) {
			t.Errorf("%s: want an error before the call, got %v", what, err)
		}
	}
	if err := SendMsgRing(beyond(t, int64(open(t, 8, nil).FD())), 1, 2); !errors.Is(err, syscall.EBADF) ||
		errors.As(err, new(*SetupError)) {
		t.Errorf("SendMsgRing: want an error before the call, got %v", err)
	}
	if err := r.UnregisterFiles(); !errors.Is(err, syscall.ENXIO) {
		t.Errorf("files were registered: %v", err)
	}
	if err := r.UnregisterBuffers(); !errors.Is(err, syscall.ENXIO) {
		t.Errorf("buffers were registered: %v", err)
	}
	table(t, r, 1)
	if _, err := r.UpdateFiles(beyond(t, 0), []int{-1}); !errors.Is(err, syscall.EINVAL) {
		t.Errorf("UpdateFiles: want EINVAL, got %v", err)
	}
	if _, err := r.UpdateFilesTagged(0, []int{fd}, []uint64{0}); !errors.Is(err, syscall.EBADF) {
		t.Errorf("UpdateFilesTagged: want EBADF, got %v", err)
	}
	if _, err := r.SyncCancel(CancelMatch{FD: &fd}, 0); !errors.Is(err, syscall.EBADF) {
		t.Errorf("SyncCancel: want EBADF, got %v", err)
	}
}

// TestProvidedLengths: memory of more than a request can transfer is cut into buffers of the right length, or refused.
func TestProvidedLengths(t *testing.T) {
	mem := reserved(t, beyond(t, 1<<32))
	var e SQE
	e.PrepProvideBuffers(1, 0, mem, 8)
	if e.FD != 8 || int(e.Len) != len(mem)/8 {
		t.Errorf("%d buffers of %d bytes", e.FD, e.Len)
	}
	r := open(t, 8, nil)
	needOp(t, OpProvideBuffers, "5.7")
	want(t, do(t, r, func(e *SQE) { e.PrepProvideBuffers(1, 0, mem, 1) }), syscall.E2BIG)
}

// TestCancelOfAll: a match that nothing narrows is every request, whatever its user data.
func TestCancelOfAll(t *testing.T) {
	need(t, CheckSyncCancel)
	for _, m := range []CancelMatch{{}, {All: true}, {Any: true}, {All: true, Any: true}} {
		r := open(t, 8, nil)
		fd := eventfd(t)
		tags := startAll(t, r, func(e *SQE) { e.PrepPollAdd(fd, 1) }, func(e *SQE) { e.PrepPollAdd(fd, 1) })
		if _, err := r.SyncCancel(m, waitMax); err != nil {
			t.Fatalf("%+v: %v", m, err)
		}
		for _, c := range finishAll(t, r, tags...) {
			want(t, c, syscall.ECANCELED)
		}
	}
}

// TestResizeInRange: completions that a range loop has taken do not come again when the ring changes its size.
func TestResizeInRange(t *testing.T) {
	r := open(t, 8, nil)
	if r.Flags()&SetupDeferTaskrun == 0 {
		t.Skip("needs DEFER_TASKRUN (Linux 6.1)")
	}
	startAll(t, r, (*SQE).PrepNop, (*SQE).PrepNop, (*SQE).PrepNop, (*SQE).PrepNop)
	if _, err := r.Wait(4, waitMax); err != nil {
		t.Fatal(err)
	}
	var seen []uint64
	for c := range r.CQEs() {
		if seen = append(seen, c.UserData); len(seen) == 2 {
			asSince(t, r.Resize(16, 64), "6.13")
		}
	}
	if len(seen) != 4 || seen[1] == seen[2] || seen[0] == seen[2] {
		t.Errorf("4 completions came as %v", seen)
	}
}

// TestWaitInRange: a range loop that waits waits for what has not come to it yet, also once it has ended by a panic.
func TestWaitInRange(t *testing.T) {
	eachGeometry(t, func(t *testing.T, r *Ring) {
		empty := func(where string) {
			t.Helper()
			wait := func() (int, syscall.Errno) { return r.Enter(1, true, time.Millisecond) }
			if _, errno := uninterrupted(wait); errno != syscall.ETIME {
				t.Errorf("%s, Enter with an empty CQ: want ETIME, got %v", where, errno)
			}
			if errno := enterFor(r, 1, Wait{Timeout: time.Millisecond}); errno != syscall.ETIME {
				t.Errorf("%s, EnterFor with an empty CQ: want ETIME, got %v", where, errno)
			}
		}
		one := func() {
			start(t, r, (*SQE).PrepNop)
			enter(t, r, 1)
		}
		one()
		for range r.CQEs() {
			empty("in the range")
		}
		one()
		func() {
			defer func() { recover() }()
			for range r.CQEs() {
				panic("the loop's")
			}
		}()
		empty("after a panic")
	})
}

// TestOverflowInRange: what had no room finds it as soon as a range loop has taken something.
func TestOverflowInRange(t *testing.T) {
	r := open(t, 2, &Config{CQEntries: 4})
	for range 3 {
		startAll(t, r, (*SQE).PrepNop, (*SQE).PrepNop)
	}
	enter(t, r, 0)
	left := 6
	for range r.CQEs() {
		left--
		if enter(t, r, 0); r.CQReady() != min(4, left) {
			t.Errorf("%d completions are left, and %d in the CQ", left, r.CQReady())
		}
	}
	if left != 0 {
		t.Errorf("%d completions did not come", left)
	}
}
