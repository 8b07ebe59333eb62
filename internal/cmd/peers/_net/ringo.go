package net

import (
	"context"
	"io"
	"net/netip"
	"os"
	"syscall"
	"time"
)

// The functions to call in place of package net's. The last result of the first three reports whether the other results
// count.
var (
	RingoDial         func(ctx context.Context, d *Dialer, network, address string) (Conn, error, bool)
	RingoListen       func(ctx context.Context, lc *ListenConfig, network, address string) (Listener, error, bool)
	RingoListenPacket func(ctx context.Context, lc *ListenConfig, network, address string) (PacketConn, error, bool)
	RingoMulticast    func(network string, ifi *Interface, group *UDPAddr) (RingoUDPConn, error)
	RingoAccept       func(ln Listener) (Conn, error) // by AcceptTCP or AcceptUnix
)

// Rewritten tests use these in place of net's types: they have the methods that net's types and Ringo's share.
type (
	RingoTCPConn interface {
		Conn
		io.ReaderFrom
		io.WriterTo
		syscall.Conn
		CloseRead() error
		CloseWrite() error
		File() (*os.File, error)
		MultipathTCP() (bool, error)
		SetKeepAlive(bool) error
		SetKeepAliveConfig(KeepAliveConfig) error
		SetKeepAlivePeriod(time.Duration) error
		SetLinger(int) error
		SetNoDelay(bool) error
		SetReadBuffer(int) error
		SetWriteBuffer(int) error
	}
	RingoUDPConn interface {
		Conn
		PacketConn
		syscall.Conn
		File() (*os.File, error)
		ReadFromUDP([]byte) (int, *UDPAddr, error)
		ReadFromUDPAddrPort([]byte) (int, netip.AddrPort, error)
		ReadMsgUDP(b, oob []byte) (n, oobn, flags int, addr *UDPAddr, err error)
		ReadMsgUDPAddrPort(b, oob []byte) (n, oobn, flags int, addr netip.AddrPort, err error)
		SetReadBuffer(int) error
		SetWriteBuffer(int) error
		WriteMsgUDP(b, oob []byte, addr *UDPAddr) (n, oobn int, err error)
		WriteMsgUDPAddrPort(b, oob []byte, addr netip.AddrPort) (n, oobn int, err error)
		WriteToUDP([]byte, *UDPAddr) (int, error)
		WriteToUDPAddrPort([]byte, netip.AddrPort) (int, error)
	}
	RingoUnixConn interface { // of all kinds
		Conn
		syscall.Conn
		CloseRead() error
		CloseWrite() error
		File() (*os.File, error)
		ReadFromUnix(b []byte) (int, *UnixAddr, error)
		ReadMsgUnix(b, oob []byte) (n, oobn, flags int, addr *UnixAddr, err error)
		SetReadBuffer(int) error
		SetWriteBuffer(int) error
		WriteMsgUnix(b, oob []byte, addr *UnixAddr) (n, oobn int, err error)
		WriteToUnix(b []byte, addr *UnixAddr) (int, error)
	}
	RingoUnixgramConn interface {
		RingoUnixConn
		PacketConn
	}
	RingoTCPListener interface {
		Listener
		syscall.Conn
		File() (*os.File, error)
		SetDeadline(time.Time) error
	}
	RingoUnixListener interface {
		RingoTCPListener
		SetUnlinkOnClose(bool)
	}
)

// ringoTyped returns c as the type that the caller's function returns, nil with an error.
func ringoTyped[T any](c any, err error) (T, error) {
	if err != nil {
		var none T
		return none, err
	}
	return c.(T), nil
}

// ringoText returns an address as text, "" for nil, which is any.
func ringoText[A interface {
	comparable
	Addr
}](a A) string {
	var none A
	if a == none {
		return ""
	}
	return a.String()
}

// ringoLocal returns a local address for a Dialer.
func ringoLocal[A interface {
	comparable
	Addr
}](a A) Addr {
	var none A
	if a == none {
		return nil
	}
	return a
}

func RingoDialTCP(network string, laddr, raddr *TCPAddr) (RingoTCPConn, error) {
	if RingoDial == nil || raddr == nil || raddr.IP != nil && raddr.IP.To16() == nil { // an address that has no text
		return ringoTyped[RingoTCPConn](DialTCP(network, laddr, raddr))
	}
	return ringoTyped[RingoTCPConn]((&Dialer{LocalAddr: ringoLocal(laddr)}).Dial(network, raddr.String()))
}

func RingoListenTCP(network string, laddr *TCPAddr) (RingoTCPListener, error) {
	if RingoDial == nil {
		return ringoTyped[RingoTCPListener](ListenTCP(network, laddr))
	}
	return ringoTyped[RingoTCPListener](Listen(network, ringoText(laddr)))
}

