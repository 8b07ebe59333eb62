//go:build linux

package drivertest

import (
	"slices"

	"golang.org/x/sys/unix"

	"ringo/internal/driver"
	"ringo/internal/op"
	"ringo/internal/sys"
	"ringo/stats"
)

// bug names one way to break the contract. Those that are one condition stand
// where the reference driver does the right thing; the others are here, each at
// the point of the driver's work that its method is named after.
type bug string

// spoils is a driver's bug at work.
type spoils struct {
	d           *reference
	count       int                 // of whatever the bug counts
	later       []driver.Completion // for the next Wait
	last        int64               // the deadline of the Wait before
	polling     bool                // this Wait's deadline is Poll
	over        bool                // it has passed
	interrupted bool
	thirsty     bool
	late        []*op.Op        // to be cancelled, when it is too late
	ghosts      []*op.Op        // copies of reads that were cancelled
	marked      map[*op.Op]bool // ops that the bug is about
	short       map[int32]bool  // descriptors on which the last receive came short
	kept        map[int32]int32 // what a number stood for at first
	memory      *[64]byte
	unsent      []driver.Send
}

func newSpoils(d *reference) spoils {
	return spoils{d: d, marked: map[*op.Op]bool{}, short: map[int32]bool{}, kept: map[int32]int32{}}
}

func (s *spoils) info(info driver.Info) driver.Info {
	if s.d.bug == "counts nothing" {
		info.Stats = stats.Driver{}
	}
	return info
}

func (s *spoils) try(o *op.Op, res int32, ok bool) bool {
	switch s.d.bug {
	case "never tries":
		return false
	case "gives EAGAIN from Try":
		return true
	case "takes an error in Try for a reason to wait":
		return ok && res >= 0
	case "tries nothing when it is dead":
		return ok && s.d.dead == nil
	case "lets Try disturb who waits":
		for _, w := range s.d.ops {
			w.Canceled = w.Canceled || w.FD != nil && w.FD == o.FD
		}
	}
	return ok
}

// submit reports whether the op is as good as gone.
func (s *spoils) submit(o *op.Op) (gone bool) {
	d := s.d
	switch d.bug {
	case "drops ops past capacity":
		gone = len(d.ops) > 2*d.cfg.Entries
	case "loses the three thousandth op":
		s.count++
		gone = s.count == 3000
	case "forgets the second op of a descriptor":
		gone = slices.ContainsFunc(d.ops, func(w *op.Op) bool { return w.FD != nil && w.FD == o.FD })
	case "calls the sink from Submit":
		o.Sink.Complete(o, 0, 0)
	case "forgets full":
		o.Flags &^= op.Full
	case "takes every send for full":
		if o.Code == op.Send || o.Code == op.Write {
			o.Flags |= op.Full
		}
	case "forgets arguments":
		o.CallFlags, o.Limit, o.Events = 0, 0, 0
	case "forgets who sent":
		if o.Ext != nil && o.Code == op.Recvmsg {
			o.Ext.Named = false
		}
		if b := batchOf(o); b != nil {
			for i := range b.Cap() {
				b.SetNamed(i, false)
			}
		}
	case "forgets control messages":
		if o.Ext != nil {
			o.Ext.Control = nil
		}
		if b := batchOf(o); b != nil {
			for i := range b.Cap() {
				b.SetControl(i, nil)
			}
		}
	case "forgets all messages but the first":
		if b := batchOf(o); b != nil && b.Left() > 1 {
			b.Window(0, 1)
		}
	case "forgets offsets":
		switch o.Code {
		case op.Read, op.Write, op.ReadAt, op.WriteAt, op.ReadVec, op.WriteVec, op.Ftruncate:
			o.Off = 0
		}
	case "calls again":
		if o.Code == op.Call {
			o.Ext.Call()
		}
	case "forgets how to open":
		if o.Code == op.Openat2 {
			o.Ext.Name.How = sys.OpenHow{Flags: unix.O_CLOEXEC}
		}
	case "takes the second directory for the first":
		if o.Ext != nil && o.Ext.Name != nil && o.FD != nil {
			o.Ext.Name.ToDir = o.FD.Sys()
		}
	}
	if gone {
		o.State = op.InFlight
		if o.FD != nil {
			o.FD.Ref()
		}
	}
	return gone
}

func (s *spoils) forget(n int32) {
	switch s.d.bug {
	case "shuts down what it is to forget":
		unix.Shutdown(int(n), unix.SHUT_RDWR)
	case "closes what it is to forget":
		unix.Close(int(n))
	}
}

