package sock

import (
	"io"
	"net"

	"ringo/internal/handle"
	"ringo/internal/loop"
	"ringo/internal/op"
	"ringo/internal/stream"
)

// input is the receiving side of a connection, as tasks of its loop use it.
type input struct {
	stream.In
	peeked  bool // the user looks at bytes in place: they must stay where they are
	looked  bool // the reader has had its last look
	spliced bool // bytes are not to come in buffers, see relayBySplice
	slow    bool // what is read waits for a peer elsewhere
}

// way is how more bytes are to come.
func (c *Conn) way() stream.Way {
	switch {
	case c.records():
		return stream.Records
	case !c.lends():
		return stream.Level
	case c.in.spliced:
		return stream.Once
	}
	return stream.Lent
}

// arm sees to it that news of the stream will come.
func (in *input) arm(c *Conn) {
	if !c.core.Rearm() { // else it is armed when it is acquired
		return
	}
	if d := c.core.Own(handle.In); d.Op == nil && !in.Over() {
		d.Op = in.Arm(&c.local.Tools, c.core.FD(), (*inputSink)(c), c.way())
	} else if in.How() == stream.Ending {
		in.disarm(c) // its completion is news, behind which it is armed
	}
}

// armEnd sees to it that there will be news of the end, while nobody takes what is unread.
func (in *input) armEnd(c *Conn) {
	if d := c.core.Own(handle.In); d.Op == nil {
		d.Op = in.ArmEnd(&c.local.Tools, c.core.FD(), (*inputSink)(c))
	}
}

// stall is said when a writer has to wait, and nobody may be reading until it goes on: what came is moved
// out of the ring, and what comes has the narrower limit.
func (in *input) stall(c *Conn) {
	if in.KeepsUp() && !c.core.Own(handle.In).Waiting() {
		in.Piled()
		in.disarm(c)
	}
	in.spill(c)
}

// disarm ends a receive that nobody reads from.
func (in *input) disarm(c *Conn) { in.Disarm(&c.local.Tools, c.core.Own(handle.In).Op) }

// inputSink is the connection as the sink of its armed op.
type inputSink Conn

// Complete takes what the armed op brought.
func (s *inputSink) Complete(o *op.Op, res int32, flags uint32) {
	c := (*Conn)(s)
	in := &c.in
	if flags&op.More == 0 {
		c.core.Own(handle.In).Op = nil
	}
	before := in.Pieces()
	in.Completed(&c.local.Tools, o, res, flags, !c.core.Closing() || c.detachState != nil)
	if in.Pieces() > before {
		in.bound(c)
	}
	if in.How() == stream.Receiving {
		c.local.rechecks.Heard((*inputSink)(c))
	}
	if c.core.Closing() {
		c.core.Wake() // for who hands the input over, which the closing overtook
		c.core.Settle()
		return
	}
	in.wake(c)
}

// bound keeps a connection that is not read from emptying the loop's ring.
func (in *input) bound(c *Conn) {
	if c.core.Own(handle.Out).Waiting() || in.slow {
		in.spill(c)
	}
	if in.Crowded(c.l) {
		in.Piled()
		in.disarm(c)
	}
}

// spill moves the buffers of the kernel's ring into memory of the connection's
// own, so that whoever waits does not hold what others need.
// Bytes that the user has in view stay.
func (in *input) spill(c *Conn) {
	if !in.peeked {
		in.Spill(&c.local.Tools)
	}
}

// putBack makes bytes unread again that were the last to be read, and have not gone where they were to go. With the
// connection they would be gone as well.
func (in *input) putBack(c *Conn, p []byte) {
	if len(p) > 0 && !c.core.Closing() {
		in.PutBack(&c.local.Tools, p, in.peeked)
	}
}

// skip drops n unread bytes, which must be there.
func (in *input) skip(c *Conn, n int) { in.Skip(&c.local.Tools, n) }

// recv receives into p without waiting: a count, 0 at the end, or none if there
// is nothing now.
func (in *input) recv(c *Conn, p []byte) (n int, ok bool) {
	if !c.records() {
		p = p[:min(len(p), pieceMax)]
	}
	return in.Recv(&c.local.Tools, c.core.FD(), p, c.way())
}

// fill receives into a plain buffer, if the stream is ready and read by hand.
func (in *input) fill(c *Conn) {
	switch {
	case !in.ByHand():
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
		before := in.Pieces()
		if in.fill(c); in.Pieces() == before || !in.ByHand() {
			return
		}
	}
}

// fillBuffer receives into a plain buffer, or a large one. Of what a connection holds, leases included, one is large.
func (in *input) fillBuffer(c *Conn) {
	large := in.First() == nil && c.held.Load() == 0
	if b := in.Fill(&c.local.Tools, c.core.FD(), large, pieceMax, c.way()); b != nil {
		in.Append(b)
		c.serve.more = true // if the handler's own look found it, it is news all the same
	}
}

// A read goes by the same steps whoever calls: turn; ready, with which a task of the loop parks; and what is unread is
// taken, or a plain call receives, with which foreign callers wait.

// input is what has come for the caller that has access, and the memory that goes with it.
func (c *Conn) input(a handle.Access) (*stream.In, *stream.Tools) {
	if a.Own() {
		return &c.in.In, &c.local.Tools
	}
	return a.Input(), nil
}

// turn is a reader's turn to be given what it need not wait for. The error is why it is given nothing.
func (c *Conn) turn(a handle.Access) error {
	if !a.Own() {
		return nil
	}
	if in := &c.in; (in.ByHand() || in.Any()) && !c.yield() {
		return c.l.Cause()
	}
	if c.core.Closing() {
		return c.charged(net.ErrClosed)
	}
	return nil
}

