//go:build linux

package drivertest

import (
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"ringo/internal/driver"
	"ringo/internal/op"
	"ringo/internal/sys"
)

// The bugs of Wait, Wake and Close.

// everybody is a lock that drivers have no business sharing.
var everybody sync.Mutex

// wait gives the deadline that the driver goes by.
func (s *spoils) wait(deadline int64, done *driver.Queue) int64 {
	d := s.d
	s.polling = deadline == driver.Poll
	switch d.bug {
	case "forgets wakes at the start of a wait":
		d.gate.Awake()
	case "holds a lock over its sleep":
		everybody.Lock()
	case "calls the sink from Wait":
		for _, o := range d.ops {
			o.Sink.Complete(o, 0, 0)
		}
	case "invents completions":
		done.Push(driver.Completion{Op: new(op.Op)})
	case "allocates":
		s.memory = new([64]byte)
	case "overflows":
		s.count = 0
	}
	for _, c := range s.later {
		done.Push(c)
	}
	s.later = nil
	before := s.last
	s.last = deadline
	return s.deadline(deadline, before)
}

func (s *spoils) deadline(deadline, before int64) int64 {
	now := s.d.cfg.Now()
	timed := deadline != driver.Poll && deadline != driver.Forever
	switch bug := s.d.bug; {
	case bug == "takes the time from another clock" && timed:
		return deadline + clockStart
	case bug == "rounds deadlines down" && timed && deadline > now:
		return now + (deadline-now)/1e6*1e6
	case bug == "rounds deadlines up by adding to them" && timed:
		return (deadline + 999_999) / 1e6 * 1e6
	case bug == "has 32 bits for the time that is left" && timed && deadline > now:
		return now + int64(int32(deadline-now))
	case bug == "sleeps in poll" && !timed && deadline != driver.Forever:
		return now + 1e6
	case bug == "sleeps past a past deadline" && timed && deadline < now:
		return now + 1e6
	case bug == "goes by the deadline before" && before != 0 && before != driver.Poll:
		return min(deadline, before)
	}
	return deadline
}

// withholds reports whether the sends of the outbox are not made now.
func (s *spoils) withholds() bool {
	d, out := s.d, s.d.cfg.Outbox
	switch d.bug {
	case "makes no sends when it is dead":
		return d.dead != nil || d.cfg.Fault != nil && d.cfg.Fault() != nil
	case "sends when it has slept":
		return true
	case "sends in the next wait":
		for _, o := range s.unsent {
			sys.Send(o.FD, o.Buf, 0)
		}
		s.unsent = append(s.unsent[:0], out.Sends...)
		for i := range out.Sends {
			out.Sends[i].Res = int32(len(out.Sends[i].Buf))
		}
		return true
	}
	return false
}

// sends comes at the end of a Wait.
func (s *spoils) sends() {
	if s.d.bug == "sends when it has slept" {
		s.d.cfg.Outbox.SendAll(0)
	}
}

// sent spoils what became of the sends.
func (s *spoils) sent() {
	d, out := s.d, s.d.cfg.Outbox
	for i := range out.Sends {
		o := &out.Sends[i]
		switch {
		case d.bug == "takes each send for whole":
			o.Res, out.Short = int32(len(o.Buf)), false
		case d.bug == "knows one errno" && o.Res < 0:
			o.Res = -sys.EINVAL
		case d.bug == "sends past capacity twice" && i > d.cfg.Entries,
			d.bug == "sends twice when it is dead" && (d.dead != nil || d.cfg.Fault != nil && d.cfg.Fault() != nil):
			sys.Send(o.FD, o.Buf, 0)
		case d.bug == "forgets the second send" && i == 1:
			o.Res = 12345
		}
	}
}

// woken is a wake that the gate doesn't know of.
func (s *spoils) woken() bool {
	switch s.d.bug {
	case "ends a wait for each wake":
		if s.count > 0 {
			s.count--
			return true
		}
	case "ends a wait for a signal":
		return s.interrupted
	}
	return false
}

func (s *spoils) waited(woken bool, done *driver.Queue) {
	switch s.d.bug {
	case "holds a lock over its sleep":
		everybody.Unlock()
	case "forgets a completion for a wake":
		if woken {
			done.Pop()
		}
	}
	s.interrupted = false
}

// round comes before all ops are tried.
func (s *spoils) round(done *driver.Queue) {
	d := s.d
	switch d.bug {
	case "cancels by slot, once more":
		for i, o := range s.late {
			if o.State == op.InFlight && !o.Canceled {
				o.Canceled = true
				s.late = slices.Delete(s.late, i, i+1)
				break
			}
		}
	case "reads on after a cancel":
		for _, o := range s.ghosts {
			if o.FD.Sys() >= 0 && sys.Poll(o.FD.Sys(), sys.PollIn) != 0 {
				o.Attempt()
			}
		}
	case "shows EINTR":
		if s.interrupted && len(d.ops) > 0 {
			o := d.ops[0]
			d.ops = d.ops[1:]
			d.end(o, -sys.EINTR, 0, done)
			s.interrupted = false
		}
	}
}

// sleepless comes before poll(2), and reports whether there is no need for it.
func (s *spoils) sleepless() bool {
	d := s.d
	switch d.bug {
	case "spins":
		return true
	case "looks, and then forgets that it looked":
		time.Sleep(20 * time.Microsecond) // a Wake falls in between
		d.gate.Awake()
	case "listens to what nobody waits for":
		for n := range int32(40) {
			if n != d.event {
				d.polls = append(d.polls, unix.PollFd{Fd: n})
			}
		}
	case "listens to nothing":
		d.polls = d.polls[:1]
	}
	return false
}

// wake reports whether that was all.
func (s *spoils) wake() bool {
	switch s.d.bug {
	case "ignores wakes":
		return true
	case "ends a wait for each wake":
		s.count++
	case "touches its descriptor after close":
		sys.Signal(s.d.event)
	}
	return false
}

// close comes before everything is cancelled and tried for the last time.
func (s *spoils) close() {
	d := s.d
	switch d.bug {
	case "forgets ops in Close":
		d.ops = nil
	case "forgets cancelled ops in Close":
		d.ops = slices.DeleteFunc(d.ops, func(o *op.Op) bool { return o.Canceled })
	case "forgets queued ops in Close":
		d.ops = slices.DeleteFunc(d.ops, func(o *op.Op) bool { return o.State == op.Queued })
	case "leaks connections in Close":
		for _, o := range d.ops {
			if o.Code == op.Accept {
				d.call(o)
			}
		}
	case "throws away in Close what ops got":
		for _, o := range d.ops {
			if o.Code == op.Recv && o.Flags&op.Select == 0 {
				d.call(o)
			}
		}
	}
}

// immortal reports whether the driver takes no notice of what it should die of.
func (s *spoils) immortal() bool {
	return s.d.bug == "does not die" || s.d.bug == "forgets its death" && s.d.dead != nil
}

// ends reports whether the dead driver ends what it has.
func (s *spoils) ends() bool {
	d := s.d
	switch d.bug {
	case "leaves its ops when it dies":
		return false
	case "drops its ops when it dies":
		d.ops = nil
	case "ends only what it has when it dies":
		s.count++
		return s.count == 1
	}
	return true
}

func (s *spoils) closeAgain() error {
	if s.d.bug == "closes twice" {
		return unix.EBADF
	}
	return nil
}
