package sock

import (
	"io"
	"slices"

	"ringo/buf"
)

// copyRecords is WriteTo where records come in: each is one Write. Any goroutine may
// call it.
func (c *Conn) copyRecords(w io.Writer) (total int64, err error) {
	for {
		b, err := c.Next()
		if err == io.EOF {
			return total, nil
		}
		if err != nil {
			return total, err
		}
		n, err := writeLease(w, b)
		total += int64(n)
		if err != nil {
			return total, err
		}
	}
}

// writeLease writes a lease's bytes and gives it back.
func writeLease(w io.Writer, b buf.Lease) (int, error) {
	defer b.Release() // also if w panics
	p := b.Bytes()
	n, err := w.Write(p)
	if err == nil && n < len(p) {
		err = io.ErrShortWrite
	}
	return n, err
}

// readVRecord is ReadV of a record, whose end in the slices is known when it is here.
func (c *Conn) readVRecord(bufs [][]byte) (int64, error) {
	room := 0
	for _, b := range bufs {
		room += len(b)
	}
	p := make([]byte, room)
	n, err := c.Read(p)
	for p = p[:n]; len(p) > 0; bufs = bufs[1:] {
		p = p[copy(bufs[0], p):]
	}
	return int64(n), err
}

// writeVRecord is WriteV of a record, which is one piece however many slices it has.
func (c *Conn) writeVRecord(bufs [][]byte) (int64, error) {
	n, err := c.Write(slices.Concat(bufs...))
	return int64(n), err
}
