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
// Otherwise, while the ring is dry, and where more comes at once than a buffer holds, the driver watches readiness and
// the owner receives by plain calls (ByHand): Recv receives into the owner's memory, Fill into a warm buffer.
//
// The unread bytes are first those in mem, the connection's own memory, then those in the list of buffers.
type In struct {
	last    *bufs.Buffer // last of the list, which is a ring; nil if it is empty
	mem     []byte
	off     uint32 // of mem: how much is read
	recheck recheckNumber
	err     int16  // of the stream, a negative errno
	count   uint16 // buffers in the list; a loop has 32768 at most
	how     How
	bulk    uint8 // small receives that may follow before large ones end, see bulkMax
	pace    pace
	bits    bits
}

// How says how more bytes come.
type How uint8

const (
	Idle      How = iota
	Receiving     // by a multishot receive
	Polling       // after a poll that reports readiness
	Direct        // by one receive into the owner's memory
	Ending        // not at all: a poll reports only the end
)

// pace is what is known about how the owner keeps up with the peer. The bound on unread bytes is seen only after the
// kernel has delivered all that it has, which may be much, so a multishot receive has a limit of its own. The limit is
// wider for owners that have kept up so far: with large messages, a new receive for every 16 buffers takes a
// twenty-fifth of the time.
type pace uint8

const (
	unproven pace = iota
	keepsUp       // a receive came to its limit without bytes piling up
	hasPiled      // bytes have piled up once; this is for good
)

type bits uint8

const (
	ready  bits = 1 << iota // a receive may find something: none has returned EAGAIN since
	hangup                  // the peer has closed, or an urgent byte came, so a short count does not mean empty
	eof
	theirs  // other code may still use mem, so it must not be reused
	unasked // the kernel may have more than a receive has asked for, although ready is off
)

// bulkMax is how many receives in a row that bring less than a buffer holds end the receives into large buffers. These
// begin when more has come at once than a buffer holds: one receive at readiness into a large warm buffer costs less
// than many into cold buffers, with a completion for each (ADR 63). In crowds they also find the ring dry.
const bulkMax = 16

// PieceMax is how many bytes one call moves. A peer as fast as the loop could keep the loop in a longer call without
// end.
const PieceMax = 1 << 20

// Interest is what a poll of a stream watches. With RDHUP and PRI it does not miss bytes that come together with a
// FIN, or around an urgent byte.
const Interest = sys.PollIn | sys.PollRdhup | sys.PollPri

// Over reports whether no more bytes will come.
func (in *In) Over() bool { return in.bits&eof != 0 || in.err != 0 }

// EOF reports whether the peer has ended its side.
func (in *In) EOF() bool { return in.bits&eof != 0 }

// Err returns why the stream has failed, as a negative errno; 0 if it has not.
func (in *In) Err() int32 { return int32(in.err) }

// End sets how the stream has ended: by the peer if ended, by an error if err is not 0, or not at all.
func (in *In) End(ended bool, err int32) {
	in.set(eof, ended)
	in.err = int16(err)
}

// Fail records an error of the stream.
func (in *In) Fail(err int32) { in.err = int16(err) }

// Retry records that a receive may find something.
func (in *In) Retry() { in.bits |= ready }

// Dry records that a receive would find nothing now.
func (in *In) Dry() { in.bits &^= ready }

// Ask calls for a receive if the kernel may have bytes that were not asked for: other callers have received, or a
// receive has filled its memory. It is for callers that must know at once what has come. Callers that wait arm a
// receive instead, which asks as well.
func (in *In) Ask() {
	if in.bits&unasked != 0 && in.how != Receiving {
		in.Retry()
	}
}

// Doubt records that a short count does not mean that all was received.
func (in *In) Doubt() { in.bits |= hangup }

func (in *In) set(b bits, on bool) {
	in.bits &^= b
	if on {
		in.bits |= b
	}
}

// IsReady reports whether a receive may find something.
func (in *In) IsReady() bool { return in.bits&ready != 0 }

// ByHand reports whether the owner should make a plain receive: there may be bytes, and no receive is armed for them.
func (in *In) ByHand() bool {
	return in.bits&(ready|eof) == ready && in.err == 0 && in.how != Receiving && in.how != Direct
}

