package stream

import (
	"ringo/internal/bufs"
	"ringo/internal/fd"
	"ringo/internal/op"
	"ringo/internal/sys"
)

// In is the receiving side of a connection: the bytes that are unread, and how more come.
//
// There are two ways. Where the driver lends buffers to the kernel, a multishot receive is armed, and each completion
// brings a filled buffer:
//
//	idle ──Arm──▶ receiving ──Completed──▶ held in the list ──▶ the owner
//	  ▲               │
//	  └── ended at its limit, or when the ring was dry
//
// Otherwise, while the ring is dry, and where more comes at once than a buffer holds, readiness is watched and the
// owner receives by itself (ByHand): Recv into its own memory, Fill into a buffer that is warm.
//
// The unread bytes are first those in memory of the connection's own, then those in the list.
type In struct {
	last    *bufs.Buffer // of the list, which is a ring; nil: it is empty
	mem     []byte
	off     uint32 // of mem: read
	recheck recheckNumber
	err     int16  // of the stream
	count   uint16 // buffers in the list, of which a loop has 32768 at most
	how     How
	bulk    uint8 // receives that may bring little before others than large ones are in order, see bulkMax
	pace    pace
	bits    bits
}

// How is how more bytes come.
type How uint8

const (
	Idle      How = iota
	Receiving     // by a multishot receive
	Polling       // when a poll has told of readiness
	Direct        // by one receive into memory of the owner's
	Ending        // not: a poll tells of the end alone
)

// pace is what is known of how the owner keeps up with the peer. The bound on what may wait is seen only when the
// kernel has given all that there is, which may be much: so a multishot receive has a limit of its own. It is wider for
// those who have kept up so far, since a new receive for each 16 buffers is a twenty-fifth of the time of large
// messages.
type pace uint8

const (
	unproven pace = iota
	keepsUp       // a receive came to its limit, and nothing had piled up
	hasPiled      // something has once, which is for good
)

type bits uint8

const (
	ready  bits = 1 << iota // a receive may give something: nobody has said EAGAIN since
	hangup                  // the peer has closed, or an urgent byte came: a short count proves nothing
	eof
	theirs  // mem is of others, who may look at it still
	unasked // more may be in the kernel than was ever asked for, though none is ready
)

// bulkMax is how many receives in a row that bring less than a buffer holds end those into large buffers. They begin
// when more has come at once: by one receive at readiness into one large buffer that is warm it costs less than in
// parts into buffers that are not, with a completion for each (ADR 63), and crowds find the ring dry.
const bulkMax = 16

// PieceMax is how many bytes one call moves. A peer that is as fast as the loop would keep it in a longer one for as
// long as there are bytes.
const PieceMax = 1 << 20

// Interest is what a poll of a stream watches. RDHUP and PRI are there so that bytes that come together with a FIN, or
// around an urgent byte, are not missed.
const Interest = sys.PollIn | sys.PollRdhup | sys.PollPri

// Over reports whether no more bytes will come.
func (in *In) Over() bool { return in.bits&eof != 0 || in.err != 0 }

// EOF reports whether the peer has ended its side.
func (in *In) EOF() bool { return in.bits&eof != 0 }

// Err is why the stream has failed, as a negative errno; 0: it has not.
func (in *In) Err() int32 { return int32(in.err) }

// End says how the stream has ended: by an error, by the peer, or by neither.
func (in *In) End(ended bool, err int32) {
	in.set(eof, ended)
	in.err = int16(err)
}

// Fail notes an error of the stream.
func (in *In) Fail(err int32) { in.err = int16(err) }

// Retry says that a receive may give something: nobody knows.
func (in *In) Retry() { in.bits |= ready }

// Dry says that a receive gives nothing now.
func (in *In) Dry() { in.bits &^= ready }

// Ask has a receive be in order if nobody has asked the kernel for all that it may have: others have received, or a
// receive has given as much as it might. It is for who has to know now what has come. Who waits arms a receive, which
// asks, too.
func (in *In) Ask() {
	if in.bits&unasked != 0 && in.how != Receiving {
		in.Retry()
	}
}

// Doubt says that a short count is no sign of having received all.
func (in *In) Doubt() { in.bits |= hangup }

func (in *In) set(b bits, on bool) {
	in.bits &^= b
	if on {
		in.bits |= b
	}
}

// IsReady reports whether a receive may give something.
func (in *In) IsReady() bool { return in.bits&ready != 0 }

// ByHand reports whether a plain receive is in order now: there may be something, and none is armed that would take it.
func (in *In) ByHand() bool {
	return in.bits&(ready|eof) == ready && in.err == 0 && in.how != Receiving && in.how != Direct
}

// How is how more bytes come.
func (in *In) How() How { return in.how }

// Bulk reports whether much comes at once.
func (in *In) Bulk() bool { return in.bulk > 0 }

// Arm begins to wait for news, of which the sink is told: by a multishot receive, where the kernel picks buffers
// and nothing is against it, else by a poll. The owner keeps the op until its last completion. nil: there is none.
func (in *In) Arm(t *Tools, f *fd.FD, sink op.Sink, by Way) *op.Op {
	code, how, flags := op.Poll, Polling, op.Multishot|op.Rough
	switch {
	case by <= Records:
	case by == Lent && in.bulk == 0 && t.L.Ring().Available() > 0:
		code, how, flags = op.Recv, Receiving, op.Multishot|op.Select
	default:
		flags = op.Rough // once, so that the ring is tried again, and others have their turn
	}
	o := t.L.Ops().New(code)
	if o == nil {
		in.Fail(-sys.ENOBUFS)
		return nil
	}
	o.FD, o.Flags, o.Sink = f, flags, sink
	if how == Receiving {
		o.Limit = in.limit(t)
	} else {
		o.Events = Interest
	}
	in.how = how
	t.L.Ops().Submit(o)
	return o
}

