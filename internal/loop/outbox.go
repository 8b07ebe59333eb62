package loop

import (
	"encoding/binary"
	"sync"
	"sync/atomic"

	"ringo/internal/bufs"
	"ringo/internal/driver"
	"ringo/internal/op"
	"ringo/internal/sys"
)

// Outbox is what the tasks of a turn have written and the kernel has not been given: small
// answers, which travel with the call by which the loop waits. All of it is sent between two turns.
//
// It is bounded in bytes, in sends and in time. At a bound the turn ends, and until it does what is
// written goes out by calls of its own.
type Outbox struct {
	driver.Outbox
	l      *Loop
	space  *outboxSpace // where mem and the memory of the lists are from
	held   []accepted   // of Sends, by the same index
	mem    []byte       // where small writes are copied to; nil: there is no memory at all
	used   int          // of mem
	lent   int          // bytes in buffers and in shared memory
	unsent int          // bytes that were accepted and found no room, of all handles
	info   [memInfo]byte
	turn   uint64 // numbers what is sent at once; never 0
	full   bool   // the turn is to end
	active bool   // something was accepted since the last trim
	wanted bool   // somebody has found no memory
	owes   atomic.Bool

	looks int   // questions of due until the next look at the clock
	every int   // how many there are between two looks
	at    int64 // of the last look
}

// accepted is what the loop knows of a send.
type accepted struct {
	owner  Sender
	buf    *bufs.Buffer // that the bytes are in; nil: they are in mem
	end    int          // where they end in mem
	shared bool         // they are elsewhere, in memory that nobody changes
}

// Sender is somebody who has something in the outbox.
type Sender interface {
	// Unsent says what became of a send that has not sent all: its result, and the bytes
	// that are left, which are valid during the call. It runs on the loop's thread, and must not park.
	Unsent(res int32, rest []byte)
}

// Accepted is a handle's place in the outbox: the turn in which it was given, and behind it, in indexBits, the index.
// The zero Accepted is none.
type Accepted uint64

func (a Accepted) turn() uint64 { return uint64(a >> indexBits) }
func (a Accepted) index() int   { return int(a & (1<<indexBits - 1)) }

const (
	// AcceptMax bounds what is copied for one handle until it is sent, and lendMax what is lent.
	AcceptMax = 16 << 10
	lendMax   = 64 << 10
	// outboxMem is how much is copied in a turn, outboxLent how much is lent, outboxSends how many sends there are.
	outboxMem   = 128 << 10
	outboxLent  = 1 << 20
	outboxSends = 1 << indexBits
	indexBits   = 8
	// At crowdedAt bytes that were accepted and found no room, of whoever they are, only those handles accept
	// more whose sockets have room: who writes to a peer that does not read waits. At unsentMax nobody does.
	crowdedAt = 1 << 20
	unsentMax = 2 << 20
	// turnMax is how long a turn goes on when something was accepted, in nanoseconds. looksMax is how often due
	// is asked between two looks at the clock, if turns are made of short runs: of less than shortRun each, with
	// callsPerRun calls.
	turnMax     = 200_000
	looksMax    = 16
	shortRun    = 5_000
	callsPerRun = 4
	// sizeMin is the least capacity of bytes that were moved to make room.
	sizeMin = 512
)

// Accept copies p behind what the handle has in the outbox. It reports false if there is no room for it. T.
func (b *Outbox) Accept(a *Accepted, s Sender, fd int32, p []byte) bool {
	if a.turn() == b.turn {
		return b.join(a.index(), p)
	}
	if len(p) > AcceptMax || !b.room(len(p)) {
		return false
	}
	mem := b.take(len(p))
	copy(mem, p)
	b.add(a, driver.Send{FD: fd, Buf: mem}, accepted{owner: s, end: b.used})
	return true
}

// AcceptsBuffer reports whether AcceptBuffer may be called for a buffer of n bytes. T.
func (b *Outbox) AcceptsBuffer(a Accepted, n int) bool {
	return a.turn() != b.turn && n <= lendMax && b.lent+n <= outboxLent && b.room(0)
}

// AcceptBuffer is Accept for the bytes of a buffer, without a copy. The buffer is the loop's then. T.
func (b *Outbox) AcceptBuffer(a *Accepted, s Sender, fd int32, buf *bufs.Buffer) {
	p := buf.Unread()
	b.lent += len(p)
	b.add(a, driver.Send{FD: fd, Buf: p}, accepted{owner: s, buf: buf, end: -1})
}

