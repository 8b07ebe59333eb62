package sock

import (
	"fmt"
	"io"
	"net"

	"ringo/internal/handle"
	"ringo/internal/op"
	"ringo/internal/stream"
	"ringo/internal/sys"
)

// message is a message that is received or sent, with its control messages.
type message struct {
	p, control []byte

	n, controls int // received
	flags       uint32
}

// newMessage returns a message with these bytes; if there are none, with one byte, because control messages need a byte
// to travel with.
func newMessage(p, control []byte) message {
	if len(p) == 0 && len(control) > 0 {
		p = make([]byte, 1)
	}
	return message{p: p, control: control}
}

// load sets up an op to receive or send the message; unload takes the results out of it.
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

// notUnix is the error of a connection that is not between Unix sockets.
func notUnix(call string) error {
	return fmt.Errorf("%w: the connection is not one between Unix sockets", callError(call, -sys.EOPNOTSUPP))
}

// ReadMsgUnix reads bytes into b and the control messages that came with them into oob, as net.UnixConn does:
// descriptors that were passed are CLOEXEC, and the caller has to close them. flags has MSG_TRUNC if a record was
// longer than b, and MSG_CTRUNC if control messages did not fit, or the process was out of descriptors. addr is the
// peer's, nil if it has no name. If b is empty and oob is not, one byte is read and counted. io.EOF is returned bare.
//
// Control messages come with the bytes that they were sent with. Bytes that Peek, Next or Serve have fetched have lost
// theirs, and are read first. Any goroutine may call it; it waits as Read does. A task parks.
func (c *Conn) ReadMsgUnix(b, oob []byte) (n, oobn, flags int, addr *net.UnixAddr, err error) {
	m := newMessage(b, oob)
	if err = c.readMessage(&m); err != nil {
		return 0, 0, 0, nil, err
	}
	return m.n, m.controls, int(m.flags), c.unix.peer(), nil
}

// ReadFromUnix is like Read, but also returns the peer's address, nil if it has no name. As with net.UnixConn, even
// io.EOF is wrapped in a *net.OpError. It is for connections between Unix sockets. Any goroutine may call it; it waits
// as Read does. A task parks.
func (c *Conn) ReadFromUnix(b []byte) (n int, addr *net.UnixAddr, err error) {
	if c.unix == nil {
		return 0, nil, c.refuse("read", notUnix("recvfrom"))
	}
	n, err = c.Read(b)
	if err == io.EOF {
		err = c.fail("read", err)
	}
	if err == nil {
		addr = c.unix.peer()
	}
	return n, addr, err
}

// WriteToUnix fails with net.ErrWriteToConnected, as that of a connected net.UnixConn does: use Write. Any goroutine
// may call it; it does not park.
func (c *Conn) WriteToUnix(b []byte, addr *net.UnixAddr) (int, error) {
	if c.unix == nil {
		return 0, c.refuse("write", notUnix("sendto"))
	}
	if _, err := c.plain("write", nothing); err != nil {
		return 0, err
	}
	err := &net.OpError{Op: "write", Net: c.network(), Source: c.LocalAddr(), Err: net.ErrWriteToConnected}
	if addr != nil {
		err.Addr = addr
	}
	return 0, err
}

func (c *Conn) readMessage(m *message) error {
	if c.unix == nil {
		return c.refuse("read", notUnix("recvmsg"))
	}
	a, err := c.enterRead()
	if err != nil {
		return err
	}
	defer c.core.Leave(a)
	err = c.receiveMessage(a, m)
	c.core.Given(m.n)
	return c.failed("read", err)
}

// receiveMessage is readMessage for a caller that has access.
func (c *Conn) receiveMessage(a handle.Access, m *message) error {
	if err := c.turn(a); err != nil {
		return err
	}
	for {
		in, t := c.input(a)
		if here, err := c.ready(a, 0, false); err != nil {
			return err
		} else if here {
			m.take(c, in, t)
			return nil
		}
		o := c.opExtFor(a, op.Recvmsg)
		m.load(o.Ext)
		res, ok, err := c.core.Do(a, o)
		if m.unload(o.Ext, res); ok && res >= 0 && !m.nothing() {
			return nil
		}
		if a.Own() {
			in.Took(t, min(res, 0), ok, 0, c.way())
		} else if _, err = c.received(a, min(res, 0), err); err != nil {
			return err
		}
	}
}

// take takes bytes that were received before.
func (m *message) take(c *Conn, in *stream.In, t *stream.Tools) {
	before := in.Unread()
	m.n = c.take(in, t, m.p)
	if c.records() && m.n < before {
		m.flags = sys.MsgTrunc
	}
}

// nothing reports whether a receive has found the end of the stream.
func (m *message) nothing() bool { return m.n == 0 && m.controls == 0 && len(m.p) > 0 }

// WriteMsgUnix writes b with the control messages in oob, as net.UnixConn does. The caller still owns descriptors that
// oob passes. On a stream fewer bytes than b may be sent, with all of oob; a record is sent whole, or fails with
// EMSGSIZE. If b is empty and oob is not, oob is sent with one zero byte, which is not counted. addr has to be nil: the
// connection has its peer. Any goroutine may call it; it waits as Write does. A task parks.
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

// writeMessage sends a message. With full it sends all of its bytes.
func (c *Conn) writeMessage(m *message, full bool) (n int, err error) {
	a, err := c.enterWrite()
	if err != nil {
		return 0, err
	}
	defer c.core.Leave(a)
	n, err = c.sendMessage(a, "sendmsg", m)
	if err == nil && full && n < len(m.p) {
		var rest int
		if a.Own() {
			rest, err = c.writeRest(m.p[n:], 0)
		} else {
			rest, err = c.writeForeign(a, m.p[n:])
		}
		n += rest
	}
	return n, c.failed("write", err)
}

// sendMessage sends a message for a caller that has access, and waits until the socket takes it.
func (c *Conn) sendMessage(a handle.Access, call string, m *message) (int, error) {
	res, err := int32(-sys.EAGAIN), error(nil)
	for err == nil && res == -sys.EAGAIN {
		o := c.opExtFor(a, op.Sendmsg)
		m.load(o.Ext)
		res, err = c.doOut(a, o)
		m.unload(o.Ext, -1)
	}
	if err == nil && res < 0 {
		err = callError(call, res)
	}
	return int(max(res, 0)), err
}

// refuse returns err for a call that no caller may make on this connection, or the error of a closed connection.
func (c *Conn) refuse(name string, err error) error {
	if _, closed := c.plain(name, nothing); closed != nil {
		return closed
	}
	return c.fail(name, err)
}
