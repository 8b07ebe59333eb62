package sock

import (
	"fmt"
	"io"
	"net"
	"os"

	"ringo/internal/op"
	"ringo/internal/sys"
)

// message is one message that is received or sent, with what travels beside it.
type message struct {
	p, control []byte

	n, controls int // received
	flags       uint32
}

// newMessage is a message with these bytes, or with one where there are none: control
// messages need a byte to go with.
func newMessage(p, control []byte) message {
	if len(p) == 0 && len(control) > 0 {
		p = make([]byte, 1)
	}
	return message{p: p, control: control}
}

// load puts the message into an op's memory, unload takes what came out of it.
func (m *message) load(x *op.Ext) {
	x.SetVector([][]byte{m.p})
	x.Named, x.Control = false, m.control
}

func (m *message) unload(x *op.Ext, res int32) {
	if res >= 0 {
		m.n, m.controls, m.flags = int(res), len(x.Received()), x.MsgFlags()
	}
	x.SetVector(nil)
	x.Bufs[0], x.Control = nil, nil
}

// notUnix is why a connection of another network can't do a thing.
func notUnix(call string) error {
	return fmt.Errorf("%w: the connection is not one between Unix sockets", callError(call, -sys.EOPNOTSUPP))
}

// ReadMsgUnix reads bytes into b and the control messages that came with them into
// oob, as net.UnixConn does: descriptors that were passed are CLOEXEC and the caller's
// to close. flags has MSG_TRUNC if a record was longer than b, and MSG_CTRUNC if
// control messages were lost for want of room, or descriptors for want of numbers.
// addr is the peer's, nil if it has no name. If b is empty and oob is not, one byte is
// read and counted. io.EOF is bare.
//
// Control messages come with the bytes they were sent with: what Peek, Next or Serve
// fetched has lost its own, and is read first. Any goroutine may call it; it waits as
// Read does.
func (c *Conn) ReadMsgUnix(b, oob []byte) (n, oobn, flags int, addr *net.UnixAddr, err error) {
	m := newMessage(b, oob)
	if err = c.readMessage(&m); err != nil {
		return 0, 0, 0, nil, err
	}
	if a := &c.unix.remote; a.Name != "" && a.Name != "@" {
		addr = a
	}
	return m.n, m.controls, int(m.flags), addr, nil
}

func (c *Conn) readMessage(m *message) error {
	if c.unix == nil {
		return c.refuse("read", notUnix("recvmsg"))
	}
	if !c.l.Here() {
		return c.readMessageAsGuest(m)
	}
	if err := c.beginRead("read"); err != nil {
		return err
	}
	defer c.in.lock.leave(c.l)
	in := &c.in
	if in.byHand() && in.buffered() == 0 && !c.l.GiveWay() {
		return c.fail("read", c.l.Cause())
	}
	for {
		if c.closing || in.expired(c) {
			return in.refused(c)
		}
		if in.buffered() > 0 {
			in.message(c, m)
			return nil
		}
		if in.byHand() && in.recvMessage(c, m) {
			return nil
		}
		if err := in.state(c, "read"); err != nil {
			return err
		}
		if !in.wait(c) {
			return c.fail("read", c.l.Cause())
		}
	}
}

// message takes bytes that are here.
func (in *input) message(c *Conn, m *message) {
	m.n = in.copyTo(c, m.p)
	if c.records() && in.buffered() > 0 {
		in.skip(c, in.buffered())
		m.flags = sys.MsgTrunc
	}
}

// recvMessage receives without waiting; false if there is nothing now, or the end.
func (in *input) recvMessage(c *Conn, m *message) bool {
	o := callExt(c.l, op.Recvmsg)
	m.load(o.Ext)
	res, ok := c.try(o)
	if !ok {
		res = -sys.EAGAIN
	}
	m.unload(o.Ext, res)
	switch {
	case !ok:
		in.ready = false
	case res < 0:
		in.err = res
	case m.nothing():
		in.eof = true
	default:
		return true
	}
	return false
}

// nothing reports whether what was received is the end.
func (m *message) nothing() bool { return m.n == 0 && m.controls == 0 && len(m.p) > 0 }

// readMessageAsGuest is readMessage for guests.
func (c *Conn) readMessageAsGuest(m *message) error {
	g, err := c.guest()
	if err == nil {
		err = g.enter(&g.in)
	}
	if err == nil {
		err = c.recvMessageAsGuest(&g.in, m)
		g.leave(&g.in)
	}
	return c.failGuest("read", err)
}

