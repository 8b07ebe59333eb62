// Package xnet gives Ringo's UDP sockets the batches of golang.org/x/net, which libraries such as quic-go look for. A
// library that finds none takes the descriptor, by SyscallConn, and goes past the loop.
package xnet

import (
	"errors"
	"fmt"
	"net"
	"sync"

	"golang.org/x/net/ipv4"

	"ringo/sock"
)

// PacketConn is a sock.PacketConn with the ReadBatch and WriteBatch of x/net's ipv4.PacketConn and ipv6.PacketConn,
// whose messages are of one type.
type PacketConn struct{ *sock.PacketConn }

// ReadBatch is that of sock.PacketConn. Addr of what was read is a *net.UDPAddr. There are no flags, which must be 0.
func (c PacketConn) ReadBatch(ms []ipv4.Message, flags int) (int, error) {
	if flags != 0 {
		return 0, errFlags
	}
	b := batches.Get().(*batch)
	defer b.put()
	ms = ms[:min(len(ms), len(b))]
	for i, m := range ms {
		b[i].Buffers, b[i].OOB = m.Buffers, m.OOB
	}
	n, err := c.PacketConn.ReadBatch(b[:len(ms)])
	for i, m := range b[:n] {
		ms[i].N, ms[i].NN, ms[i].Flags, ms[i].Addr = m.N, m.NN, m.Flags, net.UDPAddrFromAddrPort(m.Addr)
	}
	return n, err
}

// WriteBatch is that of sock.PacketConn, for as many messages as one call of the kernel takes: as with x/net, fewer
// than len(ms) may have been sent without an error. Addr must be a *net.UDPAddr, or nil on a connected socket. There
// are no flags, which must be 0.
func (c PacketConn) WriteBatch(ms []ipv4.Message, flags int) (int, error) {
	if flags != 0 {
		return 0, errFlags
	}
	b := batches.Get().(*batch)
	defer b.put()
	ms = ms[:min(len(ms), len(b))]
	for i, m := range ms {
		b[i].Buffers, b[i].OOB = m.Buffers, m.OOB
		switch to := m.Addr.(type) {
		case nil:
		case *net.UDPAddr:
			b[i].Addr = to.AddrPort()
		default:
			return 0, fmt.Errorf("xnet: message %d goes to a %T, not a *net.UDPAddr", i, to)
		}
	}
	n, err := c.PacketConn.WriteBatch(b[:len(ms)])
	for i, m := range b[:n] {
		ms[i].N, ms[i].NN = m.N, m.NN
	}
	return n, err
}

var errFlags = fmt.Errorf("xnet: flags of a batch: %w", errors.ErrUnsupported)

// A batch is the messages of one call.
type batch [sock.MessagesMax]sock.Message

var batches = sync.Pool{New: func() any { return new(batch) }}

// put lets go of the caller's memory.
func (b *batch) put() {
	*b = batch{}
	batches.Put(b)
}
