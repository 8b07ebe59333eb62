package sock

import (
	"io"

	"ringo/internal/bufs"
	"ringo/internal/handle"
	"ringo/internal/loop"
	"ringo/internal/op"
	"ringo/internal/relay"
	"ringo/internal/stream"
	"ringo/internal/sys"
)

// WriteTo writes all incoming bytes to w, until the end of the stream, and returns the count of bytes written. io.Copy
// uses it. If it ends early, even because w panics, bytes that were not written stay unread: the next read returns
// them, or a read of the connection that MoveTo or Detach makes of this one. MoveTo and Detach wait for w; Close does
// not. The bytes are written from the buffers in which they arrived. When full buffers keep coming and w is a Conn, a
// *net.TCPConn or a *net.UnixConn, the kernel moves them by splice(2), without copying them to the program. A read
// error is this connection's, a write error is w's.
//
// Any goroutine may call it. If w is a connection of package net, a task waits for it on a goroutine (Loop.Offload);
// cancelling the task then leaves that connection's deadline in the past. A task parks.
func (c *Conn) WriteTo(w io.Writer) (int64, error) {
	if c.records() {
		return c.copyRecords(w)
	}
	if !c.l.IsCurrent() {
		return c.writeToForeign(w)
	}
	d, ok := w.(*Conn)
	if !ok || d.l != c.l || d.records() {
		return c.writeToFar(w)
	}
	a, err := c.enterRead()
	if err != nil {
		return 0, err
	}
	n, err := c.relay((*end)(d), relay.After((*end)(d))) // nothing in it panics, so no defer is needed: tasks park here
	c.core.Leave(a)
	return n, err
}

// writeToFar is WriteTo to a w that is not a stream of the same loop.
func (c *Conn) writeToFar(w io.Writer) (int64, error) {
	a, err := c.enterRead()
	if err != nil {
		return 0, err
	}
	defer c.core.Leave(a)
	to := sinkOf(w, c.l)
	return c.relay(to, relay.After(to))
}

// writeToForeign is WriteTo for foreign callers.
func (c *Conn) writeToForeign(w io.Writer) (int64, error) {
	if err := c.core.CheckForeign(); err != nil {
		return 0, c.failed("read", err)
	}
	l, _ := loop.Current()
	to := sinkOf(w, l)
	return relay.Copy(to, &lent{Conn: c}, &loopStateOf(c.l).pipes)
}

// sinkOf returns the sink for w, for a caller in a task of l, or in none if l is nil.
func sinkOf(w io.Writer, l *loop.Loop) relay.Sink {
	switch d := w.(type) {
	case *Conn:
		return (*end)(d)
	case *end: // from copyFrom, by the reader's own WriteTo
		return d
	}
	if n := relay.NetOf(w, l); n != nil {
		return n
	}
	return relay.Plain{Writer: w}
}

// ReadFrom writes everything from r until its end, and returns the count of bytes sent. io.Copy uses it. If r is a
// Conn, a *net.TCPConn or a *net.UnixConn, see Conn.WriteTo. Bytes read from a connection of package net, or from any
// other r, that could not be written are lost, as with io.Copy. If a task has to wait for a connection of package net,
// it does so on a goroutine (Loop.Offload); cancelling the task ends that wait as described at WriteTo. If r is a
// regular *os.File or *file.File, also inside one or more *io.LimitedReader, its bytes are sent by sendfile(2), from
// its position on; for those that are not in the page cache a goroutine waits (Loop.Offload). Any other r is read by
// the calling task, up to 32 KiB at a time, so it must not block outside Ringo.
//
// Any goroutine may call it; a task parks.
func (c *Conn) ReadFrom(r io.Reader) (int64, error) {
	own := c.l.IsCurrent()
	if err := c.mayCopy(own); err != nil {
		return 0, c.failed("write", err)
	}
	if src, ok := r.(*Conn); ok {
		return src.WriteTo(c)
	}
	l, _ := loop.Current()
	if n := relay.NetOf(r, l); n != nil {
		return relay.Copy((*end)(c), n, &loopStateOf(c.l).pipes)
	}
	var sent int64
	if f := fileOf(r); f != nil && !c.records() {
		send := c.sendFile
		if !own {
			send = c.sendFileForeign
		}
		var err error
		if sent, err = send(f); err != nil || !f.gone {
			return sent, err
		}
	}
	n, err := c.copyFrom(r)
	return sent + n, err
}

