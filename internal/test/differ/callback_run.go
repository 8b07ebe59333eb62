package differ

import (
	"bytes"
	"fmt"
	"io"
	"time"
)

// ofSockets are calls that callbacks make themselves on what they hold. All other calls tasks make for them.
var ofSockets = []*verb{
	write, read, peek, option, closeConn, closeWrite, useClosed, writeGone, reset, readReset, moveTo, leave,
	readEnd, relay, serve, closeListener, useListener, setDeadline, readStuck, hand, burst, readRecords, perish,
	stuckEnd, readSome,
}

var hand = &verb{"c%[1]d = c%[1]d.Detach or Adopt()", func(x *actor, s *Step) string {
	c := get[Conn](x, s.O)
	if w, is := x.World.(*callbackWorld); is {
		c, err := w.hand(c)
		return put(x, s.O, c, err)
	}
	return "ok"
}}

var burst = &verb{"c%[1]d.Write(%[7]d) // %[3]d pieces, way %[6]d", func(x *actor, s *Step) string {
	c := get[Conn](x, s.O)
	f, err := x.file(content(s.Segs))
	if err != nil {
		return class(err)
	}
	defer x.Aside(func() { f.Close() })
	sum := 0
	for i, seg := range s.Segs {
		if i == len(s.Segs)-1 {
			if err := c.Flush(); err != nil {
				return valued(sum, err)
			}
		}
		n, err := x.writePiece(c, f, sum, content([]segment{seg}), s.How+i*i)
		if sum += n; err != nil {
			return valued(sum, err)
		}
	}
	return valued(sum, flushHeld(c))
}}

// flushHeld is a Flush behind an actor's last bytes, of what callbacks hold. On others' connections it might wait for
// another actor, which writes once the peer has all, and may wait for this one to read.
func flushHeld(c Conn) error {
	if _, held := c.(*eventConn); held {
		return c.Flush()
	}
	return nil
}

// writePiece writes one piece, in one of several ways. f is a file with the content of all pieces.
func (x *actor) writePiece(c Conn, f File, at int, p []byte, how int) (int, error) {
	e, held := c.(*eventConn)
	switch records := c.LocalAddr().Network() == "unixpacket"; {
	case held && how%4 == 1:
		return len(p), e.Lend(p)
	case records && how%4 == 2 && (held || len(p) > 0): // package net sends no empty records in other ways
		return c.WriteV([][]byte{p[:len(p)/2], p[len(p)/2:]})
	case records:
		return c.Write(p)
	case len(p) == 0 && !held:
		return 0, nil
	case how%4 == 2 && (held || len(p) > 0):
		return sendAll(c, nil, f, at, len(p))
	}
	return x.write(c, p, how%bigWays%3)
}

// Package net reports a record of no bytes as the end.
var readRecords = &verb{"c%[1]d.Read // %[3]d records", func(x *actor, s *Step) string {
	c := get[Conn](x, s.O)
	for i := range s.Segs {
		p, err := readN(c, 0, recordWay, 0)
		if _, held := c.(*eventConn); !held && s.Segs[i].N == 0 && err == io.EOF {
			err = nil
		}
		if bad := wrong(p, s.Segs[i:i+1]); bad != "" || err != nil {
			return fmt.Sprintf("record %d: %s, %s", i, class(err), bad)
		}
	}
	return "ok"
}}

var perish = &verb{"c%[1]d.Read(%[7]d), Close // by a callback that does not return, way %[6]d",
	func(x *actor, s *Step) string {
		c := get[Conn](x, s.O)
		if e, held := c.(*eventConn); held {
			return class(e.perish(s.How))
		}
		if _, err := io.ReadFull(c, make([]byte, total(s.Segs))); err != nil {
			return class(err)
		}
		return class(c.Close())
	}}

var stuckEnd = &verb{"c%[1]d.Write(%[7]d), Close // nobody reads", func(x *actor, s *Step) string {
	c := get[Conn](x, s.O)
	if e, held := c.(*eventConn); held {
		return e.endStuck(content(s.Segs))
	}
	c.SetWriteDeadline(time.Now().Add(soon))
	n, _ := c.Write(content(s.Segs))
	return fmt.Sprint(n < stuckSize, " ", class(c.Close()))
}}

var readSome = &verb{"c%[1]d.Read to the end // some of %[7]d", func(x *actor, s *Step) string {
	var sink bytes.Buffer
	_, err := io.Copy(&sink, plainReader{get[Conn](x, s.O)})
	seg := s.Segs[0]
	seg.N = min(seg.N, sink.Len())
	return class(err) + wrong(sink.Bytes(), []segment{seg})
}}

var stopLoop = &verb{"event.Loop.Stop() // of loop %[4]d", func(x *actor, s *Step) string {
	var conns []*eventConn
	var lns []*eventListener
	for _, id := range s.Objs {
		switch v := x.objs[id].(type) {
		case *eventConn:
			conns = append(conns, v)
		case *eventListener:
			lns = append(lns, v)
		case io.Closer:
			v.Close()
		}
	}
	if w, is := x.World.(*callbackWorld); is {
		w.stop(conns, lns)
	}
	return "ok"
}}
