package sock

import (
	"ringo/internal/op"
)

// readBatchAsGuest is ReadBatch for guests.
func (c *PacketConn) readBatchAsGuest(ms []Message) (n int, err error) {
	g, err := c.guest()
	if err == nil {
		err = g.enter(&g.in)
	}
	if err == nil {
		n, err = c.readBatchIn(g, ms)
		g.leave(&g.in)
	}
	return n, c.failGuest("read", err)
}

func (c *PacketConn) readBatchIn(g *guests, ms []Message) (int, error) {
	if limit := g.in.limit.Load(); limit == 0 || g.l.Elapsed() < limit {
		if n := c.takeBatch(ms, false); n > 0 {
			return n, nil
		}
	}
	s := &g.in
	s.op.Code = op.Recvmmsg
	b := batchOf(s.op.Ext)
	c.prepare(b, ms)
	res, err := g.do(s)
	if err == nil && res < 0 {
		err = callError("recvmmsg", res)
	}
	if err != nil {
		res = 0
	}
	c.collect(b, ms, int(res))
	return int(res), err
}

// writeBatchAsGuest is WriteBatch for guests.
func (c *PacketConn) writeBatchAsGuest(ms []Message) (n int, err error) {
	g, err := c.guest()
	if err == nil {
		err = g.enter(&g.out)
	}
	if err == nil {
		n, err = c.writeBatchIn(g, ms)
		g.leave(&g.out)
	}
	return n, c.failGuest("write", err)
}

func (c *PacketConn) writeBatchIn(g *guests, ms []Message) (n int, err error) {
	s := &g.out
	s.op.Code = op.Sendmmsg
	b := batchOf(s.op.Ext)
	for n < len(ms) {
		rest := ms[n:min(len(ms), n+MessagesMax)]
		count, err := c.load(b, rest)
		if count == 0 {
			return n, err
		}
		res, err := g.do(s)
		b.Release(count)
		switch {
		case err != nil:
			return n, err
		case res < 0:
			return n, callError("sendmmsg", res)
		}
		n += sentBatch(rest[:res])
	}
	return n, nil
}
