package sock

import (
	"net/netip"
	"slices"

	"ringo/internal/dial"
	"ringo/internal/handle"
	"ringo/internal/op"
	"ringo/internal/sys"
)

// A Message is a datagram of ReadBatch and WriteBatch. It has the fields of the Message types of golang.org/x/net/ipv4
// and ipv6, with an address that needs no allocation.
type Message struct {
	Buffers [][]byte       // the bytes, or buffers to fill in order
	OOB     []byte         // control messages, or a buffer for them: see Control
	Addr    netip.AddrPort // the sender or receiver; ignored when a connected socket sends

	N     int // bytes read or written
	NN    int // bytes of OOB read or written
	Flags int // of a message read: MSG_TRUNC, MSG_CTRUNC
}

// MessagesMax is the maximum number of messages that a ReadBatch reads. A WriteBatch of more takes several system
// calls.
const MessagesMax = 64

const _ = -uint(MessagesMax ^ sys.BatchMax) // compiles if both are the same

// ReadBatch reads up to len(ms) datagrams, and returns how many it read: it parks until there is one, then takes those
// that are available, up to about twice as many as the last time, in one system call. For each message it fills Buffers
// and OOB, and sets the other fields. Flags reports a datagram that was longer than its buffers. With SetGRO a message
// may be several datagrams, see Control.Segment. The kernel may use the buffers in ms until ReadBatch returns. With an
// empty ms it returns 0 at once. Any goroutine may call it.
func (c *PacketConn) ReadBatch(ms []Message) (int, error) { return c.takeBatch(ms, false) }

// takeBatch is ReadBatch. ends makes a drain end the wait.
func (c *PacketConn) takeBatch(ms []Message, ends bool) (int, error) {
	ms = ms[:min(len(ms), MessagesMax)]
	if len(ms) == 0 {
		return 0, nil
	}
	a, err := c.enterRead()
	if err != nil {
		return 0, err
	}
	defer c.core.Leave(a)
	for {
		here, err := c.ready(a, ends)
		if here {
			return c.popBatch(ms, a.Own()), nil
		}
		n, ok := 0, false
		if err == nil {
			n, ok, err = c.readBatch(a, ms)
		}
		if ok || err != nil {
			return n, c.failed("read", err)
		}
	}
}

// popBatch moves datagrams that other reads have fetched into ms.
func (c *PacketConn) popBatch(ms []Message, own bool) (n int) {
	for ; n < len(ms); n++ {
		d := c.in.head(&c.packet, own)
		if d == nil {
			break
		}
		ms[n].fill(d)
		c.in.pop(&c.packet, own)
	}
	return n
}

// fill copies a datagram, or the rest of joined ones, into the message.
func (m *Message) fill(d *datagram) {
	m.N, m.Flags, m.Addr = 0, int(d.flags), dial.NamedZone(d.from)
	for _, b := range m.Buffers {
		m.N += copy(b, d.bytes[m.N:])
	}
	if m.N < len(d.bytes) {
		m.Flags |= sys.MsgTrunc
	}
	if m.NN = copyControl(m.OOB, d.control); m.NN < len(d.control) {
		m.Flags |= sys.MsgCtrunc
	}
}

// readBatch receives what is there; a foreign caller waits in it. ok is false if there is nothing.
func (c *PacketConn) readBatch(a handle.Access, ms []Message) (n int, ok bool, err error) {
	in := &c.in
	if a.Own() {
		ms = ms[:min(len(ms), max(in.window, 4))] // preparing a message has a cost, too
	}
	o := c.batchOp(a)
	o.Code = op.Recvmmsg
	b := batchOf(o.Ext)
	c.prepare(b, ms)
	res, ok, err := c.core.Do(a, o)
	if ok && res < 0 {
		err = callError("recvmmsg", res)
	}
	n = int(max(res, 0))
	if a.Own() {
		in.asked(len(ms), res, ok)
		in.window = min(2*max(n, 1), MessagesMax)
	}
	c.collect(b, ms, n)
	return n, ok, err
}

// prepare sets up a batch to receive into the messages.
func (c *PacketConn) prepare(b *sys.Batch, ms []Message) {
	for i := range ms {
		b.SetVector(i, ms[i].Buffers)
		b.SetControl(i, ms[i].OOB)
		b.SetNamed(i, !c.connected)
	}
	b.Window(0, len(ms))
}