// How returns how more bytes come.
func (in *In) How() How { return in.how }

// Bulk reports whether much comes at once.
func (in *In) Bulk() bool { return in.bulk > 0 }

// Arm begins to wait for input, and returns the op whose completions go to sink: a multishot receive, where the kernel
// picks buffers and nothing prevents it, or else a poll. The owner keeps the op until its last completion. Arm returns
// nil, and fails the stream, if there is no op.
func (in *In) Arm(t *Tools, f *fd.FD, sink op.Sink, by Way) *op.Op {
	code, how, flags := op.Poll, Polling, op.Multishot|op.Rough
	switch {
	case by <= Records:
	case by == Lent && in.bulk == 0 && t.L.Buffers().Ring.Available() > 0:
		code, how, flags = op.Recv, Receiving, op.Multishot|op.Select
	default:
		flags = op.Rough // not multishot, so that the ring is tried again, and other connections get their turn
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

// ArmEnd is Arm for an owner that wants no more bytes, but must learn when the peer has ended or reset the stream.
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

// HungUp reports whether the peer has ended or reset the stream behind the unread bytes, as far as a poll has seen. It
// asks the kernel, because the hangup bit may have other causes. A multishot receive reports the end by itself.
func (in *In) HungUp(t *Tools, f *fd.FD) bool {
	return in.bits&hangup != 0 && in.how != Receiving && t.Asks(f)&(sys.PollRdhup|sys.PollHup|sys.PollErr) != 0
}

// Way selects what Arm arms.
type Way uint8

const (
	Level   Way = iota // a multishot poll
	Records            // the same for a socket that is no stream: a short count says nothing about what is behind it
	Once               // a poll for one event
	Lent               // a receive into the loop's ring, or else Once
)

// Direct submits a receive into p, which the driver uses until the completion. It returns nil if there is no op.
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

// limit returns how many bytes the next multishot receive may bring. The loop takes in all that the kernel has before
// the owner sees any of it, so this bounds the unread bytes of one connection.
func (in *In) limit(t *Tools) uint32 {
	times := 4
	if in.pace == keepsUp {
		times = 16
	}
	return uint32(min(times*Most(t.L), 1<<30))
}

// Piled records that bytes have piled up.
func (in *In) Piled() { in.pace = hasPiled }

// KeepsUp reports whether the owner has kept up with the peer so far.
func (in *In) KeepsUp() bool { return in.pace == keepsUp }

// Disarm ends a receive without a reader, or a poll of ArmEnd.
func (in *In) Disarm(t *Tools, o *op.Op) {
	if o != nil && (in.how == Receiving || in.how == Ending) && !o.Canceled {
		t.L.Ops().Cancel(o)
	}
}

// Completed takes in a completion of the armed op, and frees the op with its last one. wanted reports whether a reader
// will use the bytes; if not they are dropped. Afterwards How is Receiving if a multishot receive goes on.
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

// received takes in a completion of the multishot receive.
func (in *In) received(t *Tools, o *op.Op, res int32, flags uint32, wanted bool) {
	more := flags&op.More != 0
	if flags&op.HasBuffer != 0 {
		ring := t.L.Buffers().Ring
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
		in.Retry() // the bytes that wait, or have come meanwhile, are read into plain memory
	default:
		in.brought(res)
	}
}

// brought records what the last completion of a receive says about the stream.
func (in *In) brought(res int32) {
	switch {
	case res == 0:
		in.bits |= eof
	case res < 0 && res != -sys.ECANCELED:
		in.Fail(res)
	}
}

// polled takes in a completion of the poll.
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

// Recheck polls the descriptor of a receive that has been silent for a while, see Rechecks. If there is input all the
// same it ends the receive, so that the next one finds it.
func (in *In) Recheck(t *Tools, f *fd.FD, o *op.Op) {
	if in.how == Receiving && !o.Canceled && t.Asks(f) > 0 {
		t.L.Ops().Cancel(o)
	}
}

// Asks returns what a poll of a stream reports now.
func (t *Tools) Asks(f *fd.FD) int32 {
	t.ask.FD = f
	if res, ok := t.L.Ops().Try(&t.ask); ok {
		return res
	}
	return 0
}
