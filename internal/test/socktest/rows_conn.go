//go:build linux

package socktest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"ringo"
	"ringo/buf"
	"ringo/sock"
)

var (
	streams    = []string{"tcp", "tcp-detached", "unix", "pipe"}
	unixOnly   = []string{"unix", "pipe", "unixpacket"}
	tcpOnly    = []string{"tcp", "tcp-detached"}
	room       = 64   // bytes: the size of reads, more than a unit
	smallWrite = 1000 // bytes: a write that a task's Write accepts into the outbox
	keepAlive  = net.KeepAliveConfig{Enable: true}
)

// reads makes a row's read of a method that reads into one slice.
func reads(f func(x *cell, p []byte) (int, error)) func(x *cell) ([]byte, error) {
	return func(x *cell) ([]byte, error) {
		p := make([]byte, room)
		n, err := f(x, p)
		return p[:n], err
	}
}

// asks makes a row's ask of a method of *sock.Conn that does not wait.
func asks(f func(c *sock.Conn) error) func(x *cell) error {
	return func(x *cell) error { return f(x.conn) }
}

// asksAny is asks for methods that connections of callbacks have, too.
func asksAny(f func(c streamConn) error) func(x *cell) error {
	return func(x *cell) error { return f(x.stream) }
}

var connRows = []*row{
	{method: "Read", read: reads(func(x *cell, p []byte) (int, error) { return x.stream.Read(p) })},
	{method: "ReadV", read: reads(func(x *cell, p []byte) (int, error) {
		n, err := x.stream.ReadV([][]byte{p[:3], nil, p[3:]})
		return int(n), err
	})},
	{method: "Next", read: func(x *cell) ([]byte, error) {
		lease, err := x.stream.Next()
		if err != nil {
			return nil, err
		}
		defer lease.Release()
		return append([]byte(nil), lease.Bytes()...), nil
	}},
	{method: "Peek", here: true, read: func(x *cell) ([]byte, error) {
		shown, err := x.stream.Peek(x.want)
		if x.ev.partial && !x.ev.gone && len(shown) < min(x.here, x.want) {
			x.fault("Peek shows %d bytes of the %d that are here", len(shown), x.here)
		}
		if err != nil {
			x.must("what Peek shows", isStream(shown))
			return nil, err
		}
		p := append([]byte(nil), shown...)
		if n, err := x.stream.Discard(len(p)); n == 0 && x.mayLose() && x.foreseen(err) {
			return nil, err
		} else if n != len(p) || err != nil {
			x.fault("Discard of %d bytes that were shown = %d, %w", len(p), n, err)
		}
		return p, nil
	}},
	{method: "Discard", here: true, read: func(x *cell) ([]byte, error) {
		n, err := x.stream.Discard(x.want)
		if n < x.want && err == nil {
			x.fault("Discard(%d) = %d, nil", x.want, n)
		}
		return stream(0, n), err // the bytes are discarded; those that follow show how many
	}},
	{method: "WriteTo", toEnd: true, read: func(x *cell) ([]byte, error) {
		var b bytes.Buffer
		n, err := x.stream.WriteTo(struct{ io.Writer }{&b})
		if int(n) != b.Len() {
			x.fault("WriteTo = %d, for %d bytes", n, b.Len())
		}
		return b.Bytes(), err
	}},
	{method: "WriteTo/conn", toEnd: true, nets: streams, read: func(x *cell) ([]byte, error) {
		return x.copyOut(x.spare.c)
	}},
	{method: "WriteTo/net", toEnd: true, nets: streams, read: func(x *cell) ([]byte, error) {
		return x.copyOut(x.spareNet)
	}},
	{method: "WriteTo/conn-full", toEnd: true, nets: streams, gives: sinkFails, read: copyToFull},
	{method: "WriteTo/far-full", toEnd: true, nets: streams, gives: sinkFails, read: copyToFull},
	{method: "WriteTo/net-full", toEnd: true, nets: streams, gives: sinkFails, read: copyToFull},
	{method: "WriteTo/panics", toEnd: true, gives: []error{errSink}, read: func(x *cell) (p []byte, err error) {
		defer func() {
			if recover() != nil {
				err = errSink
			}
		}()
		_, err = x.stream.WriteTo(panicking{})
		return nil, err
	}},
	{method: "ReadMsgUnix", nets: unixOnly, read: reads(func(x *cell, p []byte) (int, error) {
		n, _, _, _, err := x.conn.ReadMsgUnix(p, nil)
		return n, err
	})},
	{method: "ReadFromUnix", nets: unixOnly, read: reads(func(x *cell, p []byte) (int, error) {
		n, _, err := x.conn.ReadFromUnix(p)
		return n, err
	})},
	{method: "RecvFiles", nets: unixOnly, read: reads(func(x *cell, p []byte) (int, error) {
		n, files, err := x.conn.RecvFiles(p, 1)
		for _, f := range files {
			f.Close()
			x.fault("a file came that nobody sent")
		}
		return n, err
	})},
	{method: "SyscallConn/Read", raw: true, read: reads(rawRead)},

	{method: "Write", write: func(x *cell, p []byte) (int, error) { return x.stream.Write(p) }},
	{method: "Flush", nets: streams, small: true, write: func(x *cell, p []byte) (n int, err error) {
		for n < len(p) && err == nil {
			var k int
			k, err = x.stream.Write(p[n:min(n+smallWrite, len(p))])
			n += k
		}
		if err == nil {
			err = x.stream.Flush()
		}
		return n, err
	}},
	{method: "TryWrite", nets: streams, small: true, write: func(x *cell, p []byte) (n int, err error) {
		for n < len(p) && err == nil {
			var k int
			k, err = x.stream.TryWrite(p[n:min(n+3*smallWrite, len(p))])
			if !x.who.own && errors.Is(err, ringo.ErrNotTask) {
				err = nil // for a goroutine it is a Write
			}
			if n += k; k == 0 && err == nil {
				k, err = x.stream.Write(p[n:min(n+smallWrite, len(p))])
				n += k
			}
		}
		return n, err
	}},
	{method: "WriteV", write: func(x *cell, p []byte) (int, error) {
		n, err := x.stream.WriteV([][]byte{p[:1], nil, p[1:100], p[100 : len(p)/2], p[len(p)/2:]})
		return int(n), err
	}},
	{method: "WriteLease", write: func(x *cell, p []byte) (int, error) {
		return x.stream.WriteLease(buf.Of(p))
	}},
	{method: "ReadFrom", small: true, write: func(x *cell, p []byte) (int, error) {
		n, err := x.stream.ReadFrom(struct{ io.Reader }{bytes.NewReader(p)})
		return int(n), err
	}},
	{method: "ReadFrom/file", nets: streams, write: func(x *cell, p []byte) (int, error) {
		n, err := x.stream.ReadFrom(x.file)
		return int(n), err
	}},
	{method: "ReadFrom/conn", nets: streams, small: true, write: func(x *cell, p []byte) (int, error) {
		n, err := x.stream.ReadFrom(x.spare.c)
		return int(n), err
	}},
	{method: "ReadFrom/net", nets: streams, write: func(x *cell, p []byte) (int, error) {
		n, err := x.stream.ReadFrom(x.spareNet)
		return int(n), err
	}},
	{method: "SendFile", nets: streams, write: func(x *cell, p []byte) (n int, err error) {
		for off := int64(x.in); n < len(p) && err == nil; {
			var k int
			k, err = x.stream.SendFile(nil, x.file, off, int64(len(p)-n))
			n, off = n+k, off+int64(k)
		}
		return n, err
	}},
	{method: "SendFiles", nets: unixOnly, write: func(x *cell, p []byte) (int, error) {
		f, _ := x.file.(*os.File)
		return x.conn.SendFiles(p, f)
	}},
	{method: "WriteMsgUnix", nets: unixOnly, short: true, write: func(x *cell, p []byte) (int, error) {
		n, _, err := x.conn.WriteMsgUnix(p, nil, nil)
		return n, err
	}},
	{method: "SyscallConn/Write", short: true, write: rawWrite},

	{method: "Loop", stays: true, ask: func(x *cell) error { return expect(x.stream.Loop() == x.c.Loop(), "Loop") }},
	{method: "LocalAddr", stays: true, ask: asksAny(func(c streamConn) error { c.LocalAddr(); return nil })},
	{method: "RemoteAddr", stays: true, ask: asksAny(func(c streamConn) error { c.RemoteAddr(); return nil })},
	{method: "SetValue", stays: true, ask: asksAny(func(c streamConn) error { c.SetValue(7); return nil })},
	{method: "Value", stays: true, ask: asksAny(func(c streamConn) error {
		none := c.Value() == nil
		c.SetValue(7)
		return expect(none && c.Value() == 7, "Value")
	})},
	{method: "ZeroCopy", stays: true, ask: asks(func(c *sock.Conn) error {
		return expect(c.ZeroCopy() == 0, "ZeroCopy")
	})},
	{method: "Buffered", stays: true, ask: asks(func(c *sock.Conn) error {
		return expect(c.Buffered() == 0, "Buffered")
	})},
	{method: "SyscallConn/Control", ask: asksAny(func(c streamConn) error {
		raw, err := c.SyscallConn()
		if err != nil {
			return err
		}
		return raw.Control(func(uintptr) {})
	})},
	{method: "SetDeadline", ask: asksAny(func(c streamConn) error { return c.SetDeadline(time.Now().Add(time.Hour)) })},
	{method: "SetReadDeadline", ask: asksAny(func(c streamConn) error { return c.SetReadDeadline(time.Time{}) })},
	{method: "SetWriteDeadline", ask: asksAny(func(c streamConn) error { return c.SetWriteDeadline(time.Time{}) })},
	{method: "SetKeepAlive", nets: tcpOnly, ask: asks(func(c *sock.Conn) error { return c.SetKeepAlive(true) })},
	{method: "SetKeepAliveConfig", nets: tcpOnly, ask: asks(func(c *sock.Conn) error {
		return c.SetKeepAliveConfig(keepAlive)
	})},
	{method: "SetKeepAlivePeriod", nets: tcpOnly, ask: asks(func(c *sock.Conn) error {
		return c.SetKeepAlivePeriod(time.Second)
	})},
	{method: "SetLinger", nets: tcpOnly, ask: asks(func(c *sock.Conn) error { return c.SetLinger(-1) })},
	{method: "SetNoDelay", nets: tcpOnly, ask: asks(func(c *sock.Conn) error { return c.SetNoDelay(false) })},
	{method: "SetUserTimeout", nets: tcpOnly, ask: asks(func(c *sock.Conn) error {
		return c.SetUserTimeout(time.Second)
	})},
	{method: "SetOptions", nets: tcpOnly, ask: asks(func(c *sock.Conn) error {
		return c.SetOptions(sock.Options{NotSentLowat: 1 << 20, TOS: 16})
	})},
	{method: "Options", nets: tcpOnly, ask: asks(func(c *sock.Conn) error { _, err := c.Options(); return err })},
	{method: "TCPInfo", nets: tcpOnly, ask: asks(func(c *sock.Conn) error { _, err := c.TCPInfo(); return err })},
	{method: "MultipathTCP", nets: tcpOnly, ask: asks(func(c *sock.Conn) error {
		multi, err := c.MultipathTCP()
		return errors.Join(err, expect(!multi, "MultipathTCP"))
	})},
	{method: "WriteToUnix", nets: unixOnly, ask: asks(func(c *sock.Conn) error {
		if _, err := c.WriteToUnix([]byte{0}, nil); !errors.Is(err, net.ErrWriteToConnected) {
			return err
		}
		return nil
	})},
	{method: "PeerCred", nets: unixOnly, ask: asks(func(c *sock.Conn) error {
		_, _, _, err := c.PeerCred()
		return err
	})},
	{method: "SetReadBuffer", ask: asks(func(c *sock.Conn) error { return c.SetReadBuffer(1 << 14) })},
	{method: "SetWriteBuffer", ask: asks(func(c *sock.Conn) error { return c.SetWriteBuffer(1 << 14) })},
	{method: "SetIdle", stays: true, ask: asksAny(func(c streamConn) error { return c.SetIdle(false) })},
	{method: "SetBatching", stays: true, ask: asks(func(c *sock.Conn) error { return c.SetBatching(false) })},
	{method: "SetZeroCopy", ask: asks(func(c *sock.Conn) error { return c.SetZeroCopy(0) })},
	{method: "CloseRead", ask: asks(func(c *sock.Conn) error { return c.CloseRead() })},
	{method: "CloseWrite", ask: asksAny(func(c streamConn) error { return c.CloseWrite() })},
	{method: "File", ask: asks(func(c *sock.Conn) error {
		f, err := c.File()
		if err == nil {
			err = f.Close()
		}
		return err
	})},

	{method: "Close", ends: true, stays: true, ask: func(x *cell) error { return x.closed(x.c) }},
	{method: "CloseSoon", ends: true, stays: true, ask: func(x *cell) error {
		x.stream.CloseSoon()
		return x.closed(x.c)
	}},
	{method: "Close/linger", nets: tcpOnly, ends: true, stays: true, ask: func(x *cell) error {
		x.conn.SetLinger(1)
		return x.closed(x.c)
	}},
	{method: "Detach", ends: true, ask: asks(func(c *sock.Conn) error {
		fd, _, err := c.Detach()
		if err == nil {
			err = syscall.Close(fd)
		}
		return err
	})},
	{method: "DetachConn", ends: true, ask: asksAny(func(c streamConn) error {
		conn, err := c.DetachConn()
		if err == nil {
			err = conn.Close()
		}
		return err
	})},
	{method: "DetachTCP", nets: tcpOnly, ends: true, ask: asks(func(c *sock.Conn) error {
		conn, unread, err := c.DetachTCP()
		if err == nil {
			err = errors.Join(conn.Close(), expect(len(unread) == 0, "DetachTCP"))
		}
		return err
	})},
	{method: "DetachUnix", nets: unixOnly, ends: true, ask: asks(func(c *sock.Conn) error {
		conn, unread, err := c.DetachUnix()
		if err == nil {
			err = errors.Join(conn.Close(), expect(len(unread) == 0, "DetachUnix"))
		}
		return err
	})},
	{method: "MoveTo", ends: true, ask: func(x *cell) error {
		moved, err := x.stream.MoveTo(x.other.l)
		if err == nil {
			x.gone = moved
		}
		return err
	}},
}

