package uring

import (
	"ringo/internal/driver"
	"ringo/internal/op"
	"ringo/internal/sys"
	"ringo/uring"
)

// The sends of the outbox are entries that the kernel runs inside the very enter that takes
// them: MSG_DONTWAIT keeps one that finds no room from being waited for, and MSG_WAITALL has
// one that is short count as failed. So with CQE_SKIP_SUCCESS a CQE tells only what went
// wrong, and it is there, or in the kernel's overflow list, when the enter returns. Where that
// can't be relied upon each send has a CQE, and no MSG_WAITALL: Linux 5.19 and 6.0 forget with
// it what a send has done that found room for a part of its bytes, and say EAGAIN; mended by
// Linux commit 5693bcce892d.
//
// What the kernel does not take is taken back from the SQ and sent by plain calls, so that
// nothing is left when Wait returns.

// sending is how sends of the outbox are made.
type sending uint8

const (
	byCalls    sending = iota // plain calls, since a kernel thread takes the entries whenever it likes
	byEntries                 // entries, each with a CQE
	bySilences                // entries, which tell failure only
)

const sendFlags = sys.MsgDontwait | sys.MsgNosignal

// prepSends writes the entries of the outbox.
func (d *ring) prepSends(done *driver.Queue) {
	out := d.outbox
	if out.Len() == 0 {
		return
	}
	if d.sending == byCalls || d.dead != nil {
		d.stats.Sends += out.SendAll(0)
		return
	}
	d.batch = (d.batch + 1) & batchMask
	d.lost = d.r.Lost()
	for i := range out.Sends {
		if d.r.SQSpace() == 0 { // what is there goes now, and what it tells makes room in the CQ
			d.enter(0, -1)
			d.reap(done)
		}
		if !d.prepSend(i) {
			d.stats.Sends += out.SendAll(i)
			return
		}
	}
}

// prepSend writes the entry of one. It reports false if there is no room for it.
func (d *ring) prepSend(i int) bool {
	s := &d.outbox.Sends[i]
	if len(s.Buf) == 0 {
		s.Res = 0
		return true
	}
	e := d.r.SQE()
	if e == nil {
		return false
	}
	d.outbox.Begin(i)
	d.stats.Sends++
	d.entries = i + 1
	if d.sending == bySilences {
		e.PrepSend(int(s.FD), s.Buf, sendFlags|sys.MsgWaitall)
		e.Flags = uring.SQECQESkipSuccess
	} else {
		e.PrepSend(int(s.FD), s.Buf, sendFlags)
		d.unheard++
	}
	e.UserData = markSend | d.batch<<batchShift | uint64(i)
	return true
}

// The token of a send is its place in the outbox, and which batch it is of.
const (
	batchShift = 32
	batchMask  = 1<<(op.TokenShift-batchShift) - 1
)

// sendEnded takes the CQE of a send.
func (d *ring) sendEnded(token uint64, res int32) {
	i := int(uint32(token))
	if token>>batchShift&batchMask != d.batch || i >= d.entries {
		d.stats.Stale++
		return
	}
	if d.sending == byEntries {
		d.unheard--
	}
	if res == -sys.EINTR || res == -sys.ENOMEM { // the entry's own trouble: a call has neither
		d.outbox.Send(i)
		return
	}
	d.outbox.Ended(i, res)
}

// takeBack makes the sends that the kernel has not taken by plain calls. Their entries become
// NOPs.
func (d *ring) takeBack() {
	if d.entries == 0 || d.r.SQPending() == 0 {
		return
	}
	d.r.EachPending(func(e *uring.SQE) {
		if mark(e.UserData) != markSend {
			return
		}
		i := int(uint32(e.UserData))
		e.PrepNop()
		e.UserData = markCancel | noSlot
		if d.sending == bySilences {
			e.Flags = uring.SQECQESkipSuccess
		} else {
			d.unheard--
		}
		d.outbox.Send(i)
	})
}

// endSends sees to it that all sends have their result. The ring may have died.
func (d *ring) endSends(done *driver.Queue) {
	if d.entries > 0 {
		d.takeBack()
		d.hearSends(done)
		// What an overflow list has kept, or the kernel has thrown away, may be a failure.
		told := d.unheard == 0 && d.r.Lost() == d.lost && !d.r.Overflowed()
		d.outbox.Settle(d.entries, told)
		d.entries, d.unheard = 0, 0
	}
	if d.outbox.Failed() {
		d.stats.ShortSends += d.outbox.CountShort()
	}
}

// hearMax bounds how often the kernel is asked for what has become of the sends: it has more CQEs without end, or no
// memory. At the bound those of which nothing was heard count as failed, with -EIO, and what is told later is stale.
const hearMax = 1 << 10

// hearSends takes the CQEs of sends that nobody has looked at: those that had no room in the CQ, and those that came in
// an enter behind which reap did not look again, since it was made in reap itself, to have room in the SQ.
func (d *ring) hearSends(done *driver.Queue) {
	for range hearMax {
		enters := d.stats.Enters
		if d.r.CQReady() > 0 {
			d.reap(done)
		}
		owes := d.unheard > 0 || d.r.Overflowed()
		if d.dead != nil || d.r.Lost() != d.lost || !owes && d.stats.Enters == enters {
			return
		}
		if owes && d.r.CQReady() == 0 {
			d.stats.Overflows++
			if d.enter(0, -1); d.r.CQReady() == 0 {
				d.backOff() // it has no memory for the entries before
			}
		}
	}
}
