//go:build linux

package uringtest

import (
	"slices"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// file is a descriptor that requests wait for.
type file struct {
	fd     int32
	events uint32 // the events that the epoll instance watches
	reqs   []*Request
}

// always are the events that a poll of io_uring reports without being asked.
const always = unix.POLLERR | unix.POLLHUP | unix.POLLRDHUP | unix.POLLNVAL

// arm makes a request wait for its descriptor. If the descriptor is ready already, or has no readiness, the request
// becomes work at once.
func (k *Kernel) arm(r *Request) {
	if r.waiting {
		return
	}
	f := k.files[r.SQE.Fd]
	op := unix.EPOLL_CTL_MOD
	if f == nil {
		f = k.newFile(r.SQE.Fd)
		op = unix.EPOLL_CTL_ADD
	}
	f.reqs = append(f.reqs, r)
	r.waiting = true
	if want := f.events | r.events; want != f.events {
		f.events = want
		k.event = unix.EpollEvent{Events: want | unix.EPOLLRDHUP | unix.EPOLLET, Fd: f.fd}
		switch err := unix.EpollCtl(k.epoll, op, int(f.fd), &k.event); err {
		case nil:
		case unix.EPERM: // a regular file, which is always ready
			k.queue(r)
			return
		default:
			k.failf("fd %d can't be waited for any more (%v): %v", f.fd, err, r)
			return
		}
	}
	if k.mask(r) != 0 {
		k.queue(r)
	}
}

// newFile makes a file, or reuses one.
func (k *Kernel) newFile(fd int32) *file {
	var f *file
	if n := len(k.closed); n > 0 {
		f, k.closed = k.closed[n-1], k.closed[:n-1]
	} else {
		f = new(file)
	}
	f.fd, f.events = fd, 0
	k.files[fd] = f
	return f
}

// mask returns which of the events that a request waits for its descriptor is ready for.
func (k *Kernel) mask(r *Request) uint32 {
	k.polled[0] = unix.PollFd{Fd: r.SQE.Fd, Events: int16(r.events) | unix.POLLRDHUP}
	if _, err := unix.Poll(k.polled[:], 0); err != nil {
		return 0 // EINTR: the event is still there
	}
	return uint32(uint16(k.polled[0].Revents))
}

// queue adds a request to the work.
func (k *Kernel) queue(r *Request) {
	if r.queued {
		return
	}
	r.queued = true
	r.late = k.choose(RunLater, 4, r)
	k.work = append(k.work, r)
}

// leave removes a request from the lists.
func (k *Kernel) leave(r *Request) {
	if r.queued {
		r.queued = false
		i := slices.Index(k.work, r)
		k.work = slices.Delete(k.work, i, i+1)
	}
	if !r.waiting {
		return
	}
	r.waiting = false
	f := k.files[r.SQE.Fd]
	i := slices.Index(f.reqs, r)
	if f.reqs = slices.Delete(f.reqs, i, i+1); len(f.reqs) > 0 {
		return
	}
	delete(k.files, f.fd)
	k.closed = append(k.closed, f)
	// An error means that the descriptor is a regular file, another file than it was, or closed. check finds the latter
	// two.
	unix.EpollCtl(k.epoll, unix.EPOLL_CTL_DEL, int(f.fd), nil)
}

// look collects what has become ready, and which timeouts have expired.
func (k *Kernel) look() {
	for {
		n, err := unix.EpollWait(k.epoll, k.events[:], 0)
		if err == unix.EINTR {
			continue
		}
		for _, e := range k.events[:max(n, 0)] {
			if f := k.files[e.Fd]; f != nil {
				for _, r := range f.reqs {
					k.queue(r)
				}
			}
		}
		if n < len(k.events) {
			break
		}
	}
	if k.script != nil {
		k.lookAgain()
	}
	k.expire()
}

// lookAgain makes multishot polls report again what they have reported.
func (k *Kernel) lookAgain() {
	for _, r := range k.live {
		if r.waiting && r.SQE.Opcode == opPoll && r.multishot() && !r.queued && k.choose(PollAgain, 2, r) != 0 {
			k.queue(r)
		}
	}
}

// run does the work that is not put off.
func (k *Kernel) run() {
	list := append(k.running[:0], k.work...)
	k.running = list[:0]
	for _, r := range list {
		if !r.queued { // another request has ended it
			continue
		}
		if r.late > 0 {
			r.late--
			continue
		}
		k.leaveWork(r)
		k.scribbleOver(r)
		if r.def.slow {
			k.toil(r)
			continue
		}
		if r.def.run(k, r) || !r.worker {
			continue
		}
		k.complete(r, cancelled(r), 0)
	}
	clear(list)
}

func (k *Kernel) leaveWork(r *Request) {
	r.queued = false
	i := slices.Index(k.work, r)
	k.work = slices.Delete(k.work, i, i+1)
}

// sleep waits for a descriptor or a time. With a Clock that time comes at once. If nothing can end the sleep, that is a
// fault, but only after a while in which a descriptor may still become ready, as that of a TCP connection may a little
// later.
func (k *Kernel) sleep(until int64) syscall.Errno {
	if k.cfg.Asleep != nil {
		k.cfg.Asleep()
	}
	wait := time.Duration(-1)
	switch {
	case k.cfg.Clock != nil && until != forever:
		wait = 0
	case k.cfg.Clock != nil:
		wait = hopeless
	case until != forever:
		wait = max(0, time.Duration(until-k.now()))
	}
	n, errno := k.await(wait)
	switch {
	case n > 0 || errno != 0 || k.cfg.Clock == nil:
		return errno
	case until == forever:
		k.failf("the driver sleeps for ever: nothing that the kernel has can end it")
		return syscall.EBADF
	}
	k.cfg.Clock.now = max(k.cfg.Clock.now, until)
	return 0
}

// hopeless is how long a sleep that nothing seems to end may last.
const hopeless = 10 * time.Second

// await sleeps until a descriptor is ready, for at most wait unless that is negative.
func (k *Kernel) await(wait time.Duration) (int, syscall.Errno) {
	k.polled[0] = unix.PollFd{Fd: int32(k.epoll), Events: unix.POLLIN}
	var limit *unix.Timespec
	if wait >= 0 {
		k.limit = unix.NsecToTimespec(int64(wait))
		limit = &k.limit
	}
	n, err := unix.Ppoll(k.polled[:], limit, nil)
	if err != nil {
		return 0, err.(syscall.Errno)
	}
	return n, 0
}
