package poller

import (
	"math"
	"os"
	"slices"

	"ringo/internal/posix"
	"ringo/internal/sys"
)

// poll is poll(2): a list of descriptors that the kernel walks at each Wait. The list is kept from one Wait to the
// next, so that adding and removing cost no call, and holds only descriptors that an op waits for.
type poll struct {
	fds  []sys.PollFd
	keys []uint64 // of fds, in the same order
	at   fdTable
	next int // where collect starts, so that no descriptor is always last
}

// OpenPoll opens a set that poll(2) watches, which is level-triggered. The time that its Wait takes is proportional to
// the descriptors in the set. The error is an *os.SyscallError.
func OpenPoll([]string) (Poller, error) {
	// A container may forbid the call. That should show here, and not when the first connection waits.
	if res := sys.PpollNow(nil); res < 0 {
		return nil, os.NewSyscallError("ppoll", posix.Of(res))
	}
	return &poll{}, nil
}

func (p *poll) Name() string        { return "poll" }
func (p *poll) EdgeTriggered() bool { return false }
func (p *poll) Features() []string  { return []string{"level-triggered"} }
func (p *poll) Bound() int32        { return math.MaxInt32 }

func (p *poll) Add(fd int32, interest uint32, key uint64) int32 {
	if res := p.at.room(fd); res < 0 {
		return res
	}
	if p.at.find(fd) >= 0 {
		return -sys.EEXIST
	}
	p.at.put(fd, len(p.fds))
	p.fds = append(p.fds, sys.PollFd{Fd: fd, Events: int16(interest)})
	p.keys = append(p.keys, key)
	return 0
}

func (p *poll) Modify(fd int32, interest uint32, key uint64) int32 {
	i := p.at.find(fd)
	if i < 0 {
		return -sys.ENOENT
	}
	p.fds[i].Events, p.keys[i] = int16(interest), key
	return 0
}

// Remove fills the gap with the last descriptor.
func (p *poll) Remove(fd int32) int32 {
	i := p.at.find(fd)
	if i < 0 {
		return -sys.ENOENT
	}
	p.at.drop(fd)
	last := len(p.fds) - 1
	if i != last {
		p.fds[i], p.keys[i] = p.fds[last], p.keys[last]
		p.at.put(p.fds[i].Fd, i)
	}
	p.fds, p.keys = p.fds[:last], p.keys[:last]
	return 0
}

func (p *poll) Wait(timeoutNS int64, events []Event) int32 {
	var n int32
	if timeoutNS == 0 {
		n = sys.PpollNow(p.fds)
	} else {
		n = sys.Ppoll(p.fds, timeoutNS)
	}
	if n == -sys.EINVAL && len(p.fds) > 0 {
		n = p.crowded(timeoutNS)
	}
	if n <= 0 {
		return n
	}
	return p.collect(int(n), events)
}

// collect puts up to ready results into events. Results that find no room are still ready at the next Wait, and come
// first then.
func (p *poll) collect(ready int, events []Event) int32 {
	n, i := 0, p.next
	for range p.fds {
		if n == ready || n == len(events) {
			break
		}
		if i >= len(p.fds) {
			i = 0
		}
		if got := p.fds[i].Revents; got != 0 {
			events[n] = Event{Key: p.keys[i], Ready: uint32(uint16(got))}
			n++
		}
		i++
	}
	p.next = i
	return int32(n)
}

// crowdedPause is the pause, in nanoseconds, between two looks at a set that is too large to sleep on.
const crowdedPause = 1e6

// crowded serves a set of more descriptors than RLIMIT_NOFILE allows, which the kernel refuses to watch with EINVAL.
// This happens when the limit of a running process is lowered. The set is looked at in parts, with pauses.
func (p *poll) crowded(timeoutNS int64) int32 {
	most := int(min(sys.FilesMax(), math.MaxInt32))
	if most >= len(p.fds) || most == 0 {
		return -sys.EINVAL
	}
	ready := int32(0)
	for part := range slices.Chunk(p.fds, most) {
		n := sys.PpollNow(part)
		if n < 0 {
			return n
		}
		ready += n
	}
	if ready > 0 || timeoutNS == 0 {
		return ready
	}
	if timeoutNS < 0 || timeoutNS > crowdedPause {
		timeoutNS = crowdedPause
	}
	if n := sys.Ppoll(nil, timeoutNS); n < 0 {
		return n
	}
	return -sys.EINTR // the pause was not the timeout that the caller asked for
}

// Close leaves nothing behind: the kernel knows of this set only while it waits.
func (p *poll) Close() { *p = poll{} }
