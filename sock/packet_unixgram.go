package sock

import (
	"context"
	"net"

	"ringo"
	"ringo/internal/dial"
	"ringo/internal/kernel"
	"ringo/internal/loop"
	"ringo/internal/posix"
	"ringo/internal/sys"
)

// A UnixPacketConn is a Unix datagram socket, network "unixgram": a net.PacketConn and a net.Conn with the methods of
// *net.UnixConn that apply to it. It is a type of its own because programs take a type with UDP methods for UDP. Loops,
// tasks and goroutines may use it as described at PacketConn.
//
// No datagrams are lost: a writer waits for room in the receiver's queue.
type UnixPacketConn struct{ packet }

const unixgram = "unixgram"

// ListenUnixgram makes a Unix datagram socket with a name: a path, or "@" and an abstract name; with "" the kernel
// chooses one; systems other than Linux refuse the latter two (errors.ErrUnsupported). It creates a path's file, and
// Close removes it. The socket belongs to l. Any goroutine may call it.
func ListenUnixgram(l *ringo.Loop, name string) (*UnixPacketConn, error) {
	return new(ListenConfig).ListenUnixgram(l, name)
}

// ListenUnixgram is like the function ListenUnixgram, with these options: only Control is used, and none of Options may
// be set.
func (lc *ListenConfig) ListenUnixgram(l *ringo.Loop, name string) (*UnixPacketConn, error) {
	addr := &net.UnixAddr{Name: name, Net: unixgram}
	fail := func(err error) error { return listenError(unixgram, addr, err) }
	return madeOn(context.Background(), l, fail, func() (*UnixPacketConn, error) {
		e := (*loop.Loop)(l)
		s, err := newSocket(e.Kernel(), sys.AFUnix, sys.SockDgram)
		if err != nil {
			return nil, fail(err)
		}
		file, err := lc.bindUnix(s, unixgram, name)
		if err == nil {
			if err = e.Unwatchable(s.n); err != nil {
				file.release()
			}
		}
		if err != nil {
			s.close()
			return nil, fail(err)
		}
		return newUnixPacketConn(e, s.n, nil, file), nil
	})
}

// DialUnixgram makes a socket that is connected to the one called name: it sends there, and other sockets can't send to
// it. To be answered it needs a name of its own, from Dialer.LocalAddr. The socket belongs to l. Any goroutine may call
// it.
func DialUnixgram(l *ringo.Loop, name string) (*UnixPacketConn, error) {
	return new(Dialer).DialUnixgram(l, name)
}

// DialUnixgram is like the function DialUnixgram, with these options, where LocalAddr is a *net.UnixAddr of network
// "unixgram", whose file Close removes.
func (d *Dialer) DialUnixgram(l *ringo.Loop, name string) (*UnixPacketConn, error) {
	addr := &net.UnixAddr{Name: name, Net: unixgram}
	if name == "" {
		return nil, dial.Error(unixgram, nil, dial.MissingAddress)
	}
	local, err := localUnix(unixgram, d.LocalAddr)
	if err != nil {
		return nil, dial.Error(unixgram, nil, err)
	}
	fail := func(err error) error { return local.fail(unixgram, addr, err) }
	e := (*loop.Loop)(l)
	end := dial.End(context.Background(), e, d.Timeout, d.Deadline)
	d = d.with(context.Background(), end)
	return madeOn(context.Background(), l, fail, func() (*UnixPacketConn, error) {
		if dial.Passed(e, end) {
			return nil, fail(dial.Late)
		}
		s, err := newSocket(e.Kernel(), sys.AFUnix, sys.SockDgram)
		if err != nil {
			return nil, fail(err)
		}
		file, err := d.connectUnixgram(e, s, local, name)
		if err != nil {
			s.close()
			return nil, fail(err)
		}
		return newUnixPacketConn(e, s.n, addr, file), nil
	})
}

// connectUnixgram gives the socket a name of its own, if LocalAddr has one, and connects it.
func (d *Dialer) connectUnixgram(l *loop.Loop, s socket, local localEnd, name string) (file *socketFile, err error) {
	if err := l.Unwatchable(s.n); err != nil {
		return nil, err
	}
	if err := d.controls().as(unixgram, name, s); err != nil {
		return nil, err
	}
	if local.path != "" {
		if file, err = bindFile(s, local.path); err != nil {
			return nil, err
		}
	}
	if err = s.connectUnix(name); err != nil {
		file.release()
	}
	return file, err
}

func newUnixPacketConn(l *loop.Loop, n int32, peer *net.UnixAddr, file *socketFile) *UnixPacketConn {
	c := new(UnixPacketConn)
	c.init(l, unixgram, sys.AFUnix, n)
	c.file = file
	local := unixName(l, c.core.FD(), kernel.Kernel.Getsockname, unixgram)
	c.laddr = &local
	if peer != nil {
		c.connected, c.raddr = true, peer
	}
	return c
}

