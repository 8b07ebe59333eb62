//go:build linux

package socktest

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"ringo"
	"ringo/internal/test/patience"
	"ringo/sock"
)

// stream returns n bytes of the tests' stream from place at on.
func stream(at, n int) []byte {
	p := make([]byte, n)
	Pattern(p, at)
	return p
}

// isStream checks that p is the stream from its beginning on.
func isStream(p []byte) error {
	if at := Mismatch(p, 0); at >= 0 {
		return fmt.Errorf("the byte at %d of %d is not the stream's", at, len(p))
	}
	return nil
}

// unit is how many bytes are sent at a time: the size of a record or datagram.
const unit = 8

// network is a kind of socket.
type network struct {
	name    string
	packets bool // it is of datagrams: PacketConn, UnixPacketConn
	records bool // what one call sends is one record, and one read returns no more than a record
	// detached says that a goroutine accepted the connection, so that the loop does not know it yet.
	detached bool
	// again says that another network has the same methods, so that only -long needs this one.
	again bool
	// pollable says that the handles are ends of Unix sockets behind a Pollable, in blocking mode or not.
	pollable, blocking bool
}

var networks = []*network{
	{name: "tcp"}, {name: "tcp-detached", detached: true, again: true}, {name: "unix", again: true},
	{name: "pipe", again: true},
	{name: "unixpacket", records: true},
	{name: "udp", packets: true, records: true}, {name: "unixgram", packets: true, records: true},
	{name: "pollable", pollable: true}, {name: "pollable-blocking", pollable: true, blocking: true, again: true},
}

// fills reports whether a socket of the network can become full. It can't on UDP: the loopback takes datagrams, or
// drops them.
func (n *network) fills() bool { return n.name != "udp" }

// routed reports whether peers may be on other hosts.
func (n *network) routed() bool { return n.name == "tcp" || n.name == "udp" }

// handle is what all handles have in common.
type handle interface {
	io.ReadWriteCloser
	SetDeadline(t time.Time) error
	SetReadDeadline(t time.Time) error
	SetWriteDeadline(t time.Time) error
	SyscallConn() (syscall.RawConn, error)
	Loop() *ringo.Loop
}

// ends is a handle and its peer; the peer is one of package net, or of another loop.
type ends struct {
	c    handle
	peer net.Conn
	// to is the peer's address, for handles that are not connected.
	to net.Addr
	// from is the handle's address, for a peer that is not connected.
	from net.Addr
	// in is how many bytes the handle's socket sent to the peer beforehand, until nothing more fitted.
	in int
}

// parted is a connection that has left its loop.
type parted struct{ net.Conn }

func (parted) Loop() *ringo.Loop { return nil }

var names atomic.Int64

func abstractName() string { return fmt.Sprintf("@socktest-%d-%d", os.Getpid(), names.Add(1)) }

func (system) connect(w *runs, n *network, full, loose bool) (e *ends, err error) {
	l := w.home.l
	e = new(ends)
	var ours interface {
		io.Closer
		syscall.Conn
	}
	switch {
	case n.detached:
		return e, e.accept(l, full)
	case n.pollable:
		return e, e.poll(l, full, n.blocking)
	case n.name == "pipe":
		return e, e.pipe(l, full)
	case n.name == "tcp":
		ours, e.peer, err = tcpEnds()
	case n.name == "udp":
		ours, err = e.udpEnds(loose)
	case loose:
		return e, e.unixgrams(l, full)
	default:
		ours, e.peer, err = unixEnds(map[string]int{
			"unix": syscall.SOCK_STREAM, "unixpacket": syscall.SOCK_SEQPACKET, "unixgram": syscall.SOCK_DGRAM,
		}[n.name])
	}
	if err != nil {
		return nil, err
	}
	if full && n.fills() {
		e.in, err = fill(ours, n.records)
	}
	if err == nil {
		switch n.name {
		case "udp":
			e.c, err = as[handle](sock.Adopt[*sock.PacketConn](l, ours, nil))
		case "unixgram":
			e.c, err = as[handle](sock.Adopt[*sock.UnixPacketConn](l, ours, nil))
		default:
			e.c, err = as[handle](sock.Adopt[*sock.Conn](l, ours, nil))
		}
	}
	if err != nil {
		ours.Close()
		e.peer.Close()
		return nil, err
	}
	return e, e.peer.SetDeadline(patience.Deadline())
}

// accept makes a connection that a goroutine accepts.
func (e *ends) accept(l *ringo.Loop, full bool) (err error) {
	var ln *sock.Listener
	l.Go(func() { ln, err = sock.Listen(l, "tcp", "127.0.0.1:0") }).Wait()
	if err != nil {
		return err
	}
	defer ln.Close()
	if e.peer, err = net.DialTimeout("tcp", ln.Addr().String(), patience.Max); err != nil {
		return err
	}
	c, err := ln.AcceptConn()
	if err != nil {
		e.peer.Close()
		return err
	}
	e.c = c
	raw, err := c.SyscallConn()
	if err == nil && full {
		raw.Control(func(fd uintptr) { unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_SNDBUF, 1<<16) })
		err = e.peer.(*net.TCPConn).SetReadBuffer(1 << 16)
		if err == nil {
			e.in, err = fill(c, false)
		}
	}
	return errors.Join(err, e.peer.SetDeadline(patience.Deadline()))
}

