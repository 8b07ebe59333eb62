package sock

import (
	"io"
	"sync"

	"ringo/internal/op"
)

// exts is memory for the vectors of guests, each in use for one call.
var exts = sync.Pool{New: func() any { return new(op.Ext) }}

// vectored lets a guest that has its turn use op for slices, until done.
func (s *side) vectored(code op.Code) (done func()) {
	before := s.op.Code
	s.op.Code, s.op.Ext = code, exts.Get().(*op.Ext)
	return func() {
		unload(s.op.Ext)
		exts.Put(s.op.Ext)
		s.op.Code, s.op.Ext = before, nil
	}
}

// readVAsGuest is ReadV for guests.
func (c *Conn) readVAsGuest(bufs [][]byte) (n int64, err error) {
	g, err := c.guest()
	if err == nil {
		err = g.enter(&g.in)
	}
	if err == nil {
		n, err = g.readV(bufs)
		g.leave(&g.in)
	}
	return n, c.failGuest("read", err)
}

// readV gives what was left by the loop, or what the kernel has.
func (g *guests) readV(bufs [][]byte) (total int64, err error) {
	s, v := &g.in, vector{rest: bufs}
	if v.done() {
		return 0, nil
	}
	for n, ok, err := s.left(v.first()); ok; n, ok, err = s.left(v.first()) {
		v.skip(n)
		if total += int64(n); err != nil || len(s.unread) == 0 || v.done() {
			return total, err
		}
	}
	defer s.vectored(op.Recvmsg)()
	v.load(s.op.Ext)
	res, err := g.do(s)
	switch {
	case err != nil:
		return 0, err
	case res < 0:
		s.err = res
		return 0, callError("read", res)
	case res == 0:
		s.eof = true
		return 0, io.EOF
	}
	return int64(res), nil
}

// writeVAsGuest is WriteV for guests.
func (c *Conn) writeVAsGuest(bufs [][]byte) (n int64, err error) {
	g, err := c.guest()
	if err == nil {
		err = g.enter(&g.out)
	}
	if err == nil {
		n, err = g.writeV(bufs)
		g.leave(&g.out)
	}
	return n, c.failGuest("write", err)
}

func (g *guests) writeV(bufs [][]byte) (total int64, err error) {
	s, v := &g.out, vector{rest: bufs}
	if v.done() {
		return 0, nil
	}
	defer s.vectored(op.Sendmsg)()
	for {
		v.load(s.op.Ext)
		res, err := g.do(s)
		switch {
		case err != nil:
			return total, err
		case res < 0:
			return total, callError("write", res)
		}
		total += int64(res)
		v.skip(int(res))
		if v.done() {
			return total, nil
		}
	}
}
