package differ

import (
	"bytes"
	"context"
	"io"
	"strings"
	"time"
)

var closeWrite = &verb{"c%[1]d.CloseWrite()", func(x *actor, s *Step) string {
	return class(get[Conn](x, s.O).CloseWrite())
}}

var endWays = []string{"Read", "WriteTo", "Next", "Peek"}

var readEnd = &verb{"c%[1]d.Read to the end // %[7]d, %[5]s", func(x *actor, s *Step) string {
	c, n := get[Conn](x, s.O), total(s.Segs)
	var sink bytes.Buffer
	var err error
	switch s.How {
	case 0:
		_, err = io.Copy(&sink, plainReader{c})
	case 1:
		_, err = c.CopyTo(&sink)
	case 2:
		for err == nil {
			var b Lease
			if b, err = c.Next(); err == nil {
				sink.Write(b.Bytes())
				b.Release()
			}
		}
	case 3:
		var p []byte
		p, err = c.Peek(n + 1)
		sink.Write(p)
		if err == io.EOF {
			_, err = c.Discard(n)
		}
	}
	return sawBytes(sink.Bytes(), err, s.Segs)
}}

var relay = &verb{"io.Copy(c%[2]d, c%[1]d) // %[7]d, way %[6]d", func(x *actor, s *Step) string {
	from, to := get[Conn](x, s.O), get[Conn](x, s.P)
	if s.How == 0 {
		n, err := from.CopyTo(to)
		return valued(int(n), err)
	}
	n, err := to.CopyFrom(from)
	return valued(int(n), err)
}}

var closeConn = &verb{"c%[1]d.Close() // way %[6]d", func(x *actor, s *Step) string {
	c := get[Conn](x, s.O)
	switch s.How {
	case 1:
		return class(c.Close()) + ", " + class(c.Close())
	case 2:
		c.CloseSoon()
		return class(c.Close())
	case 3:
		if e, held := c.(*eventConn); held {
			return class(e.closeBesideDetach())
		}
	}
	return class(c.Close())
}}

var useClosed = &verb{"c%[1]d.Read, Write, Peek, CloseWrite, SetDeadline, Close // it is closed",
	func(x *actor, s *Step) string {
		c := get[Conn](x, s.O)
		_, r := c.Read(make([]byte, 1))
		_, w := c.Write([]byte{1})
		_, p := c.Peek(1)
		_, v := c.WriteV([][]byte{{1}})
		var all []string
		for _, err := range []error{r, w, p, v, c.CloseWrite(), c.SetReadDeadline(time.Time{}), c.Close()} {
			all = append(all, class(err))
		}
		return strings.Join(all, ", ")
	}}

var writeGone = &verb{"c%[1]d.Write(%[3]d), Flush // the peer has closed", func(x *actor, s *Step) string {
	c := get[Conn](x, s.O)
	_, err := c.Write(make([]byte, s.N))
	if err == nil {
		err = c.Flush()
	}
	return class(err)
}}

var reset = &verb{"c%[1]d.SetLinger(0), Close", func(x *actor, s *Step) string {
	c := get[Conn](x, s.O)
	return class(c.SetLinger(0)) + ", " + class(c.Close())
}}

var readReset = &verb{"c%[1]d.Read // is reset, way %[6]d", func(x *actor, s *Step) string {
	c := get[Conn](x, s.O)
	return class(waitRead(c, s.How))
}}

// Deadlines.
const (
	farDeadline = iota
	pastReadDeadline
	noReadDeadline
	pastWriteDeadline
	noWriteDeadline
)

var setDeadline = &verb{"x%[1]d.SetDeadline(%[6]d)", func(x *actor, s *Step) string {
	v := x.objs[s.O]
	past := time.Unix(1, 0)
	switch s.How {
	case farDeadline:
		return class(v.(Conn).SetDeadline(time.Now().Add(time.Hour)))
	case pastWriteDeadline:
		return class(get[Conn](x, s.O).SetWriteDeadline(past))
	case noWriteDeadline:
		return class(get[Conn](x, s.O).SetWriteDeadline(time.Time{}))
	case noReadDeadline:
		past = time.Time{}
	}
	if set := readDeadline(v); set != nil {
		return class(set(past))
	}
	panic(noObject(s.O))
}}

// readDeadline returns the method that sets the deadline of calls that wait for input, or nil if v has none.
func readDeadline(v any) Deadline {
	switch v := v.(type) {
	case interface{ SetReadDeadline(t time.Time) error }:
		return v.SetReadDeadline
	case interface{ SetDeadline(t time.Time) error }:
		return v.SetDeadline
	}
	return nil
}

var writeLate = &verb{"c%[1]d.Write(%[3]d) // the deadline is over", func(x *actor, s *Step) string {
	return valued(get[Conn](x, s.O).Write(make([]byte, s.N)))
}}

var readLate = &verb{"c%[1]d.Read // the deadline is over, way %[6]d", func(x *actor, s *Step) string {
	return class(waitRead(get[Conn](x, s.O), []int{0, 2, 3}[s.How]))
}}

var moveTo = &verb{"c%[1]d = c%[1]d.MoveTo(loop %[3]d)", func(x *actor, s *Step) string {
	c, err := get[Conn](x, s.O).MoveTo(s.N)
	return put(x, s.O, c, err)
}}

var leave = &verb{"c%[1]d.DetachTCP or DetachUnix, Read(%[7]d) of package net, c%[1]d = Adopt(loop %[3]d)",
	func(x *actor, s *Step) string {
		p, c, err := get[Conn](x, s.O).Leave(s.N, total(s.Segs), x.World.Offload)
		return put(x, s.O, c, err) + ", " + sawBytes(p, nil, s.Segs)
	}}

// stuckSize is more than Unix sockets and buffers of a loop hold.
const stuckSize = 1 << 20

const soon = 300 * time.Microsecond

var stuckWrite = &verb{"c%[1]d.Write(%[7]d) // nobody reads; ends by %[5]s", func(x *actor, s *Step) string {
	c := get[Conn](x, s.O)
	var n int
	call := func(context.Context) (err error) {
		n, err = c.Write(content(s.Segs))
		return err
	}
	var err error
	switch s.Name {
	case "soon":
		c.SetWriteDeadline(time.Now().Add(soon))
		err = call(nil)
	case "within":
		err = x.Within(soon, c.SetWriteDeadline, call)
	default:
		err = call(nil)
	}
	x.part[s.Segs[0].Stream].Store(int64(n))
	if n == stuckSize {
		return "all of it went out"
	}
	return class(err)
}}

var readStuck = &verb{"c%[1]d.Read to the end // what went out", func(x *actor, s *Step) string {
	var sink bytes.Buffer
	_, err := io.Copy(&sink, plainReader{get[Conn](x, s.O)})
	seg := s.Segs[0]
	seg.N = int(x.part[seg.Stream].Load())
	if bad := wrong(sink.Bytes(), []segment{seg}); bad != "" {
		return class(err) + ", " + bad
	}
	return class(err) + ", what went out"
}}
