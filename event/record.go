package event

import (
	"ringo/internal/bufs"
	"ringo/internal/stream"
	"ringo/internal/sys"
)

// records is the network whose connections carry records: each is what one write has sent, and OnData is shown one at a
// time. They are received by plain calls when a poll reports readiness: the kernel would split a record that is longer
// than a buffer of the ring. They are sent at once: at the turn's end several would become one record.
const records = "unixpacket"

// carryRecords makes it a connection of records.
func (c *Conn) carryRecords() {
	if c.set == &defaults {
		c.set = &recordDefaults
	} else {
		c.set.records, c.set.unread = true, 0
	}
	c.in.Retry()
	c.flags |= slow // for good: it keeps writes out of the outbox
}

// receiveRecord receives a record. It returns nil if there is none, or if the record is in memory of its own because it
// is longer than a buffer.
func (c *Conn) receiveRecord() *bufs.Buffer {
	e := c.e
	e.l.Charge()
	size, ok := e.tools.Receive(&c.fd, nil, stream.HowLong)
	switch {
	case !ok:
		c.in.Dry()
		return nil
	case size < 0:
		c.in.Fail(size)
		return nil
	case size == 0 && c.peerHasEnded(): // else it is a record of no bytes, which looks the same
		c.in.End(true, 0)
		return nil
	}
	b := e.l.Buffers().Plain.Take()
	if b == nil {
		return nil
	}
	mem := b.Mem()
	long := int(size) > len(mem)
	if long {
		b.Pool().Put(b)
		mem = c.in.Grow(&e.tools, int(size))
	}
	n, ok := e.tools.Receive(&c.fd, mem, 0)
	switch {
	case ok && n >= 0 && long:
		c.in.Grown(int(n))
		c.flags |= unshown
		b = nil
	case ok && n >= 0:
		b.Off, b.End = 0, int(n)
	default: // it was there a moment ago
		if !ok {
			n = -sys.EIO
		}
		c.in.Fail(n)
		if !long {
			b.Pool().Put(b)
		}
		return nil
	}
	c.goesOn(reads)
	return b
}

// peerHasEnded asks the kernel whether the peer has ended its side.
func (c *Conn) peerHasEnded() bool { return c.e.tools.Asks(&c.fd)&(sys.PollRdhup|sys.PollHup) != 0 }

// recordCost is what a record occupies in the socket's buffer in addition to its bytes.
const recordCost = 32

// recordMax returns how long a record may be. The kernel refuses one that is too long at once; one that has to wait is
// refused here, since a Write that has returned can't fail later.
func (c *Conn) recordMax() int {
	room, res := c.e.l.Kernel().Getsockopt(c.fd.Sys(), sys.SolSocket, sys.SoSndbuf)
	if res < 0 {
		return pieceMax
	}
	return min(pieceMax, int(room)-recordCost)
}
