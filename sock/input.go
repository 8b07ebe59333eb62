package sock

import (
	"io"

	"ringo/internal/bufs"
	"ringo/internal/handle"
	"ringo/internal/loop"
	"ringo/internal/op"
	"ringo/internal/sys"
)

// input is the receiving side of a connection: the bytes that are unread, and how
// more come.
//
// There are two ways. Where the driver lends buffers to the kernel, a multishot
// receive is armed, and each completion brings a filled buffer:
//
//	idle ──arm──▶ receiving ──completions──▶ held in the list ──▶ the reader
//	  ▲               │
//	  └── disarmed at the bound, or when the ring was dry
//
// Otherwise, while the ring is dry, and where more comes at once than a buffer holds,
// readiness is watched and the reader reads by itself, into its own memory or a plain
// buffer that is warm.
type input struct {
	// Unread bytes: first those in acc, from accOff on, then those in the list.
	acc        []byte
	accOff     int
	head, tail *bufs.Buffer
	count      int32 // buffers in the list
	listed     int32 // bytes in the list

	brought bool // acc came from another loop, or from foreign callers, who may look at its bytes still: see freeAcc
	peeked  bool // the user looks at bytes in place: they must stay where they are
	looked  bool // the reader has had its last look
	spliced bool // bytes are not to come in buffers, see relayBySplice
	slow    bool // what is read waits for a peer elsewhere
	how     armed
	pace    pace
	bulk    uint8 // receives that may bring little before others than large ones are in order, see bulkMax
	ready   bool  // a receive may give something: nobody has said EAGAIN since
	hup     bool  // the peer has closed, or an urgent byte came: a short count proves nothing
	eof     bool
	err     int32 // of the stream, for ever; or a shortage, for the next who asks
}

type armed uint8

const (
	notArmed armed = iota
	receiving
	polling
)

// pace is what is known of how the reader keeps up with the peer. The bound on what may wait is seen only
// when the kernel has given all that there is, which may be much: so a multishot receive has a limit of its
// own. It is wider for those who have kept up so far, since a new receive for each 16 buffers is a
// twenty-fifth of the time of large messages.
type pace uint8

const (
	unproven pace = iota
	keepsUp       // a receive came to its limit, and nothing had piled up
	hasPiled      // something has once, which is for good
)

// bulkMax is how many receives in a row that bring less than a buffer holds end those into large buffers. They begin
// when more has come at once: by one receive at readiness into one large buffer that is warm it costs less than in
// parts into buffers that are not, with a completion for each (ADR 63).
const bulkMax = 16

// interest is what a poll of a stream watches. RDHUP and PRI are there so that
// bytes that come together with a FIN, or around an urgent byte, are not missed.
const interest = sys.PollIn | sys.PollRdhup | sys.PollPri

// buffered is how many unread bytes there are.
func (in *input) buffered() int { return len(in.acc) - in.accOff + int(in.listed) }

// over reports whether no more bytes will come.
func (in *input) over() bool { return in.eof || in.err != 0 }

// arm sees to it that news of the stream will come.
func (in *input) arm(c *Conn) {
	if !c.core.Rearm() { // else it is armed when it is acquired
		return
	}
	d := c.core.Own(handle.In)
	if d.Op != nil || in.over() {
		return
	}
	code, how, flags := op.Poll, polling, op.Multishot|op.Rough
	if c.lends() {
		if in.bulk == 0 && c.l.Ring().Available() > 0 && !in.spliced {
			code, how, flags = op.Recv, receiving, op.Multishot|op.Select
		} else {
			flags = op.Rough // once, so that the ring is tried again, and splicing can end
		}
	}
	o := c.l.NewOp(code)
	if o == nil {
		in.err = -sys.ENOBUFS
		return
	}
	o.FD, o.Flags, o.Sink = c.core.FD(), flags, (*inputSink)(c)
	if how == receiving {
		o.Limit = in.limit(c)
	} else {
		o.Events = interest
	}
	d.Op, in.how = o, how
	c.l.Submit(o)
}

// limit is how many bytes the next multishot receive may bring.
func (in *input) limit(c *Conn) uint32 {
	times := 4
	if in.pace == keepsUp {
		times = 16
	}
	return uint32(min(times*in.most(c), 1<<30))
}

// stall is said when a writer has to wait, and nobody may be reading until it goes on: what came is moved
// out of the ring, and what comes has the narrower limit.
func (in *input) stall(c *Conn) {
	if in.pace == keepsUp && !c.core.Own(handle.In).Waiting() {
		in.pace = hasPiled
		in.disarm(c)
	}
	in.spill(c)
}