func RingoDialUDP(network string, laddr, raddr *UDPAddr) (RingoUDPConn, error) {
	if RingoDial == nil || raddr == nil {
		return ringoTyped[RingoUDPConn](DialUDP(network, laddr, raddr))
	}
	return ringoTyped[RingoUDPConn]((&Dialer{LocalAddr: ringoLocal(laddr)}).Dial(network, raddr.String()))
}

func RingoListenUDP(network string, laddr *UDPAddr) (RingoUDPConn, error) {
	if RingoDial == nil {
		return ringoTyped[RingoUDPConn](ListenUDP(network, laddr))
	}
	return ringoTyped[RingoUDPConn](ListenPacket(network, ringoText(laddr)))
}

func RingoListenMulticastUDP(network string, ifi *Interface, group *UDPAddr) (RingoUDPConn, error) {
	if RingoDial == nil {
		return ringoTyped[RingoUDPConn](ListenMulticastUDP(network, ifi, group))
	}
	return RingoMulticast(network, ifi, group)
}

// ringoAccept calls AcceptTCP or AcceptUnix, which return types of their own package.
func ringoAccept(ln Listener) (Conn, error) {
	switch l := ln.(type) {
	case *TCPListener:
		return ringoTyped[Conn](l.AcceptTCP())
	case *UnixListener:
		return ringoTyped[Conn](l.AcceptUnix())
	}
	return RingoAccept(ln)
}

func RingoDialUnix(network string, laddr, raddr *UnixAddr) (RingoUnixConn, error) {
	if RingoDial != nil && raddr == nil && laddr != nil && network == "unixgram" { // a socket with a name and no peer
		return ringoTyped[RingoUnixConn](ListenPacket(network, laddr.String()))
	}
	if RingoDial == nil || raddr == nil {
		return ringoTyped[RingoUnixConn](DialUnix(network, laddr, raddr))
	}
	return ringoTyped[RingoUnixConn]((&Dialer{LocalAddr: ringoLocal(laddr)}).Dial(network, raddr.String()))
}

func RingoListenUnix(network string, laddr *UnixAddr) (RingoUnixListener, error) {
	if RingoDial == nil || laddr == nil {
		return ringoTyped[RingoUnixListener](ListenUnix(network, laddr))
	}
	return ringoTyped[RingoUnixListener](Listen(network, laddr.String()))
}

func RingoListenUnixgram(network string, laddr *UnixAddr) (RingoUnixgramConn, error) {
	if RingoDial == nil || laddr == nil {
		return ringoTyped[RingoUnixgramConn](ListenUnixgram(network, laddr))
	}
	return ringoTyped[RingoUnixgramConn](ListenPacket(network, laddr.String()))
}

// ringoKeepAlive returns what a hook of package net would be called with for a connection: how long it may be idle, 0
// for the default, -1 if there are no probes.
func ringoKeepAlive(c Conn) time.Duration {
	fd := ringoFD(c.(syscall.Conn)).pfd.Sysfd
	on, err := syscall.GetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_KEEPALIVE)
	if err != nil {
		panic(err)
	}
	idle, err := syscall.GetsockoptInt(fd, syscall.IPPROTO_TCP, syscall.TCP_KEEPIDLE)
	switch d := time.Duration(idle) * time.Second; {
	case err != nil:
		panic(err)
	case on == 0:
		return -1
	case d == defaultTCPKeepAliveIdle:
		return 0
	default:
		return d
	}
}

// ringoNewSocket returns a TCP socket with the system's defaults.
func ringoNewSocket() int {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		panic(err)
	}
	return fd
}

// ringoFD returns a netFD with the fields that tests of families and protocols look at. The descriptor stays the
// connection's.
func ringoFD(c syscall.Conn) *netFD {
	raw, err := c.SyscallConn()
	if err != nil {
		panic(err)
	}
	fd := &netFD{}
	err = raw.Control(func(n uintptr) {
		fd.pfd.Sysfd = int(n)
		fd.family, _ = syscall.GetsockoptInt(int(n), syscall.SOL_SOCKET, syscall.SO_DOMAIN)
		fd.sotype, _ = syscall.GetsockoptInt(int(n), syscall.SOL_SOCKET, syscall.SO_TYPE)
	})
	if err != nil {
		panic(err)
	}
	switch c := c.(type) {
	case Listener:
		fd.laddr = c.Addr()
	case Conn:
		fd.laddr, fd.raddr = c.LocalAddr(), c.RemoteAddr()
	}
	return fd
}
