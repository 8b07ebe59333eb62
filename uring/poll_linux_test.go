//go:build linux

package uring

import (
	"os"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestPolls: what a poll tells, of what, and when.
func TestPolls(t *testing.T) {
	poll := func(fd int, events uint32) func(e *SQE) { return func(e *SQE) { e.PrepPollAdd(fd, events) } }
	runCases(t, []ringCase{
		{"as poll(2)", func(t *testing.T, r *Ring) {
			rd, wr := pipe(t)
			_, file := openNew(t)
			a, b := socketpair(t, unix.SOCK_STREAM)
			ev := eventfd(t)
			write(t, wr, "x")
			write(t, b, "x")
			for name, fd := range map[string]int{"pipe to read": rd, "pipe to write": wr, "file": file, "socket": a,
				"eventfd": ev} {
				list := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN | unix.POLLOUT}}
				for _, err := unix.Poll(list, 0); err != nil; _, err = unix.Poll(list, 0) {
					if err != unix.EINTR {
						t.Fatal(err)
					}
				}
				if c := do(t, r, poll(fd, unix.POLLIN|unix.POLLOUT)); c.Res != int32(list[0].Revents) {
					t.Errorf("%s: want %#x as poll(2), got %s", name, list[0].Revents, result(c.Res))
				}
			}
		}},
		{"only what was asked", func(t *testing.T, r *Ring) {
			a, b := socketpair(t, unix.SOCK_STREAM)
			in := start(t, r, poll(a, unix.POLLIN))
			want(t, do(t, r, poll(a, unix.POLLOUT)), unix.POLLOUT)
			write(t, b, "x")
			want(t, finish(t, r, in), unix.POLLIN)
		}},
		{"a full pipe", func(t *testing.T, r *Ring) {
			rd, wr := pipe(t)
			unix.SetNonblock(wr, true)
			full := make([]byte, 1<<16)
			for err := error(nil); err == nil; {
				_, err = unix.Write(wr, full)
			}
			tag := start(t, r, poll(wr, unix.POLLOUT))
			unix.SetNonblock(rd, true)
			for err := error(nil); err == nil; {
				_, err = unix.Read(rd, full)
			}
			want(t, finish(t, r, tag), unix.POLLOUT)
		}},
		{"many at once", func(t *testing.T, r *Ring) {
			const n = 50
			fds, tags := make([]int, n), make([]uint64, n)
			for i := range fds {
				fds[i] = eventfd(t)
				tags[i] = start(t, r, poll(fds[i], unix.POLLIN))
			}
			for _, fd := range fds {
				signalEventfd(t, fd)
			}
			for _, c := range finishAll(t, r, tags...) {
				want(t, c, unix.POLLIN)
			}
		}},
		{"many updated", func(t *testing.T, r *Ring) {
			need(t, CheckPollMultishot)
			const n = 20
			fds, tags := make([]int, n), make([]uint64, n)
			for i := range fds {
				fds[i] = eventfd(t)
				tags[i] = start(t, r, func(e *SQE) { e.PrepPollMultishot(fds[i], unix.POLLPRI) })
				want(t, do(t, r, func(e *SQE) { e.PrepPollUpdate(tags[i], 0, unix.POLLIN, PollUpdateEvents) }), 0)
			}
			for range 2 {
				for i, fd := range fds {
					signalEventfd(t, fd)
					if c := finish(t, r, tags[i]); c.Res != unix.POLLIN || !c.More() {
						t.Fatalf("poll %d: %+v", i, c)
					}
				}
			}
			for _, tag := range tags {
				endByRemoval(t, r, tag, (*SQE).PrepPollRemove)
			}
		}},
		{"an update fires it", func(t *testing.T, r *Ring) {
			need(t, CheckPollMultishot)
			if !newerThan("6.1") {
				t.Skip("a poll is not looked at when its events change, before Linux 6.1 or so")
			}
			a, _ := socketpair(t, unix.SOCK_STREAM)
			for _, prep := range []func(e *SQE){poll(a, unix.POLLIN),
				func(e *SQE) { e.PrepPollMultishot(a, unix.POLLIN) }} {
				tag := start(t, r, prep)
				update := start(t, r, func(e *SQE) { e.PrepPollUpdate(tag, 0, unix.POLLOUT, PollUpdateEvents) })
				cqes := finishAll(t, r, tag, update)
				want(t, cqes[0], unix.POLLOUT)
				want(t, cqes[1], 0)
				if cqes[0].More() {
					endByRemoval(t, r, tag, (*SQE).PrepPollRemove)
				}
			}
		}},
		{"cancelled, many", func(t *testing.T, r *Ring) {
			const n = 40
			fd := eventfd(t)
			var tags []uint64
			for range n {
				tags = append(tags, start(t, r, poll(fd, unix.POLLIN)))
			}
			for _, tag := range tags {
				endByRemoval(t, r, tag, (*SQE).PrepCancel)
			}
			signalEventfd(t, fd)
			want(t, do(t, r, poll(fd, unix.POLLIN)), unix.POLLIN)
		}},
		{"of the ring itself", func(t *testing.T, r *Ring) {
			if !newerThan("6.2") {
				t.Skip("Linux 6.1 does not wake polls of rings so")
			}
			tag := start(t, r, poll(r.FD(), unix.POLLIN))
			nop := start(t, r, (*SQE).PrepNop) // makes the ring ready
			if cqes := finishAll(t, r, nop, tag); cqes[1].Res&unix.POLLIN == 0 {
				t.Errorf("the ring polls itself as %s", result(cqes[1].Res))
			}
			start(t, r, poll(r.FD(), unix.POLLPRI)) // is under way when the ring is closed
		}},
		{"of another ring", func(t *testing.T, r *Ring) {
			if !newerThan("6.2") {
				t.Skip("Linux 6.1 does not wake polls of rings so")
			}
			other := ringOf(t, 4)
			tag := start(t, r, poll(other.FD(), unix.POLLIN))
			nop := start(t, other, (*SQE).PrepNop)
			if c := takeAll(t, r, 1)[0]; c.UserData != tag || c.Res&unix.POLLIN == 0 {
				t.Errorf("another ring polls as %+v", c)
			}
			want(t, finish(t, other, nop), 0)
		}},
		{"of what the ring signals", func(t *testing.T, r *Ring) {
			// A CQE signals the eventfd, whose poll makes a CQE: that must end.
			need(t, CheckPollMultishot)
			fd := eventfd(t)
			if err := r.RegisterEventfd(fd); err != nil {
				t.Fatal(err)
			}
			tag := start(t, r, func(e *SQE) { e.PrepPollMultishot(fd, unix.POLLIN) })
			nop := start(t, r, (*SQE).PrepNop)
			got := map[uint64]int{}
			for range 200 {
				if _, err := r.Wait(1, 20*time.Millisecond); err != nil {
					break
				}
				for c, ok := r.CQE(); ok; c, ok = r.CQE() {
					got[c.UserData]++
				}
			}
			if got[nop] != 1 || got[tag] > 100 {
				t.Errorf("%d CQEs of the nop, %d of the poll", got[nop], got[tag])
			}
		}},
		{"of an epoll that has the ring", func(t *testing.T, r *Ring) {
			need(t, CheckPollMultishot)
			ep := epoll(t)
			ev := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(r.FD())}
			if err := unix.EpollCtl(ep, unix.EPOLL_CTL_ADD, r.FD(), &ev); err != nil {
				t.Fatal(err)
			}
			start(t, r, func(e *SQE) { e.PrepPollMultishot(ep, unix.POLLIN) })
			start(t, r, (*SQE).PrepNop)
			made := 0
			for range 200 {
				if _, err := r.Wait(1, 20*time.Millisecond); err != nil {
					break
				}
				made += r.Drain(make([]CQE, 64))
			}
			if made == 0 || made > 100 {
				t.Errorf("%d CQEs of a nop and a poll", made)
			}
		}},
		{"by both ends of a wait", func(t *testing.T, r *Ring) {
			// Two reads of one eventfd, and one signal: one of them reads, the other waits on.
			fd := eventfd(t)
			p := make([]byte, 16)
			unix.SetNonblock(fd, false)
			tags := []uint64{start(t, r, func(e *SQE) { e.PrepRead(fd, p[:8], 0) }),
				start(t, r, func(e *SQE) { e.PrepRead(fd, p[8:], 0) })}
			for range tags {
				signalEventfd(t, fd)
				c := takeAll(t, r, 1)[0]
				want(t, c, 8)
			}
		}},
		{"signals", func(t *testing.T, r *Ring) {
			var set unix.Sigset_t
			set.Val[0] = 1 << (unix.SIGUSR2 - 1)
			if err := unix.PthreadSigmask(unix.SIG_BLOCK, &set, nil); err != nil {
				t.Fatal(err)
			}
			defer unix.PthreadSigmask(unix.SIG_UNBLOCK, &set, nil)
			fd, err := unix.Signalfd(-1, &set, unix.SFD_CLOEXEC)
			if err != nil {
				t.Fatal(err)
			}
			closeLater(t, fd)
			tag := start(t, r, poll(fd, unix.POLLIN))
			if err := unix.Tgkill(os.Getpid(), unix.Gettid(), unix.SIGUSR2); err != nil {
				t.Fatal(err)
			}
			want(t, finish(t, r, tag), unix.POLLIN)
			p := make([]byte, 128)
			if n, err := unix.Read(fd, p); n != len(p) || err != nil || p[0] != byte(unix.SIGUSR2) {
				t.Errorf("read %d, %v: signal %d", n, err, p[0])
			}
		}},
		{"a terminal", func(t *testing.T, r *Ring) {
			pty, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
			if err != nil {
				t.Skip("no terminals:", err)
			}
			closeLater(t, pty)
			text, p := []byte("hello\n"), make([]byte, 16)
			for range 20 {
				if c := do(t, r, func(e *SQE) { e.PrepWrite(pty, text, -1) }); c.Res <= 0 {
					t.Fatal(result(c.Res))
				}
				if c := do(t, r, func(e *SQE) { e.PrepRead(pty, p, -1) }); c.Res <= 0 { // the echo
					t.Fatal(result(c.Res))
				}
			}
		}},
		{"a FIFO, behind a futex that fails", func(t *testing.T, r *Ring) {
			needOp(t, OpFutexWait, "6.7")
			rd, wr := pipe(t)
			want(t, do(t, r, func(e *SQE) { e.PrepFutexWait(new(uint32), 1, FutexAnyone, FutexU32) }), syscall.EAGAIN)
			tag := start(t, r, poll(rd, unix.POLLIN))
			write(t, wr, "x")
			want(t, finish(t, r, tag), unix.POLLIN)
		}},
		{"more events than the CQ has room for", func(t *testing.T, _ *Ring) {
			need(t, CheckPollMultishot)
			r, err := Open(2, &Config{CQEntries: 2})
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			fd := eventfd(t)
			tag := start(t, r, func(e *SQE) { e.PrepPollMultishot(fd, unix.POLLIN) })
			for range 6 {
				signalEventfd(t, fd)
				start(t, r, (*SQE).PrepNop)
			}
			nops, ended := 0, false
			for nops < 6 {
				for _, c := range takeAll(t, r, 1) {
					if c.UserData != tag {
						nops++
					} else if c.Res != unix.POLLIN {
						t.Fatalf("poll: %+v", c)
					} else if !c.More() {
						ended = true
					}
				}
			}
			if !ended { // it may end then, and must not be lost
				signalEventfd(t, fd)
				for c := takeAll(t, r, 1)[0]; c.UserData == tag && !c.More(); {
					break
				}
			}
		}},
		{"a socket that is closed meanwhile", func(t *testing.T, r *Ring) {
			a, b := socketpair(t, unix.SOCK_STREAM)
			tag := start(t, r, poll(a, unix.POLLIN))
			unix.Close(a) // ends nothing
			if c, ok := r.CQE(); ok {
				t.Fatalf("closing ended the poll: %+v", c)
			}
			write(t, b, "x")
			want(t, finish(t, r, tag), unix.POLLIN)
		}},
	})
}

