package poller

import (
	"time"

	"ringo/internal/posix"
	"ringo/internal/sys"
	"ringo/uring"
)

// A completion carries a token that says what it is about.
//
//	63    60 59          32 31          0
//	┌──────┬──────────────┬─────────────┐
//	│ mark │  generation  │    slot     │
//	└──────┴──────────────┴─────────────┘
const (
	markShift   = 60
	markPoll    = uint64(1) << markShift // a slot's poll
	markControl = uint64(2) << markShift // the withdrawal of a poll
	markTimer   = uint64(3) << markShift // the poll of the timerfd
	marks       = uint64(15) << markShift
	genMask     = 1<<28 - 1
)

func (s *ringSlot) token(index uint32) uint64 {
	return markPoll | uint64(s.gen)<<32 | uint64(index)
}

// pauseMax is how long readiness may go unnoticed behind news that no one has asked for.
const pauseMax = 10 * time.Millisecond

// shortagePause is how long, in nanoseconds, a kernel that is short of memory is left alone.
const shortagePause = 100e3

// list puts a slot on the list of slots to arm.
func (p *ring) list(index uint32) {
	if s := &p.slots[index]; !s.inTodo {
		s.inTodo = true
		p.todo.push(index)
	}
}

func (p *ring) Wait(timeoutNS int64, events []Event) int32 {
	cut := p.resumePaused(&timeoutNS)
	if p.arm() && timeoutNS != 0 {
		timeoutNS, cut = shortagePause, true // some slots have to wait for room
	}
	over := timeoutNS == 0
	if over || p.ready.len() > 0 || p.r.CQReady() > 0 {
		if p.r.SQPending() > 0 || p.r.NeedsEnter() || p.mustLook {
			p.enter(0, -1)
		}
	} else {
		over = p.sleep(timeoutNS) && !cut
	}
	p.reap()
	if over {
		p.reapRest(len(events))
	}
	n := p.report(events)
	switch {
	case p.dead != 0:
		return -int32(p.dead)
	case n == 0 && !over:
		return -sys.EINTR
	}
	return n
}

// sleep enters until a completion comes. It reports whether the time is over instead.
func (p *ring) sleep(timeoutNS int64) (over bool) {
	byTimer := timeoutNS > 0 && !p.extArg
	if byTimer {
		left := p.todo.len()
		if !p.setTimer(timeoutNS) {
			return false
		}
		// Making room for the timer's poll may have reaped what the caller waits for.
		if p.ready.len() > 0 || p.todo.len() > left {
			return false
		}
		timeoutNS = -1
	}
	switch p.enter(1, time.Duration(timeoutNS)) {
	case posix.ETIME:
		return true
	case posix.EAGAIN:
		sys.Ppoll(nil, shortagePause)
	}
	return byTimer && p.expired()
}

// setTimer sets the timerfd to end the next wait. If it was set for an earlier wait it is set again, so that the wait
// does not end too early.
func (p *ring) setTimer(ns int64) bool {
	sys.SetTimer(p.timer, ns)
	if p.timing {
		return true
	}
	e := p.sqe()
	if e == nil {
		return false
	}
	e.PrepPollAdd(int(p.timer), sys.PollIn)
	e.UserData = markTimer
	p.timing = true
	return true
}

// expired reports whether the timerfd has fired.
func (p *ring) expired() bool { return sys.Poll(p.timer, sys.PollIn) > 0 }

// arm submits polls for the slots that need one, and reports whether some found no room.
func (p *ring) arm() (left bool) {
	if !p.insist() {
		return true
	}
	for range p.todo.len() {
		index := p.todo.pop()
		s := &p.slots[index]
		s.inTodo = false
		if s.fd < 0 || s.armed {
			continue
		}
		e := p.sqe()
		if e == nil {
			p.list(index)
			return true
		}
		if p.multi {
			e.PrepPollMultishot(int(s.fd), s.interest)
		} else {
			e.PrepPollAdd(int(s.fd), s.interest)
		}
		e.UserData = s.token(index)
		s.armed = true
	}
	return false
}

// sqe returns a free entry, or nil if the kernel does not take what is in the queue.
func (p *ring) sqe() *uring.SQE {
	e := p.r.SQE()
	if e == nil {
		p.enter(0, -1)
		p.reap() // a kernel whose CQ is full takes nothing
		e = p.r.SQE()
	}
	return e
}

func (p *ring) enter(n uint32, timeout time.Duration) posix.Errno {
	_, errno := p.r.Enter(n, true, timeout)
	switch errno {
	case 0, posix.EINTR, posix.EAGAIN, posix.EBUSY, posix.ETIME:
	default:
		p.dead = errno
	}
	return errno
}

// reap takes all completions, including those that did not fit into the CQ.
func (p *ring) reap() {
	for {
		n := p.r.Drain(p.cqes[:])
		for i := range p.cqes[:n] {
			p.dispatch(&p.cqes[i])
		}
		if n > 0 {
			continue
		}
		if !p.r.Overflowed() {
			break
		}
		p.spilled = true
		if p.enter(0, -1); p.dead != 0 || p.r.CQReady() == 0 {
			break
		}
	}
	p.spilled = p.spilled && p.r.Overflowed()
	if lost := p.r.Lost(); lost != p.lost {
		p.lost = lost
		p.renew()
	}
}