// mayCopy returns why a copy can't begin. The copy gets access later, for each of its pieces.
func (c *Conn) mayCopy(own bool) error {
	if own {
		return c.core.Check()
	}
	return c.core.CheckForeign()
}

// copyFrom is ReadFrom of any other r, in pieces as large as io.Copy's, so that records are the same whoever calls.
func (c *Conn) copyFrom(r io.Reader) (int64, error) {
	chunk := relay.Chunks.Get().(*relay.Chunk)
	defer relay.Chunks.Put(chunk)
	return io.CopyBuffer((*end)(c), r, chunk[:])
}

// relay moves incoming bytes to a sink, for a task of the loop that has access to the input. After that many full
// buffers in a row it splices.
func (c *Conn) relay(to relay.Sink, after int) (total int64, err error) {
	for full := 0; err == nil; {
		c.endCopy() // here, where nothing has to stay on the stack: BenchmarkIdleMemory

		// As some, with one call less on the stack.
		_, err = c.ready(handle.OfTask(handle.In), 0, true)
		if err != nil {
			err = c.failed("read", err)
			break
		}
		var n int64
		var whole bool
		c.beginCopy()
		n, whole, err = c.copyOne(to)
		total += n
		if full++; !whole {
			full = 0
		}
		if full >= after && err == nil {
			n, after, err = c.relayBySplice(to, after)
			total += n
			full = 0
		}
	}
	return c.relayed(total, err)
}

// relayed ends a relay. It is apart from relay for BenchmarkIdleMemory.
//
//go:noinline
func (c *Conn) relayed(total int64, err error) (int64, error) {
	c.core.EndCopy()
	if err == io.EOF {
		err = nil
	}
	return total, err
}

// beginCopy is apart from relay, which calls it, so that parked tasks have smaller stacks: BenchmarkIdleMemory.
//
//go:noinline
func (c *Conn) beginCopy() { c.core.BeginCopy() }

// endCopy is apart like beginCopy, for BenchmarkIdleMemory.
//
//go:noinline
func (c *Conn) endCopy() { c.core.EndCopy() }

// copyOne moves the next buffer, which must be here, and reports whether it was full.
func (c *Conn) copyOne(to relay.Sink) (n int64, full bool, err error) {
	b := c.nextBuffer()
	if b == nil {
		return 0, false, c.readFailed(-sys.ENOBUFS)
	}
	room := len(b.Mem()) - (b.End - b.Off)
	full = room == 0 || b.Pool() == c.l.Buffers().Large && room < c.l.Config().BufferSize // it is over 4 times as large
	var k int
	if d, ok := to.(*end); ok && d.l == c.l && !(*Conn)(d).records() {
		k, err = (*Conn)(d).writeBuffer(b, c) // as writeElsewhere, with one call less on the stack
	} else {
		k, err = c.writeElsewhere(to, b)
	}
	return int64(k), full, err
}

// writeElsewhere writes a buffer's bytes to a sink elsewhere, and gives the buffer back. Bytes that are not written are
// unread again, all of them if the sink panics. It is apart so that parked tasks have smaller stacks:
// BenchmarkIdleMemory.
//
//go:noinline
func (c *Conn) writeElsewhere(to relay.Sink, b *bufs.Buffer) (n int, err error) {
	p := b.Unread()
	if c.elsewhere(to) {
		p = append([]byte(nil), p...)
		b.Pool().Put(b)
		b = nil
		defer c.waitsElsewhere()()
	}
	defer func() {
		c.in.putBack(c, p[n:])
		if b != nil {
			b.Pool().Put(b)
		}
		c.core.EndCopy()
	}()
	return relay.Write(to, p)
}

// elsewhere reports whether a sink's writes may wait for something that is not on this loop.
func (c *Conn) elsewhere(to relay.Sink) bool {
	switch to := to.(type) {
	case *relay.Net:
		return true
	case *end:
		return to.l != c.l
	}
	return false
}