// TestCancelRace: whatever wins, each request ends once, and what the cancel says fits.
func TestCancelRace(t *testing.T) {
	r := open(t, 64, nil)
	const rounds = 300
	for i := range rounds {
		ts := after(time.Duration(i%30) * 10 * time.Microsecond)
		tag := start(t, r, func(e *SQE) { e.PrepTimeout(ts, 0, 0) })
		cancel := start(t, r, func(e *SQE) { e.PrepCancel(tag) })
		cqes := finishAll(t, r, tag, cancel)
		switch timer, answer := syscall.Errno(-cqes[0].Res), syscall.Errno(-cqes[1].Res); {
		case answer == 0 && timer == syscall.ECANCELED, answer == syscall.ENOENT && timer == syscall.ETIME,
			answer == syscall.EALREADY:
		default:
			t.Fatalf("the timer ended with %s, the cancel with %s", result(cqes[0].Res), result(cqes[1].Res))
		}
	}
	rd, wr := pipe(t)
	p := make([]byte, 1)
	for range rounds {
		tag := start(t, r, func(e *SQE) { e.PrepRead(rd, p, -1) })
		write(t, wr, "x")
		cancel := start(t, r, func(e *SQE) { e.PrepCancel(tag) })
		cqes := finishAll(t, r, tag, cancel)
		if cqes[0].Res == -int32(syscall.ECANCELED) {
			want(t, do(t, r, func(e *SQE) { e.PrepRead(rd, p, -1) }), 1) // nothing is lost
		} else {
			want(t, cqes[0], 1)
		}
	}
}