// ready waits until more than so many bytes are unread, which it reports, or a receive is in order; with fetch it makes
// that, into memory of the connection's own.
func (c *Conn) ready(a handle.Access, n int, fetch bool) (here bool, err error) {
	if !a.Own() {
		return c.readyForeign(a, n, fetch)
	}
	in := &c.in
	if fetch && in.ByHand() && !in.Any() {
		if c.l.Charge(); !c.yield() {
			return false, c.l.Cause()
		}
	}
	for {
		if err := c.mayRead(); err != nil {
			return false, err
		}
		if fetch && in.ByHand() && !in.Has(n) { // as fill, with one call less on the stack
			if c.records() {
				in.fillRecord(c)
			} else {
				in.fillBuffer(c)
			}
		}
		switch {
		case in.Has(n):
			return true, nil
		case in.ByHand() && !fetch:
			return false, nil
		}
		if err := in.end(c); err != nil {
			return false, err
		}
		if c.l.Canceled() { // as mustWait, with one call less on the stack
			return false, c.charged(c.l.Cause())
		}
		in.arm(c)
		switch waits := in.waits(); {
		case waits && c.core.Drained():
			if err := in.lastLook(c); err != nil {
				return false, err
			}
		case waits:
			c.core.Wait()
		}
	}
}

// readyForeign is ready for a foreign caller, which waits in its receive.
func (c *Conn) readyForeign(a handle.Access, n int, fetch bool) (here bool, err error) {
	in := a.Input()
	here = in.Has(n)
	if here || in.Over() {
		if err = a.Late(); err == nil && !here {
			err = ended(in, "read")
		}
	} else if fetch {
		err = c.fetch(a)
	}
	return here, err
}

// receiveBy makes a receive by an op of opExtFor, which asks for so many bytes. ok is false if a task of the loop has
// found nothing: it goes back to ready.
func (c *Conn) receiveBy(a handle.Access, o *op.Op, asked int) (n int, ok bool, err error) {
	res, ok, err := c.core.Do(a, o)
	if !a.Own() {
		n, err = c.received(a, res, err)
		return n, err == nil, err
	}
	n, ok = c.in.Took(&c.local.Tools, res, ok, asked, c.way())
	return n, ok, nil
}

// received is what a receive of a foreign caller's has brought.
func (c *Conn) received(a handle.Access, res int32, err error) (int, error) {
	if err != nil || res > 0 {
		return int(max(res, 0)), err
	}
	in := a.Input()
	in.End(res == 0, res)
	err = ended(in, "read")
	if c.records() { // of which it may have been an empty one
		in.End(false, in.Err())
	}
	return 0, err
}

// take moves unread bytes into p. Of a record the rest is dropped.
func (c *Conn) take(in *stream.In, t *stream.Tools, p []byte) int {
	n := in.CopyTo(t, p)
	if c.records() {
		in.Skip(t, in.Unread())
	}
	return n
}

// fetch receives into memory of a foreign caller's; of records the next, when none is here.
func (c *Conn) fetch(a handle.Access) error {
	in := a.Input()
	if c.records() {
		return c.fetchRecord(a)
	}
	c.core.Given(in.Unread())
	res, err := a.Move(in.Grow(nil, 4096))
	n, err := c.received(a, res, err)
	in.Grown(n)
	return err
}

// ended is why no more bytes will come: nil if they may.
func ended(in *stream.In, call string) error {
	switch err := in.Err(); {
	case err != 0:
		if shortage(err) { // which is told once
			in.Fail(0)
			in.Retry()
		}
		return callError(call, err)
	case in.EOF():
		return io.EOF
	}
	return nil
}

// end is ended for a task of the loop.
func (in *input) end(c *Conn) error {
	err := ended(&in.In, "read")
	if err != nil {
		err = c.charged(err)
	}
	return err
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
	if err == nil || c.serve.inTime && c.in.Any() && !c.core.Closing() {
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
	waits := in.waits()
	if waits && c.core.Drained() {
		return false, in.lastLook(c)
	}
	return waits, nil
}

// waits reports whether nothing can be had before there is news.
func (in *input) waits() bool { return !in.Over() && !in.ByHand() }

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
	switch {
	case c.serve.by != nil:
		c.serve.news(c)
	case c.serve.tell != nil:
		c.serve.tell()
	}
}

// release leaves what is known of the input to foreign callers.
func (in *input) release(c *Conn, to *stream.In) {
	if in.Leave(to); c.records() { // of which it may have been an empty one
		to.End(false, in.Err())
	}
	in.peeked = false
	in.Dry()
}

// acquire is the way back.
func (in *input) acquire(c *Conn, from *stream.In) {
	in.resume(c, from.TakeMem())
	in.End(from.EOF(), from.Err())
	if c.serve.resting() && !c.core.Closing() {
		c.core.Follow()
		c.serve.news(c)
	}
}

// resume begins with bytes that were read elsewhere, and takes their memory over.
func (in *input) resume(c *Conn, unread []byte) {
	in.Resume(&c.local.Tools, unread)
	if in.Dry(); !c.lends() {
		in.Retry()
	}
}

// Input is what has come, for the rechecks.
func (s *inputSink) Input() *stream.In { return &s.in.In }

// Recheck asks for what the kernel may have forgotten.
func (s *inputSink) Recheck() { s.in.Recheck(&s.local.Tools, s.core.FD(), s.core.Own(handle.In).Op) }
