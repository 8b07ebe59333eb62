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

// Outbox holds what the tasks of a turn have written and the kernel has not got yet: small answers, which go out with
// the call by which the loop waits. The loop sends all of it between two turns.
//
// It is bounded in bytes, in sends and in time. At a bound the turn ends. Until then writes that find no room are sent
// by calls of their own.
type Outbox struct {
	driver.Outbox
	l      *Loop
	space  *outboxSpace // owns mem and the memory of the lists
	held   []accepted   // for each of Sends, by index
	mem    []byte       // small writes are copied to it; nil if the outbox has no memory
	used   int          // bytes of mem
	lent   int          // bytes in buffers and in shared memory
	unsent int          // accepted bytes of all handles that their sockets had no room for
	info   [memInfo]byte
	turn   uint64 // number of the batch that is sent at once; never 0
	full   bool   // the turn must end
	active bool   // something was accepted since the last trim
	wanted bool   // a write has found the outbox without memory
	owes   atomic.Bool

	looks int   // calls of isDue since the last look at the clock
	every int   // calls of isDue from one look to the next
	at    int64 // time of the last look
}

// accepted is what the loop keeps about a send.
type accepted struct {
	owner  Sender
	buf    *bufs.Buffer // the buffer with the bytes; nil if they are in mem
	end    int          // where they end in mem
	shared bool         // they are in the caller's memory, which must not change
}

// Sender is a handle that has something in the outbox.
type Sender interface {
	// Unsent reports a send that did not send all: its result, and the bytes that are left, which are valid during the
	// call only. It runs on the loop's thread, and must not park.
	Unsent(res int32, rest []byte)
}

// Accepted is a handle's place in the outbox: the turn of the outbox, and in the low indexBits bits the index. The
// zero Accepted is none.
type Accepted uint64

func (a Accepted) turn() uint64 { return uint64(a >> indexBits) }
func (a Accepted) index() int   { return int(a & (1<<indexBits - 1)) }

const (
	// AcceptMax bounds the bytes that are copied for one handle in a turn, lendMax those that it lends.
	AcceptMax = 16 << 10
	lendMax   = 64 << 10
	// Bounds of a turn: outboxMem of the bytes copied, outboxLent of the bytes lent, outboxSends of the sends.
	outboxMem   = 128 << 10
	outboxLent  = 1 << 20
	outboxSends = 1 << indexBits
	indexBits   = 8
	// At crowdedAt unsent bytes of all handles together, only handles whose sockets have room accept more: a writer
	// whose peer does not read waits. At unsentMax the outbox takes no new sends.
	crowdedAt = 1 << 20
	unsentMax = 2 << 20
	// turnMax is how long a turn goes on after something was accepted, in nanoseconds. looksMax is the most calls of
	// isDue between two looks at the clock. They become that many if runs are short: shorter than shortRun nanoseconds
	// each. callsPerRun is how many calls a run is expected to make.
	turnMax     = 200_000
	looksMax    = 16
	shortRun    = 5_000
	callsPerRun = 4
	// sizeMin is the least capacity that bytes get when they move to make room.
	sizeMin = 512
)

// Accept appends a copy of p to what the handle has in the outbox. It reports false if there is no room. T.
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

// AcceptBuffer is Accept for the bytes of a buffer, without a copy. The buffer then belongs to the loop. T.
func (b *Outbox) AcceptBuffer(a *Accepted, s Sender, fd int32, buf *bufs.Buffer) {
	p := buf.Unread()
	b.lent += len(p)
	b.add(a, driver.Send{FD: fd, Buf: p}, accepted{owner: s, buf: buf, end: -1})
}

// AcceptShared is Accept without a copy, for bytes that no code changes from now on. T.
func (b *Outbox) AcceptShared(a *Accepted, s Sender, fd int32, p []byte) bool {
	if !b.AcceptsBuffer(*a, len(p)) {
		return false
	}
	b.lent += len(p)
	b.add(a, driver.Send{FD: fd, Buf: p}, accepted{owner: s, end: -1, shared: true})
	return true
}

