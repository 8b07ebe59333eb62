//go:build linux

package uring

import (
	"fmt"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

func init() {
	prepTests = append(prepTests,
		prepTest{"PrepWaitid", nil, testWaitid},
		prepTest{"PrepFutexWait", nil, testFutex},
		prepTest{"PrepFutexWake", nil, testFutex},
		prepTest{"PrepFutexWaitv", nil, testFutexWaitv},
	)
}

// child starts a process that waits until its input ends, and then exits with the code.
func child(t *testing.T, code int) (pid int, end func()) {
	t.Helper()
	rd, wr := pipe(t)
	pid, err := syscall.ForkExec("/proc/self/exe", []string{"child"}, &syscall.ProcAttr{
		Env:   []string{fmt.Sprint(exitVar, "=", code)},
		Files: []uintptr{uintptr(rd), 1, 2},
	})
	if err != nil {
		t.Skip("no child:", err)
	}
	unix.Close(rd)
	return pid, func() { unix.Close(wr) }
}

// siginfo is what waitid(2) tells of a child, in the layout of struct siginfo.
func siginfo(p *[128]byte) (pid, status int32) {
	at := 3 * 4
	if unsafe.Sizeof(uintptr(0)) == 8 {
		at = 4 * 4 // the union is aligned
	}
	return *(*int32)(unsafe.Pointer(&p[at])), *(*int32)(unsafe.Pointer(&p[at+8]))
}

func testWaitid(t *testing.T, r *Ring) {
	needOp(t, OpWaitid, "6.7")
	pid, end := child(t, 7)
	reap := func(options uint32, info *[128]byte) func(e *SQE) {
		return func(e *SQE) { e.PrepWaitid(unix.P_PID, pid, unsafe.Pointer(info), options) }
	}
	info := new([128]byte)
	want(t, do(t, r, reap(unix.WEXITED|unix.WNOHANG, info)), 0)
	if got, _ := siginfo(info); got != 0 {
		t.Errorf("child %d has ended before its time", got)
	}
	endByCancel(t, r, start(t, r, reap(unix.WEXITED, info)))
	tag := start(t, r, reap(unix.WEXITED, info))
	end()
	want(t, finish(t, r, tag), 0)
	if got, status := siginfo(info); int(got) != pid || status != 7 {
		t.Errorf("child %d ended with %d, want %d with 7", got, status, pid)
	}
	want(t, do(t, r, reap(unix.WEXITED, info)), syscall.ECHILD)
	want(t, do(t, r, reap(0, nil)), syscall.EINVAL)
}

func testFutex(t *testing.T, r *Ring) {
	needOp(t, OpFutexWait, "6.7")
	const private = FutexU32 | FutexPrivate
	word := new(uint32)
	wait := func(val, mask uint32) func(e *SQE) {
		return func(e *SQE) { e.PrepFutexWait(word, val, mask, private) }
	}
	wake := func(n, mask uint32) func(e *SQE) {
		return func(e *SQE) { e.PrepFutexWake(word, n, mask, private) }
	}
	want(t, do(t, r, wake(9, FutexAnyone)), 0)
	want(t, do(t, r, wait(1, FutexAnyone)), syscall.EAGAIN)
	want(t, do(t, r, wait(0, 0)), syscall.EINVAL)

	waiter := start(t, r, wait(0, 6))
	want(t, do(t, r, wake(9, 1)), 0) // another mask
	waker := start(t, r, wake(9, 3))
	cqes := finishAll(t, r, waiter, waker)
	want(t, cqes[0], 0)
	want(t, cqes[1], 1)

	// A futex(2) of any thread wakes it, too.
	waiter = start(t, r, wait(0, FutexAnyone))
	atomic.StoreUint32(word, 1)
	const futexWake = 1 | 128
	if n, _, errno := unix.Syscall(unix.SYS_FUTEX, uintptr(unsafe.Pointer(word)), futexWake, 9); n != 1 || errno != 0 {
		t.Errorf("futex(2) woke %d, %v", n, errno)
	}
	want(t, finish(t, r, waiter), 0)

	endByCancel(t, r, start(t, r, wait(1, FutexAnyone)))
	ts := after(time.Millisecond)
	cqes = finishAll(t, r, startAll(t, r, linked(wait(1, FutexAnyone)), func(e *SQE) { e.PrepLinkTimeout(ts, 0) })...)
	want(t, cqes[0], syscall.ECANCELED)
	if cqes[1].Res != 1 { // the number of those cancelled, again
		want(t, cqes[1], syscall.ETIME)
	}
}

func testFutexWaitv(t *testing.T, r *Ring) {
	needOp(t, OpFutexWaitv, "6.7")
	const private = FutexU32 | FutexPrivate
	words := new([3]uint32)
	waiters := make([]FutexWaiter, len(words))
	for i := range waiters {
		waiters[i].Set(&words[i], 0, private)
	}
	waiter := start(t, r, func(e *SQE) { e.PrepFutexWaitv(waiters) })
	clear(waiters) // consumed
	waker := start(t, r, func(e *SQE) { e.PrepFutexWake(&words[2], 1, FutexAnyone, private) })
	cqes := finishAll(t, r, waiter, waker)
	want(t, cqes[0], 2)
	want(t, cqes[1], 1)
	for i := range waiters {
		waiters[i].Set(&words[i], uint32(i), private)
	}
	want(t, do(t, r, func(e *SQE) { e.PrepFutexWaitv(waiters) }), syscall.EAGAIN)
	want(t, do(t, r, func(e *SQE) { e.PrepFutexWaitv(nil) }), syscall.EINVAL)
	waiters[0].Flags = 1 << 20
	want(t, do(t, r, func(e *SQE) { e.PrepFutexWaitv(waiters) }), syscall.EINVAL)
	for i := range waiters {
		waiters[i].Set(&words[i], 0, private)
	}
	endByCancel(t, r, start(t, r, func(e *SQE) { e.PrepFutexWaitv(waiters) }))
}
