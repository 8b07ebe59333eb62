// Package xnet gives Ringo's UDP sockets the batch methods of golang.org/x/net, for libraries that look for them, such
// as quic-go. A library that does not find them takes the descriptor by SyscallConn, and bypasses the loop.
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
// which share a type for messages.
type PacketConn struct{ *sock.PacketConn }

// ReadBatch is ReadBatch of sock.PacketConn. The Addr of a received message is a *net.UDPAddr. Flags are not supported
// and must be 0.
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

// WriteBatch is WriteBatch of sock.PacketConn, for as many messages as one system call takes: as with x/net, it may
// send fewer than len(ms) without an error. Addr must be a *net.UDPAddr, or nil on a connected socket. Flags are not
// supported and must be 0.
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

// put returns the batch to the pool, without references to the caller's memory.
func (b *batch) put() {
	*b = batch{}
	batches.Put(b)
}
