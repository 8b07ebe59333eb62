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
	peeked  bool // the program looks at bytes in place, so they must not move
	looked  bool // the reader has had its last look, see lastLook
	spliced bool // bytes must not arrive in buffers, see relayBySplice
	slow    bool // the bytes that were read wait for a slow peer elsewhere
}

// way returns how the input is to be armed.
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

// arm makes sure that the loop will hear of more input, by an armed receive or poll.
func (in *input) arm(c *Conn) {
	if !c.core.Rearm() { // foreign callers have it: it is armed when the loop acquires it
		return
	}
	if d := c.core.Own(handle.In); d.Op == nil && !in.Over() {
		d.Op = in.Arm(&c.local.Tools, c.core.FD(), (*inputSink)(c), c.way())
	} else if in.How() == stream.Ending {
		in.disarm(c) // its completion is news, behind which it is armed
	}
}

// armEnd makes sure that the loop will hear of the end of the stream while no caller takes the unread bytes.
func (in *input) armEnd(c *Conn) {
	if d := c.core.Own(handle.In); d.Op == nil {
		d.Op = in.ArmEnd(&c.local.Tools, c.core.FD(), (*inputSink)(c))
	}
}

// stall is called when a writer has to wait, during which the connection may have no reader. It moves the unread bytes
// out of the ring's buffers, and ends the receive so that the next one has the narrower limit.
func (in *input) stall(c *Conn) {
	if in.KeepsUp() && !c.core.Own(handle.In).Waiting() {
		in.Piled()
		in.disarm(c)
	}
	in.spill(c)
}

// disarm ends a receive whose bytes no caller reads.
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
		c.core.Wake() // for a task in Quiesce, which the close has overtaken
		c.core.Settle()
		return
	}
	in.wake(c)
}

// bound keeps a connection that is not read from using up the loop's ring of buffers.
func (in *input) bound(c *Conn) {
	if c.core.Own(handle.Out).Waiting() || in.slow {
		in.spill(c)
	}
	if in.Crowded(c.l) {
		in.Piled()
		in.disarm(c)
	}
}

// spill moves the unread bytes from the ring's buffers to the connection's own memory, so that a connection that waits
// does not hold buffers that others need. Bytes that the program looks at in place stay where they are.
func (in *input) spill(c *Conn) {
	if !in.peeked {
		in.Spill(&c.local.Tools)
	}
}

// putBack makes p, the bytes that were read last, unread again, because they could not be written where they were to
// go. If the connection closes, they are lost with it.
func (in *input) putBack(c *Conn, p []byte) {
	if len(p) > 0 && !c.core.Closing() {
		in.PutBack(&c.local.Tools, p, in.peeked)
	}
}

// skip drops n unread bytes, which must be there.
func (in *input) skip(c *Conn, n int) { in.Skip(&c.local.Tools, n) }

// recv receives into p without waiting. It returns the count, 0 at the end of the stream; ok is false if nothing has
// come.
func (in *input) recv(c *Conn, p []byte) (n int, ok bool) {
	if !c.records() {
		p = p[:min(len(p), pieceMax)]
	}
	return in.Recv(&c.local.Tools, c.core.FD(), p, c.way())
}

// fill receives into a plain buffer, if the owner has to receive by plain calls and the stream is ready.
func (in *input) fill(c *Conn) {
	switch {
	case !in.ByHand():
	case c.records():
		in.fillRecord(c)
	default:
		in.fillBuffer(c)
	}
}

// fillAll calls fill until no more has come, or as often as a connection may hold buffers. A Handler that was shown
// only a part would have to be called again for the rest, and for what its peer has sent meanwhile: ahead of
// connections whose news the kernel has yet to report, and over and over if the peer is fast.
func (in *input) fillAll(c *Conn) {
	for range c.l.Config().Leases {
		before := in.Pieces()
		if in.fill(c); in.Pieces() == before || !in.ByHand() {
			return
		}
	}
}

// fillBuffer receives into a plain or a large buffer. Of the buffers that a connection holds, leased ones included, at
// most one is large.
func (in *input) fillBuffer(c *Conn) {
	large := in.First() == nil && c.held.Load() == 0
	if b := in.Fill(&c.local.Tools, c.core.FD(), large, pieceMax, c.way()); b != nil {
		in.Append(b)
		c.serve.more = true // news even if the Handler's own read found it
	}
}

// fillMem receives up to that many bytes into the connection's own memory, where nothing is unread.
func (in *input) fillMem(c *Conn, most int) {
	n, ok := in.recv(c, in.Grow(&c.local.Tools, most))
	if !ok {
		in.FreeMem(&c.local.Tools)
		return
	}
	in.Grown(n)
	c.serve.more = true
}

// Reads of all callers take the same steps: turn; ready, in which a task of the loop parks; then unread bytes are
// taken, or a plain call receives, in which a foreign caller waits.

// input returns the caller's view of the input, and the memory to use with it. The caller has access.
func (c *Conn) input(a handle.Access) (*stream.In, *stream.Tools) {
	if a.Own() {
		return &c.in.In, &c.local.Tools
	}
	return a.Input(), nil
}

// turn gives other tasks a turn if a task of the loop need not wait for input and its budget is used up. The error is
// why the caller must not read: the task was cancelled, or the connection closes.
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

// ready waits until more than n bytes are unread, and then returns true, or until a plain receive may find some. With
// fetch it makes that receive itself, which adds to the unread bytes.
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

// readyForeign is ready for a foreign caller, which waits in the receive itself.
func (c *Conn) readyForeign(a handle.Access, n int, fetch bool) (here bool, err error) {
	in := a.Input()
	here = in.Has(n)
	if here || in.Over() {
		if err = a.Late(); err == nil && !here {
			err = ended(in, "read")
		}
	} else if fetch {
		err = c.fetch(a, foreignMost)
	}
	return here, err
}