// collect sets the fields of the messages that were received, and drops the batch's references to their memory.
func (c *PacketConn) collect(b *sys.Batch, ms []Message, n int) {
	for i := range n {
		m := &ms[i]
		m.N, m.NN, m.Flags, m.Addr = b.Len(i), len(b.Control(i)), int(b.Flags(i)), dial.NamedZone(c.peer)
		if !c.connected {
			m.Addr = dial.NamedZone(b.Addr(i).AddrPort())
		}
	}
	b.Release(len(ms))
}

// WriteBatch sends each message as a datagram, and returns how many it sent: fewer than len(ms) only with an error,
// which is that of the next message. It parks while the socket has no room. It sets N and NN of the messages sent. The
// kernel may use the buffers in ms until WriteBatch returns. Any goroutine may call it.
func (c *PacketConn) WriteBatch(ms []Message) (int, error) {
	a, err := c.enterWrite()
	if err != nil {
		return 0, c.failed("write", err)
	}
	defer c.core.Leave(a)
	n := 0
	for n < len(ms) {
		rest := ms[n:min(len(ms), n+MessagesMax)]
		sent, err := c.sendBatch(a, rest)
		n += sent
		switch {
		case err != nil:
			return n, c.failTo(&sendmsg{named: !c.connected, to: rest[0].Addr}, err)
		case n < len(ms) && a.Own():
			if err := c.mayGoOn(); err != nil {
				return n, c.failed("write", err)
			}
		}
	}
	return n, nil
}

// sendBatch sends the first messages, as many as one call takes: at least one, or else it returns the error of the
// first.
func (c *PacketConn) sendBatch(a handle.Access, ms []Message) (int, error) {
	o := c.batchOp(a)
	b := batchOf(o.Ext)
	count, err := c.load(b, ms)
	if count == 0 {
		return 0, err
	}
	o.Code = op.Sendmmsg
	res, ok, err := c.core.Do(a, o)
	if b.Release(count); !ok && err == nil {
		res, err = c.sendFirst(a, &ms[0])
	}
	switch {
	case err != nil:
		return 0, err
	case res < 0:
		return 0, callError("sendmmsg", res)
	}
	return sentBatch(ms[:res]), nil
}

// batchOp returns the op for a batch of the caller that has access.
func (c *PacketConn) batchOp(a handle.Access) *op.Op {
	if a.Own() {
		return &c.local.packets().many
	}
	return a.Op()
}

// batchOf returns an op's batch, which it makes when it is first needed.
func batchOf(x *op.Ext) *sys.Batch {
	if x.Batch == nil {
		x.Batch = op.NewBatch(MessagesMax)
	}
	return x.Batch
}

// load sets up a batch to send the messages, up to the first that has a bad address.
func (c *PacketConn) load(b *sys.Batch, ms []Message) (n int, err error) {
	for i := range ms {
		if !c.connected {
			to := sendmsg{to: ms[i].Addr}
			if err = c.suit(&to); err != nil {
				break
			}
			b.Addr(i).Set(to.to)
		}
		b.SetVector(i, ms[i].Buffers)
		b.SetControl(i, ms[i].OOB)
		b.SetNamed(i, !c.connected)
		n++
	}
	b.Window(0, n)
	return n, err
}

// sendFirst waits until one message is sent. It returns 1, or an error.
func (c *PacketConn) sendFirst(a handle.Access, m *Message) (int32, error) {
	to := sendmsg{oob: m.OOB, named: !c.connected, to: m.Addr}
	if to.named {
		c.suit(&to) // load has checked it
	}
	if len(m.Buffers) == 1 {
		to.p = m.Buffers[0]
	} else {
		to.p = slices.Concat(m.Buffers...)
	}
	res, err := c.transmit(a, &to)
	if res >= 0 && err == nil {
		res = 1 // even if it has no bytes
	}
	return res, err
}

// sentBatch sets the counts of messages that were sent.
func sentBatch(ms []Message) int {
	for i := range ms {
		m := &ms[i]
		m.N, m.NN = 0, len(m.OOB)
		for _, b := range m.Buffers {
			m.N += len(b)
		}
	}
	return len(ms)
}