// reapRest enters again while an enter may have posted only a part of what is ready, some 20 completions (since Linux
// 6.14): a caller that only looks gets as much as it has room for.
func (p *ring) reapRest(room int) {
	for rounds := len(p.slots) / 16; rounds >= 0 && p.ready.len() < room && p.dead == 0 && p.r.NeedsEnter(); rounds-- {
		p.enter(0, -1)
		p.reap()
	}
}

// renew arms every slot again, because it is unknown which completions were lost (Linux 5.4 and before drops what does
// not fit into the CQ).
func (p *ring) renew() {
	for i := range p.slots {
		if p.slots[i].armed {
			p.withdraw(p.outdate(uint32(i)))
			p.list(uint32(i))
		}
	}
}

// dispatch handles a completion.
func (p *ring) dispatch(c *uring.CQE) {
	switch c.UserData & marks {
	case markTimer:
		p.timing = false
	case markControl:
		// A poll with news that it has not posted yet can't be withdrawn, and a multishot poll goes on after it has
		// posted them.
		if c.Res == -sys.EALREADY {
			p.unsent.push(c.UserData&^marks | markPoll)
		}
	case markPoll:
		index := uint32(c.UserData)
		switch s := &p.slots[index]; {
		case s.armed && s.token(index) == c.UserData:
			p.polled(index, c.Res, c.More())
		case !c.More():
			p.leaving = max(p.leaving-1, 0)
		}
	}
}

// polled handles the completion of a slot's poll.
func (p *ring) polled(index uint32, res int32, more bool) {
	s := &p.slots[index]
	s.armed = more
	switch {
	case res == -sys.EBADF:
		p.noteReady(index, sys.PollNval)
		return
	case res < 0 && res != -sys.ECANCELED: // out of memory
		p.pause(index)
		return
	case res < 0:
		p.list(index) // the ring did not do that: the poll's thread was told to stop
		return
	}
	news := uint32(res) & (s.interest | sys.PollErr | sys.PollHup | sys.PollNval)
	switch {
	case news != 0:
		p.noteReady(index, news)
	case !p.multi:
		// Every poll of a socket reports the peer's half-close, asked for or not, and at once if it has come: polling
		// again now would spin.
		p.pause(index)
		return
	}
	switch {
	case more:
		s.ends = 0
	case !p.multi:
		p.list(index) // level-triggered: reported as long as it is ready
	default:
		p.ended(index)
	}
}

// ended arms a multishot poll again that the kernel has ended because the CQ was full. A poll that always ends at its
// first completion is of a descriptor that is always ready, such as a regular file: there is nothing more to report.
func (p *ring) ended(index uint32) {
	s := &p.slots[index]
	if s.ends++; s.ends > 1 && !p.spilled {
		return
	}
	s.ends = min(s.ends, 1)
	p.list(index)
}

// noteReady records news of a slot for the next report.
func (p *ring) noteReady(index uint32, news uint32) {
	s := &p.slots[index]
	s.ready |= news
	if !s.inReady {
		s.inReady = true
		p.ready.push(index)
	}
}

// report returns the news, oldest first.
func (p *ring) report(events []Event) int32 {
	n := 0
	for n < len(events) && p.ready.len() > 0 {
		s := &p.slots[p.ready.pop()]
		s.inReady = false
		if s.ready != 0 {
			events[n] = Event{Key: s.key, Ready: s.ready}
			s.ready = 0
			n++
		}
	}
	return int32(n)
}

// pause keeps a slot from being armed for a while.
func (p *ring) pause(index uint32) {
	s := &p.slots[index]
	if s.inPaused {
		return
	}
	s.inPaused = true
	if p.paused.len() == 0 {
		p.resumes = time.Now().Add(pauseMax)
	}
	p.paused.push(index)
}

// resumePaused lists the paused slots once the pause is over. Until then it shortens the timeout to its end.
func (p *ring) resumePaused(timeoutNS *int64) (cut bool) {
	if p.paused.len() == 0 {
		return false
	}
	left := int64(time.Until(p.resumes))
	if left <= 0 {
		for p.paused.len() > 0 {
			index := p.paused.pop()
			p.slots[index].inPaused = false
			p.list(index)
		}
		return false
	}
	if *timeoutNS < 0 || *timeoutNS > left {
		*timeoutNS = left
		return true
	}
	return false
}

// fifo is a queue that keeps its memory.
type fifo[T any] struct {
	all  []T
	head int
}

func (q *fifo[T]) len() int { return len(q.all) - q.head }

func (q *fifo[T]) push(v T) {
	if q.head > 0 && len(q.all) == cap(q.all) { // a queue that is never empty must not grow without end
		q.all, q.head = q.all[:copy(q.all, q.all[q.head:])], 0
	}
	q.all = append(q.all, v)
}

// pop removes the oldest element; there must be one.
func (q *fifo[T]) pop() (v T) {
	v = q.all[q.head]
	if q.head++; q.head == len(q.all) {
		q.all, q.head = q.all[:0], 0
	}
	return v
}