func (c *Conn) recvMessageAsGuest(s *side, m *message) error {
	had := len(s.unread)
	if n, ok, err := s.left(m.p); ok && len(m.p) > 0 {
		if m.n = n; s.records && n < had {
			m.flags = sys.MsgTrunc
		}
		return err
	}
	res, err := c.doMessage(s, &c.unix.in, op.Recvmsg, m)
	switch {
	case err != nil:
		return err
	case res < 0:
		s.err = res
		return callError("recvmsg", res)
	case m.nothing():
		s.eof = !s.records
		return io.EOF
	}
	return nil
}

// doMessage runs a guest's message op, in memory that the direction keeps.
func (c *Conn) doMessage(s *side, ext **op.Ext, code op.Code, m *message) (int32, error) {
	if *ext == nil {
		*ext = new(op.Ext)
	}
	was := s.op.Code
	s.op.Code, s.op.Ext = code, *ext
	m.load(*ext)
	res, err := s.g.do(s)
	if err != nil {
		res = -sys.ECANCELED
	}
	m.unload(*ext, res)
	s.op.Code, s.op.Ext = was, nil
	return res, err
}

// WriteMsgUnix writes b with the control messages in oob, as net.UnixConn does.
// Descriptors that oob passes stay the caller's as well. On a stream fewer bytes than
// b may go out, with all of oob; a record goes out whole, or fails with EMSGSIZE. If b
// is empty and oob is not, they go with a byte of zero, which is not counted. addr has
// to be nil: the connection has its peer. Any goroutine may call it; it waits as Write
// does.
func (c *Conn) WriteMsgUnix(b, oob []byte, addr *net.UnixAddr) (n, oobn int, err error) {
	switch {
	case c.unix == nil:
		return 0, 0, c.refuse("write", notUnix("sendmsg"))
	case addr != nil:
		return 0, 0, c.refuse("write", callError("sendmsg", -sys.EISCONN))
	}
	m := newMessage(b, oob)
	n, err = c.writeMessage(&m, false)
	if err != nil {
		return 0, 0, err
	}
	return min(n, len(b)), len(oob), nil
}

// writeMessage sends a message, and all of its bytes if it is to be full.
func (c *Conn) writeMessage(m *message, full bool) (n int, err error) {
	if !c.l.Here() {
		return c.writeMessageAsGuest(m, full)
	}
	if err := c.beginWrite("write"); err != nil {
		return 0, err
	}
	defer c.out.lock.leave(c.l)
	n, err = c.sendMessage(m)
	if err != nil || !full || n >= len(m.p) {
		return n, err
	}
	return c.writeRest(m.p, n)
}

// sendMessage sends a message, and parks until the socket takes it.
func (c *Conn) sendMessage(m *message) (int, error) {
	if c.out.expired(c) {
		return 0, c.fail("write", os.ErrDeadlineExceeded)
	}
	o := callExt(c.l, op.Sendmsg)
	m.load(o.Ext)
	res, ok := c.try(o)
	m.unload(o.Ext, -1)
	for !ok {
		if c.l.Canceled() {
			return 0, c.fail("write", c.l.Cause())
		}
		o := c.l.NewOp(op.Sendmsg)
		if o == nil {
			return 0, c.failRes("write", -sys.ENOBUFS)
		}
		m.load(c.l.NewExt(o))
		c.awaitSend(o)
		res = c.out.res
		if ok = res >= 0; !ok {
			if err := c.out.state(c); err != nil {
				return 0, err
			}
		}
	}
	if res < 0 {
		return 0, c.failRes("write", res)
	}
	return int(res), nil
}

// writeMessageAsGuest is writeMessage for guests.
func (c *Conn) writeMessageAsGuest(m *message, full bool) (n int, err error) {
	g, err := c.guest()
	if err == nil {
		err = g.enter(&g.out)
	}
	if err == nil {
		var res int32
		res, err = c.doMessage(&g.out, &c.unix.out, op.Sendmsg, m)
		switch {
		case err == nil && res < 0:
			err = callError("sendmsg", res)
		case err == nil:
			n = int(res)
		}
		if err == nil && full && n < len(m.p) {
			var rest int
			rest, err = g.write(m.p[n:])
			n += rest
		}
		g.leave(&g.out)
	}
	return n, c.failGuest("write", err)
}

// refuse is an error that does not depend on the caller, unless the connection is
// closed already.
func (c *Conn) refuse(name string, err error) error {
	if _, closed := c.plain(name, nothing); closed != nil {
		return closed
	}
	return c.fail(name, err)
}