// room reports whether the outbox can take one more send, of n bytes to copy. If not, it ends the turn, where that
// helps.
func (b *Outbox) room(n int) bool {
	switch {
	case b.mem == nil:
		b.wanted = true
	case b.unsent >= unsentMax: // the end of the turn would not help
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

// outboxSpaces holds the memory that no loop uses. A loop that writes only now and then gives its memory back each
// time, and gets some again at no cost, unless the collector has freed it meanwhile.
var outboxSpaces = sync.Pool{New: func() any {
	return &outboxSpace{mem: make([]byte, outboxMem), sends: make([]driver.Send, 0, outboxSends),
		held: make([]accepted, 0, outboxSends)}
}}

// open takes memory for the outbox. It never runs in a task, whose stack would grow by the call.
func (b *Outbox) open(l *Loop) {
	b.l = l
	b.space = outboxSpaces.Get().(*outboxSpace)
	b.mem, b.Sends, b.held = b.space.mem, b.space.sends, b.space.held
	b.turn, b.every = max(b.turn, 1), 1
	b.wanted = false
}

// giveBack gives up the memory, if there is any, and all that is in it.
func (b *Outbox) giveBack() {
	if b.space == nil {
		return
	}
	clear(b.Sends)
	clear(b.held)
	outboxSpaces.Put(b.space)
	b.space, b.mem, b.Sends, b.held = nil, nil, nil, nil
}

// take returns the next n bytes of mem. The caller has checked that there are as many.
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

// join appends p to the bytes of the i-th send.
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

// Has reports whether the handle has something in the outbox.
func (b *Outbox) Has(a Accepted) bool { return a != 0 && a.turn() == b.turn }

// SendNow sends what a handle has in the outbox by a call of its own. If that does not send all the Sender's Unsent is
// called.
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

// Accepted returns what a handle has in the outbox, for a call that sends it together with what follows it. The caller
// must call SentWith next.
func (b *Outbox) Accepted(a Accepted) []byte {
	if !b.Has(a) {
		return nil
	}
	return b.Sends[a.index()].Buf
}

// SentWith takes out of the outbox what a handle has there, after a call with the result res that sent it together
// with what follows. It returns how many of the bytes that follow were sent. If not even the accepted bytes were all
// sent it returns 0, and calls the Sender's Unsent.
func (b *Outbox) SentWith(a *Accepted, res int32) int32 {
	s := &b.Sends[a.index()]
	size := int32(len(s.Buf))
	s.Res = min(res, size)
	b.takeOut(a)
	return max(0, res-size)
}

// takeOut takes a send that has its result out of the outbox.
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

// tell reports to the owner of a send what was not sent.
func (b *Outbox) tell(i int) {
	s, h := &b.Sends[i], &b.held[i]
	if int(s.Res) != len(s.Buf) {
		h.owner.Unsent(s.Res, s.Buf[max(0, s.Res):])
	}
}

// letGo gives back the buffer of a send.
func (b *Outbox) letGo(i int) {
	h := &b.held[i]
	if h.buf != nil || h.shared {
		b.lent -= len(b.Sends[i].Buf)
	}
	if h.buf != nil {
		h.buf.Pool().Put(h.buf)
	}
}

// sent empties the outbox after the driver has sent it.
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

// Unsent adds n to the count of accepted bytes that found no room in their sockets; n is negative once they are sent
// or dropped.
func (b *Outbox) Unsent(n int) {
	if b.unsent += n; b.unsent == 0 && len(b.Sends) == 0 {
		b.owes.Store(false)
	}
}

// Crowded reports whether only handles whose sockets have room may accept more; see Room. T.
func (b *Outbox) Crowded() bool { return b.unsent >= crowdedAt }

// memInfo is how many bytes of SO_MEMINFO are asked for: nine numbers. The third, SK_MEMINFO_WMEM_ALLOC, is the memory
// of what is sent and not yet read or acknowledged, the fourth, SK_MEMINFO_SNDBUF, its bound. For a TCP stream the
// sixth, SK_MEMINFO_WMEM_QUEUED, has the part of the third.
const memInfo = 9 * 4

// Room returns how many bytes of memory a socket may still use for what is sent, including what surrounds the bytes.
// It returns 0 where the kernel can't tell (before Linux 4.12). T.
func (b *Outbox) Room(fd int32) int32 {
	p := b.info[:]
	if b.l.kernel.GetsockoptBytes(fd, sys.SolSocket, sys.SoMeminfo, p) != memInfo {
		return 0
	}
	at := binary.NativeEndian.Uint32
	return max(0, int32(at(p[12:])-max(at(p[8:]), at(p[20:]))))
}

// Owes reports whether the loop has accepted something, for any handle, that was not sent. G.
func (b *Outbox) Owes() bool { return b.owes.Load() }

// due reports whether the turn must end so that what was accepted is sent.
func (b *Outbox) due() bool { return len(b.Sends) > 0 && b.isDue() }

// isDue looks at the clock at every b.every-th call: at each call if runs are long.
func (b *Outbox) isDue() bool {
	if b.full {
		return true
	}
	if b.looks++; b.looks < b.every {
		return false
	}
	return b.look()
}

// look looks at the clock, and reports whether the turn must end.
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

// trim gives the memory back if nothing was accepted since the last trim.
func (b *Outbox) trim() (more bool) {
	if !b.active && len(b.Sends) == 0 {
		b.giveBack()
	}
	b.active = false
	return b.mem != nil
}
