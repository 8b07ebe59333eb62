package sock

import (
	"io"
	"math"
	"sync"

	"ringo/internal/loop"
	"ringo/internal/op"
	"ringo/internal/sys"
)

// source is where the bytes of a guest's relay come from: a connection of Ringo's or of
// package net.
type source interface {
	// wait waits until a read would not.
	wait() error
	io.Reader
	// fill splices what there is into an empty pipe, without waiting, and gives how many
	// bytes; ok is false if the bytes, or the end, are for Read.
	fill(p pipe) (n int, ok bool, err error)
}

// sink is where they go.
type sink interface {
	io.Writer
	drain(p pipe) (int, error)
	splices() bool
}

// writeToAsGuest is WriteTo for guests.
func (c *Conn) writeToAsGuest(w io.Writer) (int64, error) {
	if _, err := c.guest(); err != nil {
		return 0, c.failGuest("read", err)
	}
	l, _ := loop.Current()
	if dst, ok := w.(*Conn); ok {
		if dst.l == l {
			return relayAsGuest((*away)(c), (*near)(dst), localOf(c.l))
		}
		return relayAsGuest((*away)(c), (*far)(dst), localOf(c.l))
	}
	if f := foreignOf(w); f != nil {
		if l != nil {
			return relayAsGuest((*away)(c), &brought{l, f}, localOf(c.l))
		}
		return relayAsGuest((*away)(c), f, localOf(c.l))
	}
	return io.Copy(w, struct{ io.Reader }{c})
}

// readFromAsGuest is ReadFrom for guests.
func (c *Conn) readFromAsGuest(r io.Reader) (int64, error) {
	if _, err := c.guest(); err != nil {
		return 0, c.failGuest("write", err)
	}
	if src, ok := r.(*Conn); ok {
		return src.WriteTo(c)
	}
	if f := foreignOf(r); f != nil {
		if l, _ := loop.Current(); l != nil {
			return relayAsGuest(&fetched{l, f}, (*far)(c), localOf(c.l))
		}
		return relayAsGuest(f, (*far)(c), localOf(c.l))
	}
	if f := fileOf(r); f != nil && !c.records() {
		n, err := c.sendFileAsGuest(f)
		if err != nil || !f.gone {
			return n, err
		}
		m, err := io.Copy(struct{ io.Writer }{c}, r)
		return n + m, err
	}
	return io.Copy(struct{ io.Writer }{c}, r)
}

// chunks is memory for guests' relays, each in use while there are bytes.
var chunks = sync.Pool{New: func() any { return new([32768]byte) }}

// relayAsGuest is relay for guests.
func relayAsGuest(from source, to sink, local *local) (total int64, err error) {
	s := spell{after: spellAfter}
	if !to.splices() {
		s.after = math.MaxInt
	}
	for ready := false; ; {
		if !ready {
			if s.on {
				s.dry()
			}
			if err = from.wait(); err != nil {
				return total, err
			}
			ready = true
		}
		var n int
		if s.on {
			n, ready, err = spliceAsGuest(from, to, local, &s)
		} else {
			n, ready, err = passAsGuest(from, to, &s)
		}
		total += int64(n)
		if err == io.EOF {
			return total, nil
		}
		if err != nil {
			return total, err
		}
	}
}

// passAsGuest moves what there is by memory. more is false if there is probably no more.
func passAsGuest(from source, to sink, s *spell) (n int, more bool, err error) {
	chunk := chunks.Get().(*[32768]byte)
	defer chunks.Put(chunk)
	n, err = from.Read(chunk[:])
	more = n == len(chunk)
	s.bulk(more)
	if n > 0 {
		var werr error
		if n, werr = to.Write(chunk[:n]); werr != nil {
			err = werr
		}
	}
	return n, more, err
}

// spliceAsGuest moves what there is by a pipe.
func spliceAsGuest(from source, to sink, local *local, s *spell) (n int, more bool, err error) {
	p, ok := local.pipes.take()
	if !ok {
		s.end()
		return 0, true, nil
	}
	defer func() { local.pipes.give(p) }()
	p.held, ok, err = from.fill(p)
	switch {
	case err != nil:
		return 0, false, err
	case !ok:
		return passAsGuest(from, to, s)
	case p.held == 0:
		return 0, false, nil
	}
	s.moved += p.held
	s.total += p.held
	n, err = to.drain(p)
	p.held -= n
	return n, true, err
}

// away is a source: a connection whose reader is no task of its loop.
type away Conn

func (a *away) Read(p []byte) (int, error) { return (*Conn)(a).Read(p) }

func (a *away) wait() error {
	return a.poll(func(g *guests, s *side) error {
		if len(s.unread) > 0 || s.eof || s.err != 0 {
			return nil
		}
		s.op.Code, s.op.Arg = op.Poll, interest
		_, err := g.do(s)
		return err
	})
}

func (a *away) fill(p pipe) (n int, ok bool, err error) {
	err = a.poll(func(g *guests, s *side) error {
		if len(s.unread) > 0 || s.eof || s.err != 0 {
			return nil
		}
		if err := s.passed(); err != nil {
			return err
		}
		ok = true
		s.op.Code, s.op.Arg, s.op.Arg2 = op.SpliceIn, pieceMax, uint32(p.w)
		res, now := g.l.Try(s.op)
		switch {
		case !now:
		case res > 0:
			n = int(res)
		case res == 0:
			s.eof, ok = true, false
		default:
			s.err, ok = res, false
		}
		return nil
	})
	return n, ok, err
}

// poll runs f in the reader's turn, with the op that f may use for other things.
func (a *away) poll(f func(g *guests, s *side) error) error {
	c := (*Conn)(a)
	g, err := c.guest()
	if err == nil {
		err = g.enter(&g.in)
	}
	if err == nil {
		s := &g.in
		err = f(g, s)
		s.op.Code, s.op.Arg, s.op.Arg2 = op.Recv, 0, 0
		g.leave(s)
	}
	return c.failGuest("read", err)
}

func (f *foreign) wait() error {
	f.op = op.Op{Code: op.Poll, Arg: interest}
	return f.read()
}

func (f *foreign) fill(p pipe) (n int, ok bool, err error) {
	f.op, f.once = op.Op{Code: op.SpliceIn, Arg: pieceMax, Arg2: uint32(p.w)}, true
	err = f.read()
	f.once = false
	switch {
	case err != nil || f.res == 0:
		return 0, false, err
	case f.res == -sys.EAGAIN:
		return 0, true, nil
	case f.res < 0:
		return 0, false, f.fail("read", callError("splice", f.res))
	}
	return int(f.res), true, nil
}

func (f *foreign) read() error {
	if err := f.raw.Read(f.attempt); err != nil {
		return f.fail("read", err)
	}
	return nil
}

// brought is a sink of a task: a connection of package net, to which goroutines write.
type brought struct {
	l  *loop.Loop
	to *foreign
}

func (d *brought) splices() bool { return true }

func (d *brought) Write(p []byte) (n int, err error) {
	err = depute(d.l, d.to.SetWriteDeadline, func() (err error) {
		n, err = d.to.Write(p)
		return err
	})
	return n, err
}

func (d *brought) drain(p pipe) (n int, err error) {
	err = depute(d.l, d.to.SetWriteDeadline, func() (err error) {
		n, err = d.to.drain(p)
		return err
	})
	return n, err
}
