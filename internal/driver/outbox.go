package driver

import (
	"math"

	"ringo/internal/race"
	"ringo/internal/sys"
)

// Outbox has the sends that a loop leaves to its driver's next Wait; see the package comment. The zero Outbox is
// empty.
type Outbox struct {
	// Sends has at most one send for a descriptor, and no op may send on that. The loop appends to Sends between two
	// Waits, and empties it after it has seen the results.
	Sends []Send
	// Short is set by the driver if a send has not sent all of its bytes.
	Short bool
	// Plain is send(2) of the driver's kernel, set when the driver is opened; nil: the system's.
	Plain func(fd int32, p []byte) int32
}

// Send is one send. The driver skips one of no bytes.
type Send struct {
	FD  int32
	Res int32  // after the Wait, as of send(2): a count, which may be short, or a negated errno
	Buf []byte // the bytes to send; the driver may use them until the Wait returns
}

// Len returns the number of sends. A nil Outbox has none.
func (b *Outbox) Len() int {
	if b == nil {
		return 0
	}
	return len(b.Sends)
}

// Failed reports whether a send has not sent all of its bytes.
func (b *Outbox) Failed() bool { return b != nil && b.Short }

// CountShort returns how many sends have not sent all of their bytes.
func (b *Outbox) CountShort() (n uint64) {
	for i := range b.Sends {
		if s := &b.Sends[i]; int(s.Res) != len(s.Buf) {
			n++
		}
	}
	return n
}

// Reset empties the outbox.
func (b *Outbox) Reset() {
	clear(b.Sends)
	b.Sends, b.Short = b.Sends[:0], false
}

// SendAll makes the sends from the i-th on by plain calls, and returns how many had bytes to send.
func (b *Outbox) SendAll(i int) (n uint64) {
	for ; i < len(b.Sends); i++ {
		b.Send(i)
		if len(b.Sends[i].Buf) > 0 {
			n++
		}
	}
	return n
}

// Send makes the i-th send by a plain call.
func (b *Outbox) Send(i int) {
	s := &b.Sends[i]
	if len(s.Buf) == 0 {
		s.Res = 0
		return
	}
	s.trace()
	for s.Res = -sys.EINTR; s.Res == -sys.EINTR; {
		if b.Plain != nil {
			s.Res = b.Plain(s.FD, s.Buf)
		} else {
			s.Res = sys.Send(s.FD, s.Buf, 0)
		}
	}
	b.Short = b.Short || int(s.Res) != len(s.Buf)
}

// Begin records that an entry is about to make the i-th send.
func (b *Outbox) Begin(i int) {
	s := &b.Sends[i]
	s.trace()
	s.Res = begun
}

// begun is the result of a send whose entry has not reported one. No system call returns it.
const begun = math.MinInt32

// Ended records the result of the i-th send, which its entry has reported.
func (b *Outbox) Ended(i int, res int32) {
	s := &b.Sends[i]
	s.Res = sys.Sent(res)
	b.Short = b.Short || int(res) != len(s.Buf)
}

// Settle sets the results that are missing among the first n sends. If told, all failures were reported, and a send
// without one has sent all its bytes. If not, its result is -EIO.
func (b *Outbox) Settle(n int, told bool) {
	for i := range b.Sends[:n] {
		s := &b.Sends[i]
		switch {
		case s.Res != begun:
		case told:
			s.Res = int32(len(s.Buf))
		default:
			b.Ended(i, -sys.EIO)
		}
	}
}

// trace reports the send to the race detector.
func (s *Send) trace() {
	if race.Enabled {
		race.WriteLike()
		race.ReadRange(s.Buf)
	}
}