// disarm ends a receive that nobody reads from.
func (in *input) disarm(c *Conn) {
	if o := c.core.Own(handle.In).Op; o != nil && in.how == receiving && !o.Canceled {
		c.l.Cancel(o)
	}
}

// inputSink is the connection as the sink of its armed op.
type inputSink Conn

// Complete takes what the armed op brought.
func (s *inputSink) Complete(o *op.Op, res int32, flags uint32) {
	c := (*Conn)(s)
	in := &c.in
	how := in.how
	if flags&op.More == 0 {
		c.core.Own(handle.In).Op = nil
		c.l.FreeOp(o)
		in.how = notArmed
	}
	if how == receiving {
		in.received(c, res, flags)
	} else {
		in.polled(res)
	}
	if c.core.Closing() {
		c.core.Wake() // for who hands the input over, which the closing overtook
		c.core.Settle()
		return
	}
	in.wake(c)
}

// received takes a completion of the multishot receive.
func (in *input) received(c *Conn, res int32, flags uint32) {
	if flags&op.HasBuffer != 0 {
		b := c.l.Ring().Filled(uint16(op.BufferID(flags)), int(max(res, 0)))
		if res <= 0 || c.core.Closing() && c.detachState == nil {
			c.l.Ring().Put(b)
		} else {
			if in.tail != nil && in.tail.End == c.l.Ring().Size() {
				in.moreThanABuffer(c)
			}
			in.append(b)
			in.bound(c)
		}
	}
	switch {
	case flags&op.More != 0:
		c.local.doubts.Heard((*doubtful)(c))
	case res > 0:
		if in.pace == unproven && in.count <= 1 {
			in.pace = keepsUp
		}
	case res == 0:
		in.eof = true
	case res == -sys.ENOBUFS, res == -sys.ECANCELED:
		in.ready = true // what waits, or has come meanwhile, is read into plain memory
	default:
		in.err = res
	}
}

// moreThanABuffer is told when more has come at once than a buffer holds.
func (in *input) moreThanABuffer(c *Conn) {
	if in.bulk == 0 {
		in.disarm(c)
	}
	in.bulk = bulkMax
}

// polled takes a completion of the poll.
func (in *input) polled(res int32) {
	switch {
	case res > 0:
		in.ready = true
		if res&(sys.PollRdhup|sys.PollHup|sys.PollErr|sys.PollPri) != 0 {
			in.hup = true
		}
	case res < 0 && res != -sys.ECANCELED:
		in.err = res
	}
}

// bound keeps a connection that is not read from emptying the loop's ring.
func (in *input) bound(c *Conn) {
	if c.core.Own(handle.Out).Waiting() || in.slow {
		in.spill(c)
	}
	if int(in.count) >= c.l.Config().Leases || len(in.acc)-in.accOff >= in.most(c) {
		in.pace = hasPiled
		in.disarm(c)
	}
}

// most is how many bytes may wait for somebody who reads before no more are asked for.
func (in *input) most(c *Conn) int { return c.l.Config().Leases * c.l.Config().BufferSize }

func (in *input) append(b *bufs.Buffer) {
	b.SetNext(nil)
	if in.tail == nil {
		in.head = b
	} else {
		in.tail.SetNext(b)
	}
	in.tail = b
	in.count++
	in.listed += int32(b.End - b.Off)
}

// pop takes the first buffer off the list.
func (in *input) pop() *bufs.Buffer {
	b := in.head
	in.head = b.Next()
	if in.head == nil {
		in.tail = nil
	}
	in.count--
	in.listed -= int32(b.End - b.Off)
	return b
}

// spill moves the buffers of the kernel's ring into memory of the connection's
// own, so that whoever waits does not hold what others need.
// Bytes that the user has in view stay.
func (in *input) spill(c *Conn) {
	if in.peeked {
		return
	}
	for in.head != nil {
		in.gather(c)
	}
}

// gather moves the first buffer of the list behind the bytes in acc.
func (in *input) gather(c *Conn) {
	b := in.pop()
	in.grow(c, b.End-b.Off)
	in.acc = append(in.acc, b.Unread()...)
	b.Pool().Put(b)
}

// putBack makes bytes unread again that were the last to be read, and have not gone where they were to go. With the
// connection they would be gone as well.
func (in *input) putBack(c *Conn, p []byte) {
	if len(p) == 0 || c.core.Closing() {
		return
	}
	all := append(c.local.getMem(len(p)+len(in.acc)-in.accOff), p...)
	all = append(all, in.acc[in.accOff:]...)
	if in.peeked { // somebody looks at them
		in.acc = nil
	}
	in.freeAcc(c)
	in.acc = all
}