// panicking is a writer that panics.
type panicking struct{}

func (panicking) Write([]byte) (int, error) { panic("a mistake in Write") }

// errSink is the error of a copy whose writer panicked.
var errSink = errors.New("the sink has panicked")

// sinkFails is the error of a copy whose writer had no room.
var sinkFails = []error{os.ErrDeadlineExceeded}

// copyToFull copies to a connection without room, whose write deadline passes soon, whatever happens meanwhile.
func copyToFull(x *cell) ([]byte, error) {
	to := net.Conn(x.spareNet)
	if to == nil {
		to = x.spare.c.(*sock.Conn)
	}
	if err := to.SetWriteDeadline(soon(x)); !errors.Is(err, net.ErrClosed) { // it may have been closed with its loop
		x.must("SetWriteDeadline", err)
	}
	return x.copyOut(to)
}

// expect returns an error unless ok.
func expect(ok bool, what string) error {
	if !ok {
		return fmt.Errorf("%s gives something else", what)
	}
	return nil
}

// rawRead reads by a function on the descriptor.
func rawRead(x *cell, p []byte) (n int, err error) {
	raw, err := x.c.SyscallConn()
	if err != nil {
		return 0, err
	}
	var res error
	err = raw.Read(func(fd uintptr) bool {
		n, res = unix.Read(int(fd), p)
		return res != unix.EAGAIN
	})
	return max(n, 0), errors.Join(err, whenRan(err, res))
}

