//go:build windows

package sys

import (
	"math"
	"sync"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/windows"

	"ringo/internal/posix"
)

// PollFd is struct pollfd of the Linux ABI, with its masks.
type PollFd struct {
	Fd              int32
	Events, Revents int16
}

// wsaPollFd is WSAPOLLFD.
type wsaPollFd struct {
	socket          windows.Handle
	events, revents int16
}

// Bits of WSAPoll.
const (
	pollErr    = 0x1
	pollHup    = 0x2
	pollNval   = 0x4
	pollWrnorm = 0x10
	pollRdnorm = 0x100
	pollRdband = 0x200
	pollPri    = 0x400
)

var procPoll = ws2.NewProc("WSAPoll")

// look is the memory of one poll, and its state.
type look struct {
	used  []*open // of the list; nil for numbers that are not descriptors
	asked []wsaPollFd
	at    []int32 // the index in the list, for each of asked
	// again is set if some of the list can't be waited for, but only looked at again and again.
	again bool
	// sleeper is woken by changes of memory, if the list has some; it is made when first needed.
	sleeper *sleeper
	watches bool
}

// looks holds those that are not in use.
var looks struct {
	sync.Mutex
	free []*look
}

// newLook returns a look that is not in use.
func newLook() *look {
	looks.Lock()
	defer looks.Unlock()
	n := len(looks.free) - 1
	if n < 0 {
		return new(look)
	}
	l := looks.free[n]
	looks.free = looks.free[:n]
	return l
}

// lookPause is the pause between looks at what can't be waited for.
const lookPause = 5 * time.Millisecond

// PpollNow is ppoll(2) that doesn't wait. The result is how many descriptors have something in Revents.
func PpollNow(fds []PollFd) int32 { return ppoll(fds, 0) }

// Ppoll is ppoll(2): it waits up to ns nanoseconds, for ever if negative.
func Ppoll(fds []PollFd, ns int64) int32 { return ppoll(fds, ns) }

// Poll asks for the readiness of one descriptor now, without waiting. The result is the ready mask, 0 for none.
func Poll(fd int32, mask uint32) int32 {
	o := use(fd)
	if o == nil {
		return PollNval
	}
	defer o.done()
	return poll(o, mask)
}

func poll(o *open, mask uint32) int32 {
	if o.socket == nil || o.mem != nil {
		return o.ready() & int32(mask|PollErr|PollHup)
	}
	one := [1]wsaPollFd{{socket: o.handle, events: wanted(mask)}}
	n, errno := wsaPoll(one[:], 0)
	if n < 0 {
		return posix.Result(errno)
	}
	return o.seen(one[0].revents, mask)
}

func wsaPoll(list []wsaPollFd, ms int32) (int32, syscall.Errno) {
	r, _, errno := syscall.SyscallN(procPoll.Addr(), uintptr(unsafe.Pointer(unsafe.SliceData(list))),
		uintptr(len(list)), uintptr(ms))
	return int32(r), errno
}

// wanted returns WSAPoll's events for a mask. WSAPoll refuses bits that it only reports, and POLLPRI.
func wanted(mask uint32) (events int16) {
	if mask&(PollIn|PollRdhup) != 0 {
		events |= pollRdnorm
	}
	if mask&PollOut != 0 {
		events |= pollWrnorm
	}
	return events
}

// seen converts WSAPoll's result to Linux's bits, as far as mask asks for them. Windows' hang-up is the peer's end
// only.
func (o *open) seen(revents int16, mask uint32) int32 {
	s, got := o.socket, uint32(0)
	if revents&pollNval != 0 {
		return PollNval
	}
	if revents&(pollRdnorm|pollRdband) != 0 {
		got |= PollIn
	}
	if revents&pollWrnorm != 0 {
		got |= PollOut
	}
	if revents&pollErr != 0 {
		got |= PollErr | PollHup | PollIn | PollOut | PollRdhup
	}
	if revents&pollHup != 0 || s.noMore.Load() {
		got |= PollIn | PollRdhup
		if s.written.Load() {
			got |= PollHup
		}
	}
	return int32(got & (mask | PollErr | PollHup))
}

// ppoll polls sockets by WSAPoll, which takes milliseconds, and looks at the rest itself.
func ppoll(fds []PollFd, ns int64) int32 {
	l := newLook()
	defer l.release()
	l.begin(fds, ns != 0)
	var until time.Time
	if ns > 0 {
		until = time.Now().Add(time.Duration(ns))
	}
	for {
		pause := time.Duration(ns)
		switch {
		case l.atOnce(fds):
			pause = 0
		case l.again && (pause < 0 || pause > lookPause):
			pause = lookPause
		}
		quiet, res := l.ask(fds, millis(pause))
		if res < 0 {
			return res
		}
		if n := l.count(fds); n > 0 || ns == 0 {
			return n
		}
		if quiet {
			l.pauseQuiet(pause)
		}
		if ns > 0 {
			ns = max(int64(time.Until(until)), 0)
		}
	}
}

// millis returns a time in milliseconds, at least 1; -1 for a time without end.
func millis(d time.Duration) int32 {
	if d < 0 {
		return -1
	}
	return int32(min((d+time.Millisecond-1)/time.Millisecond, math.MaxInt32))
}