// receiveBy receives by an op of opExtFor, which asks for so many bytes. ok is false if a task of the loop has found
// nothing: the task has to call ready again.
func (c *Conn) receiveBy(a handle.Access, o *op.Op, asked int) (n int, ok bool, err error) {
	res, ok, err := c.core.Do(a, o)
	if !a.Own() {
		n, err = c.received(a, res, err)
		return n, err == nil, err
	}
	n, ok = c.in.Took(&c.local.Tools, res, ok, asked, c.way())
	return n, ok, nil
}

// received turns the result of a foreign caller's receive into the count and the error of a read.
func (c *Conn) received(a handle.Access, res int32, err error) (int, error) {
	if err != nil || res > 0 {
		return int(max(res, 0)), err
	}
	in := a.Input()
	in.End(res == 0, res)
	err = ended(in, "read")
	if c.records() { // 0 may have been an empty record
		in.End(false, in.Err())
	}
	return 0, err
}

// take moves unread bytes into p. The rest of a record is dropped.
func (c *Conn) take(in *stream.In, t *stream.Tools, p []byte) int {
	n := in.CopyTo(t, p)
	if c.records() {
		in.Skip(t, in.Unread())
	}
	return n
}

// foreignMost is how much a foreign caller receives that looks at bytes in place.
const foreignMost = 4096

// fetch receives up to that many bytes into memory of a foreign caller. Of records it receives the next one, if none is
// here.
func (c *Conn) fetch(a handle.Access, most int) error {
	in := a.Input()
	if c.records() {
		return c.fetchRecord(a)
	}
	c.core.Given(in.Unread())
	res, err := a.Move(in.Grow(nil, min(most, foreignMost)))
	n, err := c.received(a, res, err)
	in.Grown(n)
	return err
}

// ended returns the error that says why no more bytes will come, nil if they may. A shortage is reported once; the next
// call tries again.
func ended(in *stream.In, call string) error {
	switch err := in.Err(); {
	case err != 0:
		if shortage(err) { // the next call tries again
			in.Fail(0)
			in.Retry()
		}
		return callError(call, err)
	case in.EOF():
		return io.EOF
	}
	return nil
}

// end is ended for a task of the loop, and charges the call if there is an error.
func (in *input) end(c *Conn) error {
	err := ended(&in.In, "read")
	if err != nil {
		err = c.charged(err)
	}
	return err
}

// yield is Loop.Yield for a reader that need not wait for its bytes. A reader that came before its deadline still gets
// them if the deadline passes during the yield.
func (c *Conn) yield() bool {
	c.core.InTime(handle.In)
	return c.l.Yield()
}

// mayRead returns the error for which a reader must not go on, even if bytes are here; nil if it may.
func (c *Conn) mayRead() error {
	if c.core.Free(handle.In) {
		return nil
	}
	return c.mayNotRead()
}

// mayNotRead is mayRead for the case that there may be an error. It is apart so that mayRead is inlined.
//
//go:noinline
func (c *Conn) mayNotRead() error {
	err := c.core.State(handle.In)
	if err == nil || c.serve.inTime && c.in.Any() && !c.core.Closing() {
		return nil
	}
	return c.charged(err)
}

// charged returns err, and charges the call that it answers: a task that keeps asking must not hold up the others.
func (c *Conn) charged(err error) error {
	c.l.ChargeAndYield()
	return err
}

// mustWait arms the input, and reports whether the reader has to wait for news (Core.Wait). The error says that the
// task was cancelled, or must not wait because the program drains. The caller waits itself, because each frame adds to
// each parked stack.
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

// waits reports whether a reader gets nothing until there is news.
func (in *input) waits() bool { return !in.Over() && !in.ByHand() }

// lastLook is for a reader that must not wait, because the program drains. Bytes that have arrived are read first, even
// if the loop has not heard of them yet: the first call takes a turn to find them and returns nil, the next one returns
// ErrDraining. It is apart so that parked tasks have smaller stacks: BenchmarkIdleMemory.
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

// wake tells a waiting reader that there is news, or else the server, or the function of restBy.
func (in *input) wake(c *Conn) {
	if c.core.Wake() {
		c.serve.more = true // what the reader leaves may be news to its Handler
		return
	}
	switch {
	case c.serve.by != nil:
		c.serve.news(c)
	case c.serve.tell != nil:
		c.serve.tell()
	}
}

// release hands the input to the foreign callers, with its unread bytes.
func (in *input) release(c *Conn, to *stream.In) {
	if in.Leave(to); c.records() { // 0 may have been an empty record
		to.End(false, in.Err())
	}
	in.peeked = false
	in.Dry()
}

// acquire takes the input back from the foreign callers, with the bytes that they have left unread.
func (in *input) acquire(c *Conn, from *stream.In) {
	in.resume(c, from.TakeMem())
	in.End(from.EOF(), from.Err())
	if c.serve.resting() && !c.core.Closing() {
		c.core.Follow()
		c.serve.news(c)
	}
}

// resume starts the input with bytes that were read elsewhere, and takes over their memory.
func (in *input) resume(c *Conn, unread []byte) {
	in.Resume(&c.local.Tools, unread)
	if in.Dry(); !c.lends() {
		in.Retry()
	}
}

// Input returns the input, for the rechecks.
func (s *inputSink) Input() *stream.In { return &s.in.In }

// Recheck asks the kernel for news that it may have forgotten to report.
func (s *inputSink) Recheck() { s.in.Recheck(&s.local.Tools, s.core.FD(), s.core.Own(handle.In).Op) }