// AcceptShared is Accept for bytes that nobody changes any more, without a copy. T.
func (b *Outbox) AcceptShared(a *Accepted, s Sender, fd int32, p []byte) bool {
	if !b.AcceptsBuffer(*a, len(p)) {
		return false
	}
	b.lent += len(p)
	b.add(a, driver.Send{FD: fd, Buf: p}, accepted{owner: s, end: -1, shared: true})
	return true
}

// room reports whether one more send of n bytes to be copied may be accepted. If not the turn is to end.
func (b *Outbox) room(n int) bool {
	switch {
	case b.mem == nil:
		b.wanted = true
	case b.unsent >= unsentMax: // the turn's end makes no room
		return false
	case len(b.Sends) < outboxSends && b.used+n <= outboxMem:
		return true
	}
	b.full = len(b.Sends) > 0
	return false
}

// outboxSpace is the memory of an outbox.
type outboxSpace struct {
	mem   []byte
	sends []driver.Send
	held  []accepted
}

// outboxSpaces are those that no loop has: a loop that writes now and then gives its own back each time, and has the
// next for no more than the asking, unless the collector has taken it meanwhile.
var outboxSpaces = sync.Pool{New: func() any {
	return &outboxSpace{mem: make([]byte, outboxMem), sends: make([]driver.Send, 0, outboxSends),
		held: make([]accepted, 0, outboxSends)}
}}

// open takes the memory: in no task, whose stack would grow by it.
func (b *Outbox) open(l *Loop) {
	b.l = l
	b.space = outboxSpaces.Get().(*outboxSpace)
	b.mem, b.Sends, b.held = b.space.mem, b.space.sends, b.space.held
	b.turn, b.every = max(b.turn, 1), 1
	b.wanted = false
}

// giveBack gives up the memory, if there is any, with all that is in it.
func (b *Outbox) giveBack() {
	if b.space == nil {
		return
	}
	clear(b.Sends)
	clear(b.held)
	outboxSpaces.Put(b.space)
	b.space, b.mem, b.Sends, b.held = nil, nil, nil, nil
}

// take returns the next n bytes of mem, which must be there.
func (b *Outbox) take(n int) []byte {
	b.used += n
	return b.mem[b.used-n : b.used : b.used]
}

func (b *Outbox) add(a *Accepted, s driver.Send, h accepted) {
	if len(b.Sends) == 0 {
		b.owes.Store(true)
		b.l.charged.limit = 0 // see mayGoOn; more than a store would not fit into the stack of a task that copies
	}
	*a = Accepted(b.turn<<indexBits | uint64(len(b.Sends)))
	b.Sends = append(b.Sends, s)
	b.held = append(b.held, h)
}

// join copies p behind the bytes of a send.
func (b *Outbox) join(i int, p []byte) bool {
	s, h := &b.Sends[i], &b.held[i]
	have, n := len(s.Buf), len(p)
	switch {
	case h.buf != nil || h.shared || have+n > AcceptMax:
		return false
	case h.end == b.used && b.used+n <= outboxMem:
		copy(b.take(n), p)
		s.Buf = b.mem[h.end-have : b.used : b.used]
		h.end = b.used
		return true
	case n <= cap(s.Buf)-have:
		s.Buf = append(s.Buf, p...)
		return true
	}
	size := max(2*(have+n), sizeMin)
	if !b.room(size) {
		return false
	}
	s.Buf = append(append(b.take(size)[:0], s.Buf...), p...)
	h.end = -1
	return true
}

// HasAccepted reports whether something of a handle's is in the outbox.
func (b *Outbox) Has(a Accepted) bool { return a != 0 && a.turn() == b.turn }

// SendNow sends what a handle has in the outbox by a call of its own. Its Sender is told if that does not send all.
func (b *Outbox) SendNow(a *Accepted) {
	if !b.Has(*a) {
		return
	}
	short := b.Short
	b.l.ops.tried[op.Send]++
	b.Send(a.index())
	b.Short = short
	b.takeOut(a)
}

// Accepted is what a handle has in the outbox, for a call that sends it with what is behind it. SentWith follows.
func (b *Outbox) Accepted(a Accepted) []byte {
	if !b.Has(a) {
		return nil
	}
	return b.Sends[a.index()].Buf
}