func (s *spoils) submitted(o *op.Op) {
	d := s.d
	switch d.bug {
	case "completes in Submit":
		o.State = op.Idle
	case "never holds the descriptor":
		if o.FD != nil {
			o.FD.Unref()
		}
	case "takes a buffer before there is data":
		if o.Flags&op.Select != 0 {
			s.d.cfg.Ring.LendOne()
		}
	case "waits for news only":
		s.marked[o] = o.FD != nil && o.Interest() != 0 && o.Mode != op.ModeFile &&
			sys.Poll(o.FD.Sys(), o.Interest()) != 0
	case "serves the newest first":
		last := len(d.ops) - 1
		d.ops = slices.Insert(d.ops[:last], 0, o)
	case "remembers what it cancelled":
		o.Canceled = s.marked[o]
	}
}

// cancel reports whether that was all.
func (s *spoils) cancel(o *op.Op) (done bool) {
	d := s.d
	switch d.bug {
	case "ignores cancel":
		return true
	case "ignores the cancel of a queued op":
		return o.State == op.Queued
	case "drops cancels past capacity":
		s.count++
		return s.count > 2*d.cfg.Entries
	case "calls the sink from Cancel":
		o.Sink.Complete(o, 0, 0)
	case "completes in Cancel":
		o.State = op.Idle
	case "lets go of the descriptor in Cancel":
		o.FD.Unref()
	case "cancels by descriptor":
		for _, w := range d.ops {
			w.Canceled = w.Canceled || w.FD != nil && w.FD == o.FD
		}
	case "cancels by slot, once more":
		s.late = append(s.late, o)
	case "cancels as often as it is asked":
		if o.Canceled {
			s.later = append(s.later, driver.Completion{Op: o, Res: -sys.ECANCELED})
		}
	case "reads on after a cancel":
		if ghost := *o; o.Code == op.Read {
			s.ghosts = append(s.ghosts, &ghost)
		}
	case "remembers what it cancelled":
		s.marked[o] = true
	case "forgets who waits behind a cancelled op":
		dir, streams := directionOf(o)
		d.ops = slices.DeleteFunc(d.ops, func(w *op.Op) bool {
			other, _ := directionOf(w)
			return streams && w != o && other == dir
		})
	}
	return false
}

// attempt reports whether the op must wait, whatever there is for it.
func (s *spoils) attempt(o *op.Op) bool {
	d := s.d
	_, streams := directionOf(o)
	switch d.bug {
	case "doesn't look in poll":
		return s.polling
	case "takes a short receive for the last":
		if streams && s.short[o.FD.Sys()] {
			queued, err := unix.IoctlGetInt(int(o.FD.Sys()), unix.TIOCINQ)
			return err == nil && queued == 0
		}
	case "waits for news only", "misses an event now and then":
		if s.count++; d.bug == "misses an event now and then" && s.count%50 == 0 {
			s.marked[o] = streams
		}
		if s.marked[o] && sys.Poll(o.FD.Sys(), o.Interest()) == 0 {
			s.marked[o] = false
		}
		return s.marked[o]
	case "lets a dry pool stop everybody":
		return s.thirsty && o.Code == op.Recv
	case "has one turn for both directions":
		return slices.ContainsFunc(d.ops[:slices.Index(d.ops, o)], func(w *op.Op) bool {
			return streams && w.FD == o.FD
		})
	case "loses ops on files":
		return o.Mode == op.ModeFile
	case "never ends timeouts":
		return o.Code == op.Timeout
	}
	return false
}

