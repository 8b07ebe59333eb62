package sock

import (
	"io"

	"ringo/buf"
	"ringo/internal/loop"
	"ringo/internal/relay"
)

// copyRecords is WriteTo for a connection of records: each becomes one Write. Any goroutine may call it.
func (c *Conn) copyRecords(w io.Writer) (total int64, err error) {
	l, _ := loop.Current()
	to := sinkOf(w, l)
	for {
		n, err := c.copyRecord(to)
		total += int64(n)
		if err == io.EOF {
			return total, nil
		}
		if err != nil {
			return total, err
		}
	}
}

// copyRecord writes the next record. Bytes that are not written are unread again, all of them if the sink panics. The
// record is leased, whatever the program holds of Config.Leases: a copy holds one at a time.
func (c *Conn) copyRecord(to relay.Sink) (n int, err error) {
	a, err := c.enterRead()
	if err != nil {
		return 0, err
	}
	if err := c.some(a, 0); err != nil {
		c.core.Leave(a)
		return 0, c.failed("read", err)
	}
	var b buf.Lease
	if err = c.lend(a, &b); err == nil && a.Own() {
		c.core.BeginCopy()
	} else if err == nil {
		if err = a.BeginCopy(); err != nil {
			a.Input().PutBack(nil, b.Bytes(), true)
			b.Release()
		}
	}
	if err != nil {
		c.core.Leave(a)
		return 0, c.failed("read", err)
	}
	p := b.Bytes()
	defer func() {
		if a.Own() {
			c.in.putBack(c, p[n:])
			c.core.EndCopy()
		} else {
			a.EndCopy(p[n:])
		}
		c.core.Leave(a)
		b.Release()
	}()
	return relay.Write(to, p)
}

// readVRecord is ReadV of a record. It reads into one piece first, since the record's length is not known before.
func (c *Conn) readVRecord(bufs [][]byte) (int, error) {
	room := 0
	for _, b := range bufs {
		room += len(b)
	}
	p := make([]byte, room)
	n, err := c.Read(p)
	for p = p[:n]; len(p) > 0; bufs = bufs[1:] {
		p = p[copy(bufs[0], p):]
	}
	return n, err
}