// SentWith takes what a handle has in the outbox out of it, which a call with the result res has sent and what is
// behind it. It returns what res is for that: 0 if it is less than all of what was accepted, of which the Sender is
// told.
func (b *Outbox) SentWith(a *Accepted, res int32) int32 {
	s := &b.Sends[a.index()]
	size := int32(len(s.Buf))
	s.Res = min(res, size)
	b.takeOut(a)
	return max(0, res-size)
}

// takeOut takes a send with a result out of the outbox.
func (b *Outbox) takeOut(a *Accepted) {
	i := a.index()
	*a = 0
	b.tell(i)
	b.letGo(i)
	b.Sends[i], b.held[i] = driver.Send{}, accepted{}
	for n := len(b.Sends); n > 0 && b.held[n-1].owner == nil; n-- {
		b.Sends, b.held = b.Sends[:n-1], b.held[:n-1]
	}
	if len(b.Sends) == 0 {
		b.used, b.full = 0, false
		b.owes.Store(b.unsent > 0)
	}
}

// tell has the owner of a send know what was not sent.
func (b *Outbox) tell(i int) {
	s, h := &b.Sends[i], &b.held[i]
	if int(s.Res) != len(s.Buf) {
		h.owner.Unsent(s.Res, s.Buf[max(0, s.Res):])
	}
}

// letGo gives back the buffer that a send was in.
func (b *Outbox) letGo(i int) {
	h := &b.held[i]
	if h.buf != nil || h.shared {
		b.lent -= len(b.Sends[i].Buf)
	}
	if h.buf != nil {
		h.buf.Pool().Put(h.buf)
	}
}

// sent takes what the driver has sent out of the outbox.
func (b *Outbox) sent() {
	if !b.active {
		b.active = true
		b.l.HasSpare()
	}
	if b.Short {
		for i := range b.Sends {
			b.tell(i)
		}
	}
	if b.lent > 0 {
		for i := range b.Sends {
			b.letGo(i)
		}
	}
	b.Reset()
	clear(b.held)
	b.held, b.used, b.lent, b.full = b.held[:0], 0, 0, false
	b.owes.Store(b.unsent > 0)
	b.turn++
}

// Unsent counts bytes that were accepted and have found no room, or no longer wait for it: n is negative then.
func (b *Outbox) Unsent(n int) {
	if b.unsent += n; b.unsent == 0 && len(b.Sends) == 0 {
		b.owes.Store(false)
	}
}

// Crowded reports whether only those may accept who have room; see Room. T.
func (b *Outbox) Crowded() bool { return b.unsent >= crowdedAt }

// memInfo is how much of SO_MEMINFO is asked for: nine numbers, of which the third is the memory of what is sent and
// not yet read or acknowledged, the fourth its bound, and the sixth, of a stream of TCP, what the third is for others.
const memInfo = 9 * 4

// Room is how many bytes of memory a socket may still have for what is sent, what surrounds the bytes included: 0 where
// it can't be told (before Linux 4.12). T.
func (b *Outbox) Room(fd int32) int32 {
	p := b.info[:]
	if b.l.kernel.GetsockoptBytes(fd, sys.SolSocket, sys.SoMeminfo, p) != memInfo {
		return 0
	}
	at := binary.NativeEndian.Uint32
	return max(0, int32(at(p[12:])-max(at(p[8:]), at(p[20:]))))
}

// Owes reports whether something was accepted on this loop, by whichever handle, that was not sent. G.
func (b *Outbox) Owes() bool { return b.owes.Load() }

// due reports whether the turn is to end so that what was accepted is sent.
func (b *Outbox) due() bool { return len(b.Sends) > 0 && b.isDue() }

// isDue looks at the clock after so many questions: one if runs are long.
func (b *Outbox) isDue() bool {
	if b.full {
		return true
	}
	if b.looks++; b.looks < b.every {
		return false
	}
	return b.look()
}

// look looks at the clock, and reports whether the turn is to end.
func (b *Outbox) look() bool {
	b.looks = 0
	now := b.l.set.elapsed()
	if now-max(b.at, b.l.clock.now) > int64(b.every)*shortRun {
		b.every = 1
	} else {
		b.every = min(2*b.every, looksMax)
	}
	b.at = now
	b.full = now-b.l.clock.now > turnMax
	b.l.lookWithin(b.every)
	return b.full
}

// trim gives back memory that nobody has used since it was last called.
func (b *Outbox) trim() (more bool) {
	if !b.active && len(b.Sends) == 0 {
		b.giveBack()
	}
	b.active = false
	return b.mem != nil
}