// ReadFrom is like Read, and returns the sender, a *net.UnixAddr, nil if it has no name. A task parks.
func (c *UnixPacketConn) ReadFrom(p []byte) (int, net.Addr, error) {
	return asNet(c.ReadFromUnix(p))
}

// ReadFromUnix is ReadFrom, but returns a *net.UnixAddr. A task parks.
func (c *UnixPacketConn) ReadFromUnix(p []byte) (int, *net.UnixAddr, error) {
	d := recvmsg{p: p}
	err := c.receive("recvfrom", &d)
	return d.n, c.sender(&d, err), err
}

// CloseRead shuts down the reading side: reads return 0 bytes once all received datagrams have been read, and sends to
// the socket fail with EPIPE. Any goroutine may call it; it does not park.
func (c *UnixPacketConn) CloseRead() error { return c.shutdown(shutRead) }

// CloseWrite shuts down the writing side: writes fail with EPIPE. Any goroutine may call it; it does not park.
func (c *UnixPacketConn) CloseWrite() error { return c.shutdown(shutWrite) }

func (c *UnixPacketConn) shutdown(how int) error {
	_, err := c.plain("close", func(k kernel.Kernel, fd int32) int32 { return k.Shutdown(fd, how) })
	return err
}

// ReadMsgUnix reads a datagram into b, and its control messages into oob: flags has MSG_TRUNC if b was too short and
// MSG_CTRUNC if oob was. Descriptors received in oob are CLOEXEC, and the caller has to close them. The kernel closes
// those that do not fit, and those that other reads receive. Any goroutine may call it; a task parks.
func (c *UnixPacketConn) ReadMsgUnix(b, oob []byte) (n, oobn, flags int, addr *net.UnixAddr, err error) {
	d := recvmsg{p: b, oob: oob}
	err = c.receive("recvmsg", &d)
	return d.n, d.oobn, int(d.flags), c.sender(&d, err), err
}

// sender returns the sender of a datagram, nil if it has no name or the read has failed.
func (c *UnixPacketConn) sender(d *recvmsg, err error) *net.UnixAddr {
	if err != nil {
		return nil
	}
	if c.connected {
		if a := c.raddr.(*net.UnixAddr); a.Name != "" && a.Name != "@" { // as package syscall calls none
			return a
		}
		return nil
	}
	if d.path == "" {
		return nil
	}
	return &net.UnixAddr{Name: d.path, Net: unixgram}
}

// WriteTo is WriteToUnix; addr must be a *net.UnixAddr. A task parks.
func (c *UnixPacketConn) WriteTo(p []byte, addr net.Addr) (int, error) {
	return writeAs(&c.packet, p, addr, c.WriteToUnix)
}

// WriteToUnix is like Write, but to addr, on an unconnected socket. A task parks.
func (c *UnixPacketConn) WriteToUnix(p []byte, addr *net.UnixAddr) (int, error) {
	m := sendmsg{p: p}
	if err := c.addressUnix(&m, addr); err != nil {
		return 0, err
	}
	return c.writeTo("sendto", &m)
}

// WriteMsgUnix sends b as one datagram with control messages, such as those of syscall.UnixRights. addr is nil on a
// connected socket. Any goroutine may call it; a task parks.
func (c *UnixPacketConn) WriteMsgUnix(b, oob []byte, addr *net.UnixAddr) (n, oobn int, err error) {
	m := sendmsg{p: b, oob: oob}
	if addr != nil || !c.connected {
		if err := c.addressUnix(&m, addr); err != nil {
			return 0, 0, err
		}
	}
	return c.writeMsg(&m)
}

// addressUnix sets the name to which a sendmsg goes, and checks it.
func (c *UnixPacketConn) addressUnix(m *sendmsg, addr *net.UnixAddr) error {
	switch {
	case addr == nil && !c.connected:
		return c.failTo(m, dial.MissingAddress)
	case c.connected:
		return c.failTo(m, net.ErrWriteToConnected)
	case addr.Name == "":
		return c.failTo(&sendmsg{dst: addr}, dial.MissingAddress)
	case addr.Net != unixgram:
		return c.failTo(&sendmsg{dst: addr}, posix.EAFNOSUPPORT)
	}
	m.named, m.path, m.dst = true, addr.Name, addr
	if !new(sys.Sockaddr).SetUnix(addr.Name) {
		return c.failTo(m, noUnixName("sendto"))
	}
	return nil
}

// SetUnlinkOnClose sets whether Close removes the file of the socket's name; by default it does. Any goroutine may call
// it.
func (c *UnixPacketConn) SetUnlinkOnClose(unlink bool) {
	if c.file != nil {
		c.file.own(unlink)
	}
}