// freeAcc gives the memory of acc back, whose bytes are read or elsewhere.
func (in *input) freeAcc(c *Conn) {
	if in.acc != nil && !in.brought {
		c.local.putMem(in.acc)
	}
	in.acc, in.accOff, in.brought = nil, 0, false
}

// grow makes room for n more bytes in acc.
func (in *input) grow(c *Conn, n int) {
	if cap(in.acc)-len(in.acc) >= n {
		return
	}
	bigger := append(c.local.getMem(len(in.acc)-in.accOff+n), in.acc[in.accOff:]...)
	in.freeAcc(c)
	in.acc = bigger
}

// skip drops n unread bytes, which must be there.
func (in *input) skip(c *Conn, n int) {
	if k := len(in.acc) - in.accOff; k > 0 {
		in.accOff += min(n, k)
		n -= min(n, k)
		if in.accOff == len(in.acc) {
			in.freeAcc(c)
		}
	}
	for n > 0 {
		b := in.head
		k := b.End - b.Off
		if k > n {
			b.Off += n
			in.listed -= int32(n)
			return
		}
		in.pop()
		b.Pool().Put(b)
		n -= k
	}
}

// copyTo moves unread bytes into p.
func (in *input) copyTo(c *Conn, p []byte) (n int) {
	for n < len(p) && in.buffered() > 0 {
		var k int
		if in.accOff < len(in.acc) {
			k = copy(p[n:], in.acc[in.accOff:])
		} else {
			k = copy(p[n:], in.head.Unread())
		}
		in.skip(c, k)
		n += k
	}
	return n
}

// recv receives into p without waiting: a count, 0 with eof set, or none if there
// is nothing now.
func (in *input) recv(c *Conn, p []byte) (n int, ok bool) {
	if !c.records() {
		p = p[:min(len(p), pieceMax)]
	}
	o := &c.local.recv
	o.FD, o.Buf = c.core.FD(), p
	res, ok := c.l.Try(o)
	o.Buf = nil
	return in.took(c, res, ok, len(p))
}

// took notes what a receive of so many bytes has told of the stream.
func (in *input) took(c *Conn, res int32, ok bool, asked int) (int, bool) {
	switch {
	case !ok:
		in.ready = false
		return 0, false
	case res > 0:
		if int(res) >= c.l.Config().BufferSize && !c.records() {
			in.bulk = bulkMax
		} else if in.bulk > 0 {
			in.bulk--
		}
		// A short count from a stream: it is empty now. Where readiness is a level,
		// what comes behind it, be it the end, is told all the same.
		// Where buffers are lent, what is armed next finds what is left, and the kernel tells in whose turn it is.
		if int(res) < asked && (!in.hup || !c.l.Edges()) || c.lends() && !in.spliced {
			in.ready = false
		}
		return int(res), true
	case res == 0:
		in.eof = true
	default:
		in.err = res
	}
	return 0, false
}

// fill receives into a plain buffer, if the stream is ready and read by hand.
func (in *input) fill(c *Conn) {
	switch {
	case !in.byHand():
	case c.records():
		in.fillRecord(c)
	default:
		in.fillBuffer(c)
	}
}

// fillAll is fill until there is no more, or as often as a connection may hold buffers. Who shows a reader less than
// there is has to look again behind it, and finds what the peer has sent meanwhile: before those of whom the kernel has
// yet to tell, and over and over if the peer is fast.
func (in *input) fillAll(c *Conn) {
	for range c.l.Config().Leases {
		before := in.count
		if in.fill(c); in.count == before || !in.byHand() {
			return
		}
	}
}

// fillBuffer receives into a plain buffer, or a large one. Of what a connection holds, leases included, one is large.
func (in *input) fillBuffer(c *Conn) {
	pool := c.l.Plain()
	if in.bulk > 0 && in.head == nil && c.held.Load() == 0 {
		pool = c.l.Large()
	}
	b := pool.Take()
	if b == nil {
		return
	}
	n, ok := in.recv(c, b.Mem())
	if !ok {
		pool.Put(b)
		return
	}
	b.Off, b.End = 0, n
	in.append(b)
	c.serve.more = true // if the handler's own look found it, it is news all the same
}

// byHand reports whether a plain receive is in order now: there may be something,
// and no receive is armed that would take it.
func (in *input) byHand() bool { return in.ready && in.how != receiving && !in.over() }