// ArmEnd is Arm for an owner that wants no more bytes, but to be told when the peer has ended or reset the stream.
func (in *In) ArmEnd(t *Tools, f *fd.FD, sink op.Sink) *op.Op {
	o := t.L.Ops().New(op.Poll)
	if o == nil {
		in.Fail(-sys.ENOBUFS)
		return nil
	}
	o.FD, o.Sink, o.Events = f, sink, sys.PollRdhup
	in.how = Ending
	t.L.Ops().Submit(o)
	return o
}

// HungUp reports whether the peer has ended or reset the stream behind what is unread, as far as a poll has told. It
// asks the kernel, for the bit may have other causes. A receive that goes on tells by itself.
func (in *In) HungUp(t *Tools, f *fd.FD) bool {
	return in.bits&hangup != 0 && in.how != Receiving && t.Asks(f)&(sys.PollRdhup|sys.PollHup|sys.PollErr) != 0
}

// Way is a way to arm.
type Way uint8

const (
	Level   Way = iota // a poll that goes on
	Records            // likewise, for what is no stream: nothing is known of what is behind a receive
	Once               // a poll for the next news
	Lent               // a receive into the loop's ring, or Once
)

// Direct has the driver receive into p, which is the driver's until the completion. nil: there is no op.
func (in *In) Direct(t *Tools, f *fd.FD, sink op.Sink, p []byte) *op.Op {
	o := t.L.Ops().New(op.Recv)
	if o == nil {
		in.Fail(-sys.ENOBUFS)
		return nil
	}
	o.FD, o.Buf, o.Sink = f, p[:min(len(p), PieceMax)], sink
	in.how = Direct
	t.L.Ops().Submit(o)
	return o
}

// limit is how many bytes the next multishot receive may bring. What the kernel has is all taken in before anybody
// looks at it, so it is the bound of what one connection may have waiting.
func (in *In) limit(t *Tools) uint32 {
	times := 4
	if in.pace == keepsUp {
		times = 16
	}
	return uint32(min(times*Most(t.L), 1<<30))
}

// Piled says that something has piled up.
func (in *In) Piled() { in.pace = hasPiled }

// KeepsUp reports whether nothing has, as far as is known.
func (in *In) KeepsUp() bool { return in.pace == keepsUp }

// Disarm ends a receive that nobody reads from, or what ArmEnd has armed.
func (in *In) Disarm(t *Tools, o *op.Op) {
	if o != nil && (in.how == Receiving || in.how == Ending) && !o.Canceled {
		t.L.Ops().Cancel(o)
	}
}

// Completed takes what the armed op brought, and frees the op with its last completion. wanted: somebody will read what
// has come. How is Receiving afterwards if the receive has brought something and goes on.
func (in *In) Completed(t *Tools, o *op.Op, res int32, flags uint32, wanted bool) {
	how := in.how
	if how == Receiving {
		in.received(t, o, res, flags, wanted)
	}
	if flags&op.More == 0 {
		t.L.Ops().Free(o)
		in.how = Idle
	}
	switch how {
	case Receiving:
	case Direct:
		in.brought(res)
	default:
		in.polled(res)
	}
}

// received takes a completion of the multishot receive.
func (in *In) received(t *Tools, o *op.Op, res int32, flags uint32, wanted bool) {
	more := flags&op.More != 0
	if flags&op.HasBuffer != 0 {
		ring := t.L.Ring()
		b := ring.Filled(uint16(op.BufferID(flags)), int(max(res, 0)))
		if res <= 0 || !wanted {
			ring.Put(b)
		} else {
			if in.last != nil && in.last.End == ring.Size() { // more has come at once than a buffer holds
				if in.bulk == 0 && more {
					in.Disarm(t, o)
				}
				in.bulk = bulkMax
			}
			in.Append(b)
		}
	}
	in.set(unasked, !more && res > 0)
	switch {
	case more:
	case res > 0:
		if in.pace == unproven && in.count <= 1 {
			in.pace = keepsUp
		}
	case res == -sys.ENOBUFS, res == -sys.ECANCELED:
		in.Retry() // what waits, or has come meanwhile, is read into plain memory
	default:
		in.brought(res)
	}
}

// brought notes what the last completion of a receive says of the stream.
func (in *In) brought(res int32) {
	switch {
	case res == 0:
		in.bits |= eof
	case res < 0 && res != -sys.ECANCELED:
		in.Fail(res)
	}
}

// polled takes a completion of the poll.
func (in *In) polled(res int32) {
	switch {
	case res > 0:
		in.Retry()
		if res&(sys.PollRdhup|sys.PollHup|sys.PollErr|sys.PollPri) != 0 {
			in.Doubt()
		}
	case res < 0 && res != -sys.ECANCELED:
		in.Fail(res)
	}
}

// Recheck asks the kernel behind a receive that has been silent for a while, see Rechecks, and ends it if there is news
// all the same, so that another finds what there is.
func (in *In) Recheck(t *Tools, f *fd.FD, o *op.Op) {
	if in.how == Receiving && !o.Canceled && t.Asks(f) > 0 {
		t.L.Ops().Cancel(o)
	}
}

// Asks is what a poll of a stream says now.
func (t *Tools) Asks(f *fd.FD) int32 {
	t.ask.FD = f
	if res, ok := t.L.Ops().Try(&t.ask); ok {
		return res
	}
	return 0
}
