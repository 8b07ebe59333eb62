package uring

import (
	"ringo/internal/driver"
	"ringo/internal/op"
	"ringo/internal/sys"
	"ringo/uring"
)

// The sends of the outbox are entries that the kernel runs inside the enter that takes them: with MSG_DONTWAIT it does
// not wait for room, and with MSG_WAITALL a short send counts as failed. So with CQE_SKIP_SUCCESS CQEs report only
// what went wrong, and they are in the CQ, or in the kernel's overflow list, when the enter returns. Where that does
// not work each send has a CQE, and no MSG_WAITALL: with it Linux 5.19 and 6.0 forget how many bytes a send has sent
// that found room for a part of them, and report EAGAIN; mended by Linux commit 5693bcce892d.
//
// The driver takes entries that the kernel does not take back from the SQ and makes their sends by plain calls, so
// that nothing is left when Wait returns.

// sending says how sends of the outbox are made.
type sending uint8

const (
	byCalls    sending = iota // plain calls, because an SQPOLL thread takes entries in its own time
	byEntries                 // entries, each with a CQE
	bySilences                // entries with CQEs for failures only
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
		if d.r.SQSpace() == 0 { // submit what is there; reaping its CQEs makes room in the CQ
			d.enter(0, -1)
			d.reap(done)
		}
		if !d.prepSend(i) {
			d.stats.Sends += out.SendAll(i)
			return
		}
	}
}

// prepSend writes the entry of the i-th send. It reports false if the SQ has no room.
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

// The token of a send holds its index in the outbox, and the batch.
const (
	batchShift = 32
	batchMask  = 1<<(op.TokenShift-batchShift) - 1
)

// sendEnded takes in the CQE of a send.
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

// takeBack makes the sends that the kernel has not taken by plain calls, and turns their entries into NOPs.
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

// endSends makes sure that all sends have their results, even if the ring has died.
func (d *ring) endSends(done *driver.Queue) {
	if d.entries > 0 {
		d.takeBack()
		d.hearSends(done)
		// CQEs that are in the overflow list, or that the kernel has dropped, may be failures.
		told := d.unheard == 0 && d.r.Lost() == d.lost && !d.r.Overflowed()
		d.outbox.Settle(d.entries, told)
		d.entries, d.unheard = 0, 0
	}
	if d.outbox.Failed() {
		d.stats.ShortSends += d.outbox.CountShort()
	}
}

// hearMax bounds how often hearSends asks the kernel, which may have more CQEs without end, or no memory. At the bound
// the sends without a result fail with -EIO, and their CQEs are stale when they come.
const hearMax = 1 << 10

// hearSends reaps the CQEs of sends that are still unseen: those that had no room in the CQ, and those of an enter
// that reap itself made, to get room in the SQ, and did not look behind.
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
				d.backOff() // the kernel has no memory for the overflowed CQEs
			}
		}
	}
}