// begin takes the list over.
func (l *look) begin(fds []PollFd, sleeps bool) {
	l.again, l.watches = false, false
	for i := range fds {
		o := (*open)(nil)
		if fds[i].Fd >= 0 {
			o = use(fds[i].Fd)
		}
		l.used = append(l.used, o)
		switch {
		case o == nil:
		case o.mem != nil:
			if sleeps {
				l.watch(o.mem)
			}
		case o.socket == nil:
			l.again = true
		default:
			l.asked = append(l.asked, wsaPollFd{socket: o.handle, events: wanted(fds[i].mask())})
			l.at = append(l.at, int32(i))
			l.again = l.again || oldPoll() && o.socket.connecting.Load()
		}
	}
}

// watch makes changes of memory wake the thread.
func (l *look) watch(e *end) {
	if l.sleeper == nil {
		waker, res := NewWaker()
		if res < 0 {
			l.again = true
			return
		}
		l.sleeper = &sleeper{waker: waker}
	}
	if !l.watches {
		l.watches = true
		o := use(l.sleeper.waker.In)
		l.asked = append(l.asked, wsaPollFd{socket: o.handle, events: pollRdnorm})
		l.at = append(l.at, -1)
		o.done()
	}
	for _, q := range e.queues() {
		q.watch(l.sleeper, true)
	}
}

func (f *PollFd) mask() uint32 { return uint32(uint16(f.Events)) }

// oldPoll reports whether WSAPoll never reports a connect that has failed, as before Windows 10, version 2004, see
// https://daniel.haxx.se/blog/2012/10/10/wsapoll-is-broken. Then sockets that connect are looked at again and again.
var oldPoll = sync.OnceValue(func() bool {
	major, _, build := windows.RtlGetNtVersionNumbers()
	return major < 10 || build < 19041
})

// atOnce fills in what is known without a call, and reports whether there is something.
func (l *look) atOnce(fds []PollFd) (some bool) {
	for i := range fds {
		f, o := &fds[i], l.used[i]
		switch f.Revents = 0; {
		case f.Fd < 0:
		case o == nil:
			f.Revents = PollNval
		case o.socket == nil || o.mem != nil:
			f.Revents = int16(o.ready() & int32(f.mask()|PollErr|PollHup))
		default:
			f.Revents = int16(o.seen(0, f.mask()))
		}
		some = some || f.Revents != 0
	}
	return some
}

// ask calls WSAPoll once. quiet: it reported only ends that were not asked for.
func (l *look) ask(fds []PollFd, ms int32) (quiet bool, res int32) {
	if len(l.asked) == 0 {
		if ms != 0 {
			windows.SleepEx(uint32(ms), false) // -1 is INFINITE
		}
		return false, 0
	}
	n, errno := wsaPoll(l.asked, ms)
	if n < 0 {
		return false, posix.Result(errno)
	}
	for k := range l.asked {
		p := &l.asked[k]
		if l.at[k] < 0 {
			if p.revents != 0 {
				l.sleeper.waker.Unsignal()
				l.sleeper.called.Store(false) // changes up to here are seen before the next sleep
			}
			continue
		}
		f := &fds[l.at[k]]
		o := l.used[l.at[k]]
		got := o.seen(p.revents, f.mask())
		quiet = quiet || got == 0 && p.revents != 0
		if got == 0 && o.socket.connecting.Load() && oldPoll() {
			got = o.refused(f.mask())
		}
		f.Revents |= int16(got)
	}
	return quiet, 0
}

// count returns how many of the list are ready.
func (l *look) count(fds []PollFd) (n int32) {
	for i := range fds {
		if fds[i].Revents != 0 {
			n++
		}
	}
	return n
}

// pauseQuiet waits a little for the sockets that are not at their end. WSAPoll reports ends unasked, which would end
// each wait at once.
func (l *look) pauseQuiet(pause time.Duration) {
	if pause < 0 || pause > lookPause {
		pause = lookPause
	}
	var others []wsaPollFd
	for _, p := range l.asked {
		if p.revents == 0 {
			others = append(others, p)
		}
	}
	if len(others) == 0 {
		windows.SleepEx(uint32(millis(pause)), false)
		return
	}
	wsaPoll(others, millis(pause)) // the next ask finds what this one finds
}

// refused returns the bits for a connect that has failed: select reports it among the exceptions.
func (o *open) refused(mask uint32) int32 {
	set := struct { // fd_set
		n      uint32
		socket windows.Handle
	}{1, o.handle}
	var now windows.Timeval
	r, _, _ := syscall.SyscallN(procSelect.Addr(), 0, 0, 0, uintptr(unsafe.Pointer(&set)),
		uintptr(unsafe.Pointer(&now)))
	if int32(r) <= 0 {
		return 0
	}
	return int32(PollOut&mask | PollErr | PollHup)
}

var procSelect = ws2.NewProc("select")

// release forgets what was looked at.
func (l *look) release() {
	for i, o := range l.used {
		if o != nil {
			if l.watches && o.mem != nil {
				for _, q := range o.mem.queues() {
					q.watch(l.sleeper, false)
				}
			}
			o.done()
		}
		l.used[i] = nil
	}
	if l.watches && l.sleeper.called.Swap(false) {
		l.sleeper.waker.Unsignal()
	}
	l.used, l.at, l.asked = l.used[:0], l.at[:0], l.asked[:0]
	looks.Lock()
	defer looks.Unlock()
	looks.free = append(looks.free, l)
}

// SelectNow does not exist: Windows' select does not take numbers.
func SelectNow(n int, in, out, except *FDSet) int32 { return -ENOSYS }

// Select does not exist, see SelectNow.
func Select(n int, in, out, except *FDSet, ns int64) int32 { return -ENOSYS }

// Timerfd does not exist.
func Timerfd() int32 { return -ENOSYS }

// SetTimer does not exist.
func SetTimer(fd int32, ns int64) int32 { return -ENOSYS }
