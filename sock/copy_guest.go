package sock

import (
	"io"
	"math"
	"sync"

	"ringo/internal/handle"
	"ringo/internal/loop"
	"ringo/internal/op"
	"ringo/internal/sys"
)

// source is where the bytes of a foreign caller's relay come from: a connection of Ringo's or of
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

// writeToForeign is WriteTo for foreign callers.
func (c *Conn) writeToForeign(w io.Writer) (int64, error) {
	if err := c.core.CheckForeign(); err != nil {
		return 0, c.failed("read", err)
	}
	l, _ := loop.Current()
	if dst, ok := w.(*Conn); ok {
		if dst.l == l {
			return relayForeign((*away)(c), (*near)(dst), localOf(c.l))
		}
		return relayForeign((*away)(c), (*far)(dst), localOf(c.l))
	}
	if f := foreignOf(w); f != nil {
		if l != nil {
			return relayForeign((*away)(c), &brought{l, f}, localOf(c.l))
		}
		return relayForeign((*away)(c), f, localOf(c.l))
	}
	return io.Copy(w, struct{ io.Reader }{c})
}

// readFromForeign is ReadFrom for foreign callers.
func (c *Conn) readFromForeign(r io.Reader) (int64, error) {
	if err := c.core.CheckForeign(); err != nil {
		return 0, c.failed("write", err)
	}
	if src, ok := r.(*Conn); ok {
		return src.WriteTo(c)
	}
	if f := foreignOf(r); f != nil {
		if l, _ := loop.Current(); l != nil {
			return relayForeign(&fetched{l, f}, (*far)(c), localOf(c.l))
		}
		return relayForeign(f, (*far)(c), localOf(c.l))
	}
	if f := fileOf(r); f != nil && !c.records() {
		n, err := c.sendFileForeign(f)
		if err != nil || !f.gone {
			return n, err
		}
		m, err := io.Copy(struct{ io.Writer }{c}, r)
		return n + m, err
	}
	return io.Copy(struct{ io.Writer }{c}, r)
}

// chunks is memory for foreign callers' relays, each in use while there are bytes.
var chunks = sync.Pool{New: func() any { return new([32768]byte) }}

// relayForeign is relay for foreign callers.
func relayForeign(from source, to sink, local *local) (total int64, err error) {
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
			n, ready, err = spliceForeign(from, to, local, &s)
		} else {
			n, ready, err = passForeign(from, to, &s)
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

// passForeign moves what there is by memory. more is false if there is probably no more.
func passForeign(from source, to sink, s *spell) (n int, more bool, err error) {
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

// spliceForeign moves what there is by a pipe.
func spliceForeign(from source, to sink, local *local, s *spell) (n int, more bool, err error) {
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
		return passForeign(from, to, s)
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

func (f *away) Read(p []byte) (int, error) { return (*Conn)(f).Read(p) }

func (f *away) wait() error {
	return f.poll(func(a handle.Access, in *handle.Input) error {
		if len(in.Unread) > 0 || in.EOF || in.Err != 0 {
			return nil
		}
		o := a.Op()
		o.Code, o.Arg = op.Poll, interest
		_, err := a.Do()
		return err
	})
}

func (f *away) fill(p pipe) (n int, ok bool, err error) {
	err = f.poll(func(a handle.Access, in *handle.Input) error {
		if len(in.Unread) > 0 || in.EOF || in.Err != 0 {
			return nil
		}
		if err := a.Late(); err != nil {
			return err
		}
		ok = true
		o := a.Op()
		o.Code, o.Arg, o.Arg2 = op.SpliceIn, pieceMax, uint32(p.w)
		res, now := a.Try()
		switch {
		case !now:
		case res > 0:
			n = int(res)
		case res == 0:
			in.EOF, ok = true, false
		default:
			in.Err, ok = res, false
		}
		return nil
	})
	return n, ok, err
}

// poll runs f in the reader's turn, with the op that f may use for other things.
func (f *away) poll(fn func(handle.Access, *handle.Input) error) error {
	c := (*Conn)(f)
	a, err := c.core.Enter(handle.In)
	if err == nil {
		err = fn(a, a.Input())
		o := a.Op()
		o.Code, o.Arg, o.Arg2 = op.Recv, 0, 0
		c.core.Leave(a)
	}
	return c.failed("read", err)
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