// end is why no more bytes will come: nil if they may.
func (in *input) end(c *Conn) error {
	switch {
	case in.err != 0:
		err := callError("read", in.err)
		if shortage(in.err) { // which is told once
			in.err, in.ready = 0, true
		}
		return c.charged(err)
	case in.eof:
		return c.charged(io.EOF)
	}
	return nil
}

// yield is Loop.Yield for a reader that has come in time and need not wait for what it reads.
func (c *Conn) yield() bool {
	c.core.InTime(handle.In)
	return c.l.Yield()
}

// mayRead is why a reader must not go on, whatever there is: nil if it may.
func (c *Conn) mayRead() error {
	if c.core.Free(handle.In) {
		return nil
	}
	return c.mayNotRead()
}

// mayNotRead is mayRead where there may be a reason. It is apart so that mayRead is inlined.
//
//go:noinline
func (c *Conn) mayNotRead() error {
	err := c.core.State(handle.In)
	if err == nil || c.serve.inTime && c.in.buffered() > 0 && !c.core.Closing() {
		return nil
	}
	return c.charged(err)
}

// charged is an error that is the answer to a call, which counts as one: who goes on asking must not hold up the
// others.
func (c *Conn) charged(err error) error {
	c.l.ChargeAndYield()
	return err
}

// mustWait sees to it that news will come, and reports whether the reader has to wait for it (Core.Wait). The
// error says that it was cancelled. The wait itself is the caller's: each frame is one of each parked stack.
func (in *input) mustWait(c *Conn) (bool, error) {
	if c.l.Canceled() {
		return false, c.charged(c.l.Cause())
	}
	in.arm(c)
	waits := !in.over() && !in.byHand()
	if waits && c.core.Deserted() {
		return false, in.lastLook(c)
	}
	return waits, nil
}

// lastLook is for a reader that is not to wait any more, since the program drains. What has come is read first, also if
// the loop has not heard of it, which takes a turn. It is apart so that what parks has a smaller stack:
// BenchmarkIdleMemory.
//
//go:noinline
func (in *input) lastLook(c *Conn) error {
	if in.looked {
		return c.charged(loop.ErrDraining)
	}
	in.looked = true
	c.l.YieldTurn()
	return nil
}

// wake tells whoever is interested that there is news.
func (in *input) wake(c *Conn) {
	if c.core.Wake() {
		c.serve.more = true // what the reader leaves may be news to its handler
		return
	}
	if c.serve.by != nil {
		c.serve.news(c)
	}
}

// takeUnread gives what is unread, in memory that is the caller's from now on. It copies what is in the loop's buffers,
// and not what was copied once.
func (in *input) takeUnread(c *Conn) []byte {
	p := in.acc[in.accOff:]
	if in.acc, in.accOff, in.brought = nil, 0, false; len(p) == 0 {
		p = make([]byte, 0, in.listed)
	}
	for in.head != nil {
		b := in.pop()
		p = append(p, b.Unread()...)
		b.Pool().Put(b)
	}
	return p
}

// release leaves what is known of the input to foreign callers.
func (in *input) release(c *Conn, to *handle.Input) {
	if in.buffered() > 0 {
		to.Unread = in.takeUnread(c)
	}
	to.EOF, to.Err = in.eof && !c.records(), in.err // of records it may have been an empty one
	in.peeked, in.ready = false, false
}

// acquire is the way back. Nobody knows whether there is more.
func (in *input) acquire(c *Conn, from *handle.Input) {
	in.resume(c, from.Unread)
	from.Unread = nil
	in.eof, in.err = from.EOF, from.Err
	if c.serve.resting() && !c.core.Closing() {
		c.core.Follow()
		c.serve.news(c)
	}
}

// doubtful is the connection as one whose receive may have been forgotten.
type doubtful Conn

// Doubt is the number.
func (d *doubtful) Doubt() *handle.DoubtNumber { return &d.doubt }

// Doubted asks behind a multishot receive that has brought something and then no
// more: if the peer's reset comes while the kernel is busy with its bytes, Linux
// (6.18 at least) reports the bytes and sleeps on, see
// https://github.com/axboe/liburing/issues/1549 for the same with an end of stream.
// A receive that is begun anew finds what there is.
func (d *doubtful) Doubted() {
	c := (*Conn)(d)
	in := &c.in
	if in.how != receiving || c.core.Own(handle.In).Op.Canceled {
		return
	}
	o := call(c.l, op.Poll)
	o.Events = interest
	if res, ok := c.try(o); ok && res > 0 {
		in.disarm(c)
	}
}

// believe takes the connection out of the doubts of its loop.
func (in *input) believe(c *Conn) { c.local.doubts.Believe((*doubtful)(c)) }