// waitsElsewhere keeps incoming bytes out of the ring's buffers until done is called, because the reader waits for a
// peer elsewhere.
func (c *Conn) waitsElsewhere() (done func()) {
	c.in.stall(c)
	c.in.slow = true
	return func() { c.in.slow = false }
}

// end is a connection as the sink of a relay, for any caller.
type end Conn

// Splices reports whether the sink takes pipes. Records would lose their boundaries.
func (d *end) Splices() bool { return !(*Conn)(d).records() }

// Write is Conn.Write.
func (d *end) Write(p []byte) (int, error) { return (*Conn)(d).Write(p) }

// Drain splices the bytes in a pipe to the connection.
func (d *end) Drain(p relay.Pipe) (total int, err error) {
	c := (*Conn)(d)
	a, err := c.enterWrite()
	if err != nil {
		return 0, err
	}
	defer c.core.Leave(a)
	total, err = c.drain(a, p)
	return total, c.failed("write", err)
}

// drain is Drain for a caller that has access.
func (c *Conn) drain(a handle.Access, p relay.Pipe) (total int, err error) {
	for p.Held > 0 {
		o := c.opFor(a, op.SpliceOut)
		o.Limit, o.Other = uint32(p.Held), p.R
		res, err := c.doOut(a, o)
		switch {
		case err != nil:
			return total, err
		case res == -sys.EAGAIN:
		case res < 0:
			return total, callError("splice", res)
		default:
			total += int(res)
			p.Held -= int(res)
		}
	}
	return total, nil
}

// lent is a connection as the source of a relay, for foreign callers.
type lent struct {
	*Conn
	a      handle.Access
	copies bool // the copy has bytes in hand, and access until Done
	leeway uint8
}

// Read is Conn.Read. The bytes are in hand until Done.
func (s *lent) Read(p []byte) (n int, err error) {
	err = s.withInput(func(a handle.Access, in *stream.In) error {
		if n, err = s.read(a, p); n == 0 {
			return err
		}
		if err := s.begin(a); err != nil {
			in.PutBack(nil, p[:n], true)
			n = 0
			return err
		}
		return err
	})
	return n, err
}

// begin notes that the copy has bytes in hand.
func (s *lent) begin(a handle.Access) error {
	err := a.BeginCopy()
	s.a, s.copies = a, err == nil
	return err
}

// Done makes the rest of the bytes unread again, and leaves the input.
func (s *lent) Done(rest []byte) {
	s.copies = false
	s.a.EndCopy(rest)
	s.core.Leave(s.a)
}

// Wait waits until there is something to read.
func (s *lent) Wait() error {
	return s.withInput(func(a handle.Access, in *stream.In) error {
		if in.Any() || in.Over() {
			return nil
		}
		o := a.Op()
		o.Code, o.Events = op.Poll, stream.Interest
		_, err := a.Do()
		return err
	})
}

// Fill splices the bytes that are here into a pipe.
func (s *lent) Fill(p relay.Pipe) (n int, ok bool, err error) {
	err = s.withInput(func(a handle.Access, in *stream.In) error {
		if in.Any() || in.Over() {
			return nil
		}
		if err := a.Late(); err != nil {
			return err
		}
		ok = true
		o := a.Op()
		o.Code, o.Limit, o.Other = op.SpliceIn, pieceMax, p.W
		res, now := a.Try()
		switch {
		case !now:
		case res > 0:
			p.Held = int(res)
			if err := s.begin(a); err != nil {
				in.PutBack(nil, p.TakeOut(), true)
				return err
			}
			n = int(res)
		case res == -sys.EINVAL, shortage(res): // a read finds out more
			ok = false
		default:
			in.End(res == 0, res)
			ok = false
		}
		return nil
	})
	return n, ok, err
}

// withInput runs f with access to the input, and keeps the access if the copy has bytes in hand afterwards.
func (s *lent) withInput(f func(handle.Access, *stream.In) error) error {
	a, err := s.core.Enter(handle.In)
	if err == nil {
		a.SetLeeway(s.leeway)
		err = f(a, a.Input())
		if s.leeway = a.Leeway(); !s.copies {
			s.core.Leave(a)
		}
	}
	return s.failed("read", err)
}
