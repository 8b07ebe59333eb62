//go:build linux

package uring

import (
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

func init() {
	prepTests = append(prepTests,
		prepTest{"PrepPollAdd", nil, testPollAdd},
		prepTest{"PrepPollMultishot", []string{CheckPollMultishot}, testPollMultishot},
		prepTest{"PrepPollRemove", nil, testPollRemove},
		prepTest{"PrepPollUpdate", []string{CheckPollMultishot}, testPollUpdate},
		prepTest{"PrepEpollCtl", nil, testEpollCtl},
		prepTest{"PrepEpollWait", nil, testEpollWait},
	)
}

func testPollAdd(t *testing.T, r *Ring) {
	fd := eventfd(t)
	tag := start(t, r, func(e *SQE) { e.PrepPollAdd(fd, unix.POLLIN) })
	if c, ok := r.CQE(); ok {
		t.Fatalf("not ready, yet %+v", c)
	}
	signalEventfd(t, fd)
	want(t, finish(t, r, tag), unix.POLLIN)
	want(t, do(t, r, func(e *SQE) { e.PrepPollAdd(fd, unix.POLLIN|unix.POLLOUT) }), unix.POLLIN|unix.POLLOUT)
	a, b := socketpair(t, unix.SOCK_STREAM)
	syscall.Close(b)
	c := do(t, r, func(e *SQE) { e.PrepPollAdd(a, unix.POLLOUT) })
	if c.Res&unix.POLLHUP == 0 {
		t.Errorf("peer closed: want POLLHUP unasked, got %#x", c.Res)
	}
}

func testPollMultishot(t *testing.T, r *Ring) {
	fd := eventfd(t)
	tag := start(t, r, func(e *SQE) { e.PrepPollMultishot(fd, unix.POLLIN) })
	for range 3 {
		signalEventfd(t, fd)
		if c := finish(t, r, tag); c.Res != unix.POLLIN || !c.More() {
			t.Fatalf("want POLLIN and more to come, got %+v", c)
		}
	}
	endByRemoval(t, r, tag, (*SQE).PrepPollRemove)
}

func testPollRemove(t *testing.T, r *Ring) {
	fd := eventfd(t)
	endByRemoval(t, r, start(t, r, func(e *SQE) { e.PrepPollAdd(fd, unix.POLLIN) }), (*SQE).PrepPollRemove)
	want(t, do(t, r, func(e *SQE) { e.PrepPollRemove(lastTag.Load() + 99) }), syscall.ENOENT)
}

// testPollUpdate gives a poll other events, another name, and both to a multishot one, which it stays.
func testPollUpdate(t *testing.T, r *Ring) {
	fd := eventfd(t)
	if newerThan("6.1") { // before, a poll is not looked at when its events change
		poll := start(t, r, func(e *SQE) { e.PrepPollAdd(fd, unix.POLLIN) })
		update := start(t, r, func(e *SQE) { e.PrepPollUpdate(poll, 0, unix.POLLOUT, PollUpdateEvents) })
		cqes := finishAll(t, r, poll, update)
		want(t, cqes[0], unix.POLLOUT)
		want(t, cqes[1], 0)
	}

	poll := start(t, r, func(e *SQE) { e.PrepPollAdd(fd, unix.POLLIN) })
	renamed := lastTag.Add(1)
	want(t, do(t, r, func(e *SQE) { e.PrepPollUpdate(poll, renamed, 0, PollUpdateUserData) }), 0)
	want(t, do(t, r, func(e *SQE) { e.PrepPollRemove(poll) }), syscall.ENOENT)
	signalEventfd(t, fd)
	want(t, finish(t, r, renamed), unix.POLLIN)
	want(t, do(t, r, func(e *SQE) { e.PrepPollUpdate(poll, 0, unix.POLLIN, PollUpdateEvents) }), syscall.ENOENT)
	want(t, do(t, r, func(e *SQE) { e.PrepPollUpdate(poll, 0, 0, 1<<20) }), syscall.EINVAL)

	fd = eventfd(t)
	poll = start(t, r, func(e *SQE) { e.PrepPollMultishot(fd, unix.POLLPRI) })
	renamed = lastTag.Add(1)
	want(t, do(t, r, func(e *SQE) {
		e.PrepPollUpdate(poll, renamed, unix.POLLIN, PollUpdateEvents|PollUpdateUserData)
	}), 0)
	for range 2 {
		signalEventfd(t, fd)
		if c := finish(t, r, renamed); c.Res != unix.POLLIN || !c.More() {
			t.Fatalf("want POLLIN and more, got %+v", c)
		}
	}
	endByRemoval(t, r, renamed, (*SQE).PrepPollRemove)
}

func epoll(t *testing.T) int {
	t.Helper()
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	closeLater(t, fd)
	return fd
}

func testEpollCtl(t *testing.T, r *Ring) {
	needOp(t, OpEpollCtl, "5.6")
	ep, fd := epoll(t), eventfd(t)
	signalEventfd(t, fd)
	ready := func() (n int, ev unix.EpollEvent) {
		var events [2]unix.EpollEvent
		n, err := unix.EpollWait(ep, events[:], 0)
		if err != nil {
			t.Fatal(err)
		}
		return n, events[0]
	}
	ctl := func(op int, events uint32, res any) {
		t.Helper()
		ev := &unix.EpollEvent{Events: events, Fd: 77}
		tag := start(t, r, func(e *SQE) { e.PrepEpollCtl(ep, op, fd, unsafe.Pointer(ev)) })
		*ev = unix.EpollEvent{} // consumed
		want(t, finish(t, r, tag), res)
	}
	ctl(unix.EPOLL_CTL_MOD, unix.EPOLLIN, syscall.ENOENT)
	ctl(unix.EPOLL_CTL_ADD, unix.EPOLLIN, 0)
	if n, ev := ready(); n != 1 || ev.Events != unix.EPOLLIN || ev.Fd != 77 {
		t.Errorf("added: %d events, %+v", n, ev)
	}
	ctl(unix.EPOLL_CTL_ADD, unix.EPOLLIN, syscall.EEXIST)
	ctl(unix.EPOLL_CTL_MOD, unix.EPOLLPRI, 0)
	if n, ev := ready(); n != 0 {
		t.Errorf("modified: %d events, %+v", n, ev)
	}
	ctl(unix.EPOLL_CTL_DEL, 0, 0)
	ctl(unix.EPOLL_CTL_DEL, 0, syscall.ENOENT)
}

func testEpollWait(t *testing.T, r *Ring) {
	needOp(t, OpEpollWait, "6.15")
	ep := epoll(t)
	var fds [3]int
	for i := range fds {
		fds[i] = eventfd(t)
		ev := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(i)}
		if err := unix.EpollCtl(ep, unix.EPOLL_CTL_ADD, fds[i], &ev); err != nil {
			t.Fatal(err)
		}
	}
	events := make([]unix.EpollEvent, 2)
	tag := start(t, r, func(e *SQE) { e.PrepEpollWait(ep, unsafe.Pointer(&events[0]), len(events)) })
	signalEventfd(t, fds[1])
	want(t, finish(t, r, tag), 1)
	if events[0].Fd != 1 || events[0].Events != unix.EPOLLIN {
		t.Errorf("got %+v", events[0])
	}
	signalEventfd(t, fds[0])
	signalEventfd(t, fds[2])
	want(t, do(t, r, func(e *SQE) { e.PrepEpollWait(ep, unsafe.Pointer(&events[0]), len(events)) }), 2)
	want(t, do(t, r, func(e *SQE) { e.PrepEpollWait(ep, unsafe.Pointer(&events[0]), 0) }), syscall.EINVAL)
	want(t, do(t, r, func(e *SQE) { e.PrepEpollWait(fds[0], unsafe.Pointer(&events[0]), 2) }), syscall.EINVAL)
}