// result is what the op is said to have given.
func (s *spoils) result(o *op.Op, res int32) int32 {
	d := s.d
	_, streams := directionOf(o)
	switch {
	case d.bug == "knows one errno" && res < 0 && res != -sys.EAGAIN:
		return -sys.EINVAL
	case d.bug == "takes a short receive for the last" && streams && res > 0:
		s.short[o.FD.Sys()] = o.Buf == nil || int(res) < len(o.Buf)
	case d.bug == "receives into memory of its own" && res > 0 && o.Code == op.Recv:
		clear(o.Buf[:res])
	case d.bug == "hides what was cut" && o.Code == op.Recvmsg:
		o.Ext.Msg.Flags = 0
	case d.bug == "repeats a byte now and then" && o.Code == op.Send && res > 1:
		if s.count++; s.count%10 == 0 {
			return res - 1
		}
	case d.bug == "makes descriptors that wait" && o.Def().FDResult && res >= 0:
		unix.SetNonblock(int(res), false)
	case d.bug == "loses what it made" && o.Code == op.Openat2 && res >= 0:
		unix.Close(int(res))
		return -sys.ECANCELED
	case d.bug == "drops every other connection" && o.Code == op.Accept && res >= 0:
		if s.count++; s.count%2 == 0 {
			unix.Close(int(res))
			return -sys.EAGAIN
		}
	case d.bug == "ends polls at once" && o.Code == op.Poll && res == -sys.EAGAIN:
		return sys.PollIn
	case d.bug == "hides hang-ups" && o.Code == op.Poll && res > 0:
		return res &^ (sys.PollHup | sys.PollErr | sys.PollRdhup)
	case d.bug == "takes the peer's end for its own" && o.Code == op.Send && sys.Poll(o.FD.Sys(), sys.PollRdhup) != 0:
		return -sys.EPIPE
	case d.bug == "keeps registrations" && o.FD != nil:
		return s.registered(o, res)
	}
	return res
}

// registered gives events of what had the number when it was first used.
func (s *spoils) registered(o *op.Op, res int32) int32 {
	n := o.FD.Sys()
	if _, ok := s.kept[n]; !ok {
		dup, _ := unix.FcntlInt(uintptr(n), unix.F_DUPFD_CLOEXEC, 0)
		s.kept[n] = int32(dup)
	}
	if res == -sys.EAGAIN && sys.Poll(s.kept[n], sys.PollIn) != 0 {
		return sys.PollIn
	}
	return res
}

// keepsWaiting reports whether an op that has a result goes on waiting.
func (s *spoils) keepsWaiting(o *op.Op, res int32) bool {
	switch s.d.bug {
	case "takes ENOBUFS for a reason to wait":
		return res == -sys.ENOBUFS
	case "takes EMFILE for a reason to wait":
		return res == -sys.EMFILE
	case "takes the end for a reason to wait":
		_, streams := directionOf(o)
		return res == 0 && streams
	case "takes errors for a reason to wait":
		return res < 0 && res != -sys.ETIME
	}
	return false
}

// canceled is the result of a cancelled op.
func (s *spoils) canceled(o *op.Op) int32 {
	switch s.d.bug {
	case "throws away what a cancelled op got":
		if dir, streams := directionOf(o); streams && !dir.out || o.Def().FDResult {
			s.d.attempt(o)
		}
	case "gives away the descriptor of a cancelled op":
		if o.Def().FDResult {
			if res := s.d.call(o); res >= 0 {
				return res
			}
		}
	case "ends with 0 what is cancelled":
		return 0
	}
	return -sys.ECANCELED
}

// stutters reports whether a poll may say the same thing no more: a bug that
// never ends would not even come out of the driver.
func (s *spoils) stutters() bool {
	s.count++
	return s.count%3 == 0
}

// dry is the result of an op that found no buffer.
func (s *spoils) dry(o *op.Op) int32 {
	switch s.d.bug {
	case "loses a byte for want of a buffer":
		sys.Recv(o.FD.Sys(), make([]byte, 1), 0)
	case "lets a dry pool stop everybody":
		s.thirsty = true
	}
	return -sys.ENOBUFS
}

// unlend gives an unused buffer back.
func (s *spoils) unlend(o *op.Op, id uint16) {
	if s.d.bug != "loses unused buffers" {
		s.d.cfg.Ring.Unlend(id)
	}
}

// end comes with each last completion, before it is out.
func (s *spoils) end(o *op.Op, done *driver.Queue) {
	switch s.d.bug {
	case "keeps the descriptor":
		if o.FD != nil {
			o.FD.Ref()
		}
	case "keeps the state":
		o.State = op.InFlight
	case "says more with an error":
		s.d.push(driver.Completion{Op: o, Flags: op.More, Res: -sys.ECONNABORTED}, done)
	}
}

// push reports whether the completion is as good as gone.
func (s *spoils) push(c *driver.Completion, done *driver.Queue) (gone bool) {
	switch s.d.bug {
	case "completes twice":
		done.Push(*c)
	case "completes again later":
		s.later = append(s.later, *c)
	case "never stops saying more":
		c.Flags |= op.More
	case "overflows":
		s.count++
		return s.count > 2*s.d.cfg.Entries
	case "names no buffer":
		c.Flags &^= op.HasBuffer
	}
	return false
}

func batchOf(o *op.Op) *sys.Batch {
	if o.Ext == nil {
		return nil
	}
	return o.Ext.Batch
}