// TestCancelUserDataAndFD: with both the two must be those of one request.
func TestCancelUserDataAndFD(t *testing.T) {
	need(t, CheckCancelFD)
	if !newerThan("6.6") {
		t.Skip(&FeatureError{"ASYNC_CANCEL_USERDATA", "6.6"})
	}
	r := open(t, 16, nil)
	a, b := eventfd(t), eventfd(t)
	poll := start(t, r, func(e *SQE) { e.PrepPollAdd(a, unix.POLLIN) })
	cancel := func(userData uint64, fd int) CQE {
		return do(t, r, func(e *SQE) { e.PrepCancelMatching(CancelFD|CancelUserData|CancelAll, userData, fd, 0) })
	}
	if c := cancel(poll, b); c.Res == -int32(syscall.EINVAL) && !newerThan("6.6") {
		t.Skip(&FeatureError{"ASYNC_CANCEL_USERDATA", "6.6"})
	} else {
		want(t, c, 0)
	}
	want(t, cancel(poll+99, a), 0)
	tag := start(t, r, func(e *SQE) { e.PrepCancelMatching(CancelFD|CancelUserData|CancelAll, poll, a, 0) })
	cqes := finishAll(t, r, poll, tag)
	want(t, cqes[0], syscall.ECANCELED)
	want(t, cqes[1], 1)
}