func rawWrite(x *cell, p []byte) (n int, err error) {
	raw, err := x.c.SyscallConn()
	if err != nil {
		return 0, err
	}
	var res error
	err = raw.Write(func(fd uintptr) bool {
		n, res = unix.SendmsgN(int(fd), p, nil, nil, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL)
		return res != unix.EAGAIN
	})
	return max(n, 0), errors.Join(err, whenRan(err, res))
}

// whenRan returns the error of the last system call that the function made, unless the RawConn's own method failed.
func whenRan(err, res error) error {
	if err != nil {
		return nil
	}
	return res
}

// prepare makes what a row needs besides its handle, before any call is under way.
func (x *cell) prepare() error {
	switch x.row.method {
	case "WriteTo/conn", "WriteTo/net":
		return x.prepareCopy(false)
	case "ReadFrom/conn", "ReadFrom/net":
		return x.prepareCopy(true)
	case "WriteTo/conn-full", "WriteTo/far-full", "WriteTo/net-full":
		return x.prepareFull()
	case "ReadFrom/file", "SendFile", "SendFiles":
		f, err := x.source(x.runs, x.in, 4*x.in+1<<16)
		if err != nil {
			return err
		}
		x.clean = append(x.clean, func() { f.Close() })
		x.file = f
	}
	return nil
}