// pipe makes a sock.Pipe on the loop, and detaches the other end for package net.
func (e *ends) pipe(l *ringo.Loop, full bool) error {
	c, o, err := sock.Pipe(l)
	if err != nil {
		return err
	}
	e.c = c
	if e.peer, err = o.DetachConn(); err != nil {
		c.Close()
		return err
	}
	raw, err := c.SyscallConn()
	if err == nil && full {
		raw.Control(func(fd uintptr) { unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_SNDBUF, 1<<13) })
		e.in, err = fill(c, false)
	}
	return errors.Join(err, e.peer.SetDeadline(patience.Deadline()))
}

// as converts a result to the interface T.
func as[T any, V any](v V, err error) (T, error) {
	if err != nil {
		var none T
		return none, err
	}
	return any(v).(T), nil
}

// tcpEnds makes a connection of package net with small buffers.
func tcpEnds() (ours *net.TCPConn, peer net.Conn, err error) {
	ln, err := net.ListenTCP("tcp4", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return nil, nil, err
	}
	defer ln.Close()
	if ours, err = net.DialTCP("tcp4", nil, ln.Addr().(*net.TCPAddr)); err != nil {
		return nil, nil, err
	}
	p, err := ln.AcceptTCP()
	if err != nil {
		ours.Close()
		return nil, nil, err
	}
	return ours, p, errors.Join(ours.SetWriteBuffer(1<<16), p.SetReadBuffer(1<<16))
}

func unixEnds(kind int) (ours *os.File, peer net.Conn, err error) {
	fds, err := syscall.Socketpair(syscall.AF_UNIX, kind|syscall.SOCK_CLOEXEC|syscall.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, nil, err
	}
	ours = os.NewFile(uintptr(fds[0]), "ours")
	unix.SetsockoptInt(fds[0], unix.SOL_SOCKET, unix.SO_SNDBUF, 1<<13)
	f := os.NewFile(uintptr(fds[1]), "peer")
	defer f.Close()
	if peer, err = net.FileConn(f); err != nil {
		ours.Close()
	}
	return ours, peer, err
}

func (e *ends) udpEnds(loose bool) (ours *net.UDPConn, err error) {
	local := &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)}
	peer, err := net.ListenUDP("udp4", local)
	if err != nil {
		return nil, err
	}
	e.peer, e.to = peer, peer.LocalAddr()
	if loose {
		ours, err = net.ListenUDP("udp4", local)
	} else {
		ours, err = net.DialUDP("udp4", nil, peer.LocalAddr().(*net.UDPAddr))
	}
	if err != nil {
		peer.Close()
		return nil, err
	}
	e.from = ours.LocalAddr()
	return ours, nil
}

// unixgrams makes two sockets that have names and are not connected.
func (e *ends) unixgrams(l *ringo.Loop, full bool) error {
	name := &net.UnixAddr{Name: abstractName(), Net: "unixgram"}
	peer, err := net.ListenUnixgram("unixgram", name)
	if err != nil {
		return err
	}
	e.peer, e.to = peer, name
	peer.SetDeadline(patience.Deadline())
	if full {
		filler, err := net.DialUnix("unixgram", nil, name)
		if err == nil {
			e.in, err = fill(filler, true)
			filler.Close()
		}
		if err != nil {
			return err
		}
	}
	l.Go(func() {
		var c *sock.UnixPacketConn
		if c, err = sock.ListenUnixgram(l, abstractName()); err == nil {
			e.c, e.from = c, c.LocalAddr()
		}
	}).Wait()
	return err
}

// fill sends the stream until nothing more fits, and returns how many bytes it sent.
func fill(c syscall.Conn, records bool) (n int, err error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return 0, err
	}
	rerr := raw.Control(func(fd uintptr) {
		for size := 4096; ; {
			if records {
				size = recordSize
			}
			var k int
			if k, err = unix.SendmsgN(int(fd), stream(n, size), nil, nil, unix.MSG_DONTWAIT); err == nil {
				n += k
				continue
			}
			if !records && size > 1 {
				size = 1
				continue
			}
			return
		}
	})
	if errors.Is(err, syscall.EAGAIN) {
		err = nil
	}
	return n, errors.Join(rerr, err)
}

// recordSize is the length of the records and datagrams that fill a socket.
const recordSize = 512

// send makes the peer send n bytes of the stream from place at on, in units.
func (e *ends) send(at, n int) error {
	for ; n > 0; at, n = at+unit, n-unit {
		p := stream(at, min(unit, n))
		var err error
		if e.from != nil {
			_, err = e.peer.(net.PacketConn).WriteTo(p, e.from)
		} else {
			_, err = e.peer.Write(p)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// endStream makes the peer end its output, if it can.
func (e *ends) endStream() error {
	if peer, ok := e.peer.(halfCloser); ok {
		return peer.CloseWrite()
	}
	return nil
}

// halfCloser is an end that can end its output and still read.
type halfCloser interface{ CloseWrite() error }

// addrPort returns the peer's address, if the handle is a UDP socket that is not connected.
func (e *ends) addrPort() netip.AddrPort {
	if a, ok := e.to.(*net.UDPAddr); ok {
		return a.AddrPort()
	}
	return netip.AddrPort{}
}

func (e *ends) unixAddr() *net.UnixAddr {
	a, _ := e.to.(*net.UnixAddr)
	return a
}

func (e *ends) udpAddr() *net.UDPAddr {
	a, _ := e.to.(*net.UDPAddr)
	return a
}
