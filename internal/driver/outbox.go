package driver

import (
	"math"

	"ringo/internal/race"
	"ringo/internal/sys"
)

// Outbox is the sends that a loop leaves to its driver's next Wait; see the package comment. The
// zero Outbox is empty.
type Outbox struct {
	// Sends are at most one for a descriptor, on which no op sends. The loop appends to them
	// between two Waits, and takes them out when it has seen what became of them.
	Sends []Send
	// Short is set by the driver: some of them have not sent all of their bytes.
	Short bool
	// Plain is send(2) of the kernel that the driver is of, set when that is opened; nil: the system's.
	Plain func(fd int32, p []byte) int32
}

// Send is one of them. One of no bytes is passed over.
type Send struct {
	FD  int32
	Res int32  // as of send(2), after the Wait: a count, which may be short, or a negated errno
	Buf []byte // what is to be sent; lent until the Wait returns
}

// Len returns how many sends there are. A nil Outbox has none.
func (b *Outbox) Len() int {
	if b == nil {
		return 0
	}
	return len(b.Sends)
}

// Failed reports whether there are sends, and some have not sent all of their bytes.
func (b *Outbox) Failed() bool { return b != nil && b.Short }

// CountShort returns how many have not sent all of their bytes.
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

// SendAll makes the sends from the i-th on, by plain calls, and returns their number.
func (b *Outbox) SendAll(i int) (n uint64) {
	for ; i < len(b.Sends); i++ {
		b.Send(i)
		if len(b.Sends[i].Buf) > 0 {
			n++
		}
	}
	return n
}

// Send makes the i-th by a plain call.
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

// Begin notes that the i-th is about to be sent by an entry.
func (b *Outbox) Begin(i int) {
	s := &b.Sends[i]
	s.trace()
	s.Res = begun
}

// begun is the result of a send whose entry has told none. No system call has it.
const begun = math.MinInt32

// Ended notes the result of the i-th, which its entry has told.
func (b *Outbox) Ended(i int, res int32) {
	s := &b.Sends[i]
	s.Res = sys.Sent(res)
	b.Short = b.Short || int(res) != len(s.Buf)
}

// Settle gives the first n their results, of which entries have told nothing: all bytes, if they tell
// failures and all of those are known, or -EIO.
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

// trace tells the race detector of the send.
func (s *Send) trace() {
	if race.Enabled {
		race.WriteLike()
		race.ReadRange(s.Buf)
	}
}