// TestCancelOfWorkers: what a thread of the kernel's reads from a pipe is cancelled, too, begun or not.
func TestCancelOfWorkers(t *testing.T) {
	r := open(t, 64, nil)
	rd, wr := pipe(t)
	p := make([]byte, 8)
	tag := start(t, r, flagged(func(e *SQE) { e.PrepRead(rd, p, -1) }, SQEAsync))
	for ended := false; !ended; {
		// A cancel that comes while the worker is between its read and the poll behind it says EALREADY or ENOENT,
		// and is lost.
		cancel := start(t, r, func(e *SQE) { e.PrepCancel(tag) })
		for told := false; !told; {
			if _, err := r.Wait(1, waitMax); err != nil {
				t.Fatal("Wait:", err)
			}
			switch c, _ := r.CQE(); c.UserData {
			case tag:
				ended = true
				if res := syscall.Errno(-c.Res); res != syscall.ECANCELED && res != syscall.EINTR {
					t.Errorf("the read ended with %s", result(c.Res))
				}
			case cancel:
				told = true
				if res := syscall.Errno(-c.Res); res == 0 {
					ended = ended || finish(t, r, tag).Res < 0
				} else if res != syscall.EALREADY && res != syscall.ENOENT {
					t.Fatalf("the cancel ended with %s", result(c.Res))
				}
			}
		}
	}
	write(t, wr, "x")
	want(t, do(t, r, func(e *SQE) { e.PrepRead(rd, p, -1) }), 1)
	want(t, do(t, r, func(e *SQE) { e.PrepCancel(tag) }), syscall.ENOENT)
}
