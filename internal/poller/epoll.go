package poller

import (
	"fmt"
	"math"
	"os"
	"slices"

	"ringo/internal/posix"
	"ringo/internal/sys"
)

// eventsMax bounds the events of one epoll_wait. The kernel keeps the others in a queue and goes round it, so that no
// descriptor starves.
const eventsMax = 256

const edgeTriggered = 1 << 31 // EPOLLET

type epoll struct {
	fd     int32
	pwait2 bool // timeouts in nanoseconds, since Linux 5.11
	events [eventsMax]sys.EpollEvent
}

// OpenEpoll opens an epoll set, which is edge-triggered. without names features not to use: "epoll_pwait2". The error
// is an *os.SyscallError.
func OpenEpoll(without []string) (Poller, error) {
	fd := sys.EpollCreate()
	if fd < 0 {
		return nil, os.NewSyscallError("epoll_create1", posix.Of(fd))
	}
	e := &epoll{fd: fd}
	e.pwait2 = !slices.Contains(without, "epoll_pwait2") && e.hasPwait2()
	// A container may allow the set but forbid the wait. That should show here, and not when the first connection
	// waits.
	res := int32(-sys.EINTR)
	for res == -sys.EINTR {
		res = sys.EpollPoll(fd, e.events[:])
	}
	if res < 0 {
		sys.Close(fd)
		return nil, os.NewSyscallError("epoll_pwait", posix.Of(res))
	}
	return e, nil
}

// hasPwait2 asks the kernel. ENOSYS means an old kernel, EPERM a filter that is older than the call; in both cases
// epoll_pwait has to do.
func (e *epoll) hasPwait2() bool {
	for {
		switch sys.EpollPwait2(e.fd, e.events[:], 0) {
		case -sys.ENOSYS, -sys.EPERM:
			return false
		case -sys.EINTR:
		default:
			return true
		}
	}
}

func (e *epoll) Name() string        { return "epoll" }
func (e *epoll) EdgeTriggered() bool { return true }
func (e *epoll) Bound() int32        { return math.MaxInt32 }

func (e *epoll) Features() []string {
	if e.pwait2 {
		return []string{"edge-triggered", "epoll_pwait2"}
	}
	return []string{"edge-triggered"}
}

func (e *epoll) Add(fd int32, interest uint32, key uint64) int32 {
	return sys.EpollAdd(e.fd, fd, interest|edgeTriggered, key)
}

func (e *epoll) Modify(fd int32, interest uint32, key uint64) int32 {
	return sys.EpollModify(e.fd, fd, interest|edgeTriggered, key)
}

func (e *epoll) Remove(fd int32) int32 { return sys.EpollRemove(e.fd, fd) }

func (e *epoll) Wait(timeoutNS int64, events []Event) int32 {
	n := e.wait(timeoutNS, e.events[:min(len(events), eventsMax)])
	for i := range max(n, 0) {
		events[i] = Event{Key: sys.Key(&e.events[i]), Ready: e.events[i].Events}
	}
	return n
}

func (e *epoll) wait(timeoutNS int64, into []sys.EpollEvent) int32 {
	switch {
	case timeoutNS == 0:
		return sys.EpollPoll(e.fd, into)
	case e.pwait2:
		return sys.EpollPwait2(e.fd, into, timeoutNS)
	}
	return sys.EpollPwait(e.fd, into, milliseconds(timeoutNS))
}

// milliseconds rounds up. If it rounded down, a wait would end early, and be repeated with less than a millisecond
// left, which is 0: a busy loop.
func milliseconds(ns int64) int32 {
	if ns < 0 {
		return -1
	}
	ms := ns / 1e6
	if ns%1e6 != 0 {
		ms++
	}
	return int32(min(ms, math.MaxInt32))
}

func (e *epoll) Close() {
	if e.fd < 0 {
		panic(fmt.Sprintf("poller: epoll set closed twice (fd %d)", e.fd))
	}
	sys.Close(e.fd)
	e.fd = -1
}