// prepareCopy makes a second connection: the source of the copy, or its destination.
func (x *cell) prepareCopy(source bool) error {
	if x.row.method == "WriteTo/net" || x.row.method == "ReadFrom/net" {
		ours, peer, err := tcpEnds()
		if err != nil {
			return err
		}
		x.spareNet, x.spare = ours, &ends{peer: peer}
		x.clean = append(x.clean, func() { ours.Close() })
	} else {
		e, err := x.connect(x.runs, networks[0], false, false)
		if err != nil {
			return err
		}
		x.spare = e
		x.clean = append(x.clean, func() {
			if !x.ev.ended || x.closes() {
				x.inTime(x.home.l, "Close of the other", func() error { e.c.Close(); return nil })
			}
		})
	}
	peer := x.spare.peer
	x.clean = append(x.clean, func() { peer.Close() })
	if !source {
		x.copied = collect(x, peer)
		x.copied.open()
		return nil
	}
	x.begin(nil, func() {
		peer.Write(stream(x.in, 3*x.in+1<<16)) // until it is closed, if the copy does not read it
		peer.(halfCloser).CloseWrite()
	})
	return nil
}

// prepareFull makes a second connection without room: one of the same loop, of another loop, or of package net.
func (x *cell) prepareFull() error {
	var close func()
	if x.row.method == "WriteTo/net-full" {
		ours, peer, err := tcpEnds()
		if err != nil {
			return err
		}
		x.spareNet, x.spare, close = ours, &ends{peer: peer}, func() { ours.Close() }
		if x.spare.in, err = fill(ours, false); err != nil {
			return err
		}
	} else {
		e, err := x.connect(x.runs, networks[0], true, false)
		if err != nil {
			return err
		}
		c := e.c.(*sock.Conn)
		c.SetBatching(false) // so that a full socket is not hidden by the outbox
		x.spare = e
		if x.row.method == "WriteTo/far-full" {
			x.inTime(x.home.l, "MoveTo", func() error { c, err = c.MoveTo(x.other.l); return err })
			if err != nil {
				return err
			}
			e.c = c
		}
		close = func() {
			if l := c.Loop(); l != x.home.l || !x.ev.ended || x.closes() {
				x.inTime(l, "Close of the other", func() error { c.Close(); return nil })
			}
		}
	}
	peer := x.spare.peer
	x.clean = append(x.clean, close, func() { peer.Close() })
	x.copied = collect(x, peer)
	return nil
}

// copyOut copies what comes to to, and records how many bytes the call says it has copied.
func (x *cell) copyOut(to io.Writer) ([]byte, error) {
	n, err := x.stream.WriteTo(to)
	x.arrives = int(n)
	return nil, err
}

// arrived collects what a copy has brought to its destination.
func (x *cell) arrived() {
	if x.copied == nil {
		return
	}
	x.copied.open()
	x.inTime(nil, "what a copy brought", func() error { x.copied.awaitBytes(x.spare.in + x.arrives); return nil })
	x.got = x.copied.bytes()
	x.got = x.got[min(x.spare.in, len(x.got)):]
	if len(x.got) != x.arrives {
		x.fault("WriteTo = %d, for %d bytes", x.arrives, len(x.got))
	}
}
