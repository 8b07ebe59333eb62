package sock

import (
	"io"
	"math"

	"ringo/buf"
	"ringo/internal/loop"
	"ringo/internal/sys"
)

// WriteTo writes everything that comes to w, until the peer's end of stream, and
// returns the count of what went out. io.Copy uses it. The bytes go from the buffers in
// which they came; when full buffers keep coming and w is a Conn, a *net.TCPConn or a
// *net.UnixConn, the kernel moves them by splice(2), and they are in no memory of ours.
// An error of reading is this connection's, one of writing is w's.
//
// Any goroutine may call it. From a task, what a connection of package net has to wait for
// is waited for on a goroutine (Loop.Offload); to cancel the task then leaves that
// connection's deadline in the past.
func (c *Conn) WriteTo(w io.Writer) (int64, error) {
	if c.records() {
		return c.copyRecords(w)
	}
	if !c.l.Here() {
		return c.writeToForeign(w)
	}
	d, ok := w.(*Conn)
	if !ok || d.l != c.l || d.records() {
		return c.relayFar(w)
	}
	a, err := c.enterRead()
	if err != nil {
		return 0, err
	}
	n, err := c.relay((*near)(d), spellAfter) // nothing in it panics, so there is no defer: tasks park here
	c.core.Leave(a)
	return n, err
}

// relayFar is a relay to what is not a stream of the same loop.
func (c *Conn) relayFar(w io.Writer) (int64, error) {
	a, err := c.enterRead()
	if err != nil {
		return 0, err
	}
	defer c.core.Leave(a)
	out, after := outletOf(c, w), spellAfter
	if !out.splices() {
		after = math.MaxInt
	}
	return c.relay(out, after)
}

// ReadFrom writes everything that r holds, until its end, and returns the count of what went
// out. io.Copy uses it. If r is a Conn, a *net.TCPConn or a *net.UnixConn, see
// Conn.WriteTo; from a task, one of package net is waited for on a goroutine (Loop.Offload),
// which to cancel the task ends as it does there. If it is a regular *os.File or
// *file.File, also in one or more *io.LimitedReader, its bytes go by sendfile(2), from its
// position on, and what is not in the page cache is waited for on a goroutine
// (Loop.Offload). Any other r is read by the calling task, so it must not wait in other ways
// than through Ringo.
//
// Any goroutine may call it.
func (c *Conn) ReadFrom(r io.Reader) (int64, error) {
	if !c.l.Here() {
		return c.readFromForeign(r)
	}
	if err := c.core.Check(); err != nil {
		return 0, c.fail("write", err)
	}
	if src, ok := r.(*Conn); ok {
		return src.WriteTo(c)
	}
	if f := foreignOf(r); f != nil {
		return c.fetchFrom(f)
	}
	if f := fileOf(r); f != nil && !c.records() {
		n, err := c.sendFile(f)
		if err != nil || !f.gone {
			return n, err
		}
		m, err := c.copyFrom(r)
		return n + m, err
	}
	return c.copyFrom(r)
}

// copyFrom is ReadFrom by a buffer of the loop's.
func (c *Conn) copyFrom(r io.Reader) (int64, error) {
	b := c.l.Plain().Take()
	if b == nil {
		return 0, c.failRes("write", -sys.ENOBUFS)
	}
	defer c.l.Plain().Put(b)
	var total int64
	for {
		n, err := r.Read(b.Mem())
		if n > 0 {
			written, werr := c.Write(b.Mem()[:n])
			total += int64(written)
			if werr != nil {
				return total, werr
			}
		}
		if err == io.EOF {
			return total, nil
		}
		if err != nil {
			return total, err
		}
	}
}

// fetchFrom is ReadFrom of a connection of package net: goroutines wait for it, and the task
// writes, so that a cancel ends that, too.
func (c *Conn) fetchFrom(f *foreign) (int64, error) {
	return relayForeign(&fetched{c.l, f}, (*near)(c), c.local)
}

// fetched is a source of a task: a connection of package net, from which goroutines read.
type fetched struct {
	l    *loop.Loop
	from *foreign
}

func (s *fetched) wait() error { return depute(s.l, s.from.SetReadDeadline, s.from.wait) }

func (s *fetched) Read(p []byte) (n int, err error) {
	err = depute(s.l, s.from.SetReadDeadline, func() (err error) {
		n, err = s.from.Read(p)
		return err
	})
	return n, err
}

func (s *fetched) fill(p pipe) (n int, ok bool, err error) {
	err = depute(s.l, s.from.SetReadDeadline, func() (err error) {
		n, ok, err = s.from.fill(p)
		return err
	})
	return n, ok, err
}

// outlet is where a relay's bytes go.
type outlet interface {
	// put writes the bytes of a buffer that came to src, and gives it back.
	put(src *Conn, b *buf.Buffer) (int, error)
	// drain empties a pipe.
	drain(p pipe) (int, error)
	// splices reports whether drain may be called.
	splices() bool
}

// relay moves what comes to out. So many full buffers in a row begin a spell of splices.
// The caller has the reader's turn.
func (c *Conn) relay(out outlet, after int) (total int64, err error) {
	for full := 0; err == nil; {
		if err = c.some(); err != nil {
			err = c.failed("read", err)
			break
		}
		var n int64
		var whole bool
		n, whole, err = c.passOne(out)
		total += n
		if full++; !whole {
			full = 0
		}
		if full >= after && err == nil {
			n, after, err = c.relayBySplice(out, after)
			total += n
			full = 0
		}
	}
	if err == io.EOF {
		err = nil
	}
	return total, err
}

// passOne moves the next buffer, which is here, and says whether it was a full one.
func (c *Conn) passOne(out outlet) (n int64, full bool, err error) {
	b := c.nextBuffer()
	if b == nil {
		return 0, false, c.failRes("read", -sys.ENOBUFS)
	}
	full = b.End-b.Off == len(b.Mem())
	var k int
	if d, ok := out.(*near); ok {
		k, err = (*Conn)(d).writeBuffer(b, c) // put, with one call less on the stack
	} else {
		k, err = out.put(c, b)
	}
	return int64(k), full, err
}
