//go:build linux

package event_test

import (
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"ringo"
	"ringo/event"
	"ringo/internal/test/patience"
	"ringo/internal/test/socktest"
)

// recordsEnd is an end of a connection of unixpacket, which sends records of all lengths, none among them, and wants
// each of the peer's whole and in order.
type recordsEnd struct {
	event.Base
	rng    *rand.Rand
	fail   func(format string, args ...any)
	peer   *recordsEnd
	c      *event.Conn
	left   int   // records to be sent
	sent   []int // their lengths, until the peer has them
	at     int   // of the stream that they are parts of
	got    int
	full   bool
	over   bool
	ended  bool
	owed   int
	told   int
	closed bool
}

// playRecords has two ends exchange records.
func playRecords(t *testing.T, cfg ringo.Config, rng *rand.Rand, fail func(format string, args ...any)) {
	dir, err := os.MkdirTemp("", "records") // a name that is short enough for a socket
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	var ends [2]recordsEnd
	for i := range ends {
		ends[i] = recordsEnd{rng: rng, fail: fail, peer: &ends[1-i], left: rng.IntN(300)}
	}
	onLoop(t, cfg, func(l *event.Loop) {
		var ln *event.Listener
		name := filepath.Join(dir, "s")
		ln, err := l.Listen("unixpacket", name, &once{&ends[0], func() { ln.Close() }})
		if err != nil {
			fail("Listen: %v", err)
			return
		}
		l.Dial("unixpacket", name, &ends[1])
		watch := l.AfterFunc(patience.Max/2, func() {
			fail("the records go on for ever: %d and %d are left, %v and %v were refused", ends[0].left, ends[1].left,
				ends[0].full, ends[1].full)
			l.Stop()
		})
		watch.Unref()
		if err := l.Wait(); err != nil {
			fail("Wait: %v", err)
		}
		watch.Stop()
	})
	for i := range ends {
		if e := &ends[i]; e.left > 0 || len(e.sent) > 0 || e.told != e.owed || !e.closed {
			fail("records: end %d has %d left, %d were not shown, %d of %d functions were told, closed: %v", i, e.left,
				len(e.sent), e.told, e.owed, e.closed)
		}
	}
}

func (e *recordsEnd) OnOpen(c *event.Conn) {
	e.c = c
	if e.rng.IntN(2) == 0 {
		c.SetMarks(1+e.rng.IntN(5000), 1+e.rng.IntN(5000))
	}
	e.step()
}

// step sends some records, and goes on a moment later.
func (e *recordsEnd) step() {
	if e.closed {
		return
	}
	for n := e.rng.IntN(20); n > 0 && e.left > 0 && !e.full; n-- {
		e.send()
	}
	if e.left == 0 && len(e.sent) == 0 && !e.over { // behind the end a record of no bytes would look like it
		if err := e.c.CloseWrite(); err != nil {
			e.fail("records: CloseWrite: %v", err)
		}
		e.over = true
		e.leave()
	}
	if !e.over {
		e.c.Loop().AfterFunc((&program{rng: e.rng}).moment(), e.step)
	}
}

// send sends a record.
func (e *recordsEnd) send() {
	n := 0
	if e.rng.IntN(4) > 0 {
		n = 1 + e.rng.IntN(1<<e.rng.IntN(15))
	}
	p := make([]byte, n)
	for i := range p {
		p[i] = socktest.ByteAt(e.at + i)
	}
	e.sent = append(e.sent, n)
	var err error
	switch e.rng.IntN(3) {
	case 0:
		e.owed++
		if err = e.c.WriteThen(p, func(err error) {
			if e.told++; err != nil {
				e.fail("records: a function is told %v", err)
			}
		}); err != nil {
			e.owed--
		}
	case 1:
		k := e.rng.IntN(n + 1)
		err = e.c.WriteV(p[:k], p[k:])
	default:
		err = e.c.Write(p)
	}
	if err != nil {
		e.sent = e.sent[:len(e.sent)-1]
		if e.full = err == event.ErrFull; !e.full {
			e.fail("records: a write of %d bytes: %v", n, err)
		}
		return
	}
	e.at += n
	e.left--
}

func (e *recordsEnd) OnWritable(*event.Conn) { e.full = false }

func (e *recordsEnd) OnData(c *event.Conn, p []byte) int {
	if len(e.peer.sent) == 0 {
		e.fail("records: %d bytes are shown, and nothing was sent", len(p))
		return len(p)
	}
	want := e.peer.sent[0]
	if e.peer.sent = e.peer.sent[1:]; len(p) != want {
		e.fail("records: one of %d bytes is shown, and one of %d was sent", len(p), want)
	}
	for i, b := range p {
		if b != socktest.ByteAt(e.got+i) {
			e.fail("records: byte %d of %d is another", i, len(p))
			break
		}
	}
	e.got += len(p)
	switch e.rng.IntN(32) {
	case 0:
		c.Pause()
		c.Loop().AfterFunc((&program{rng: e.rng}).moment(), c.Resume)
	case 1: // until the socket is full
		c.Pause()
		c.Loop().AfterFunc(5*time.Millisecond, c.Resume)
	}
	return len(p)
}

func (e *recordsEnd) OnEnd(*event.Conn) {
	e.ended = true
	e.leave()
}

func (e *recordsEnd) leave() {
	if e.ended && e.over {
		e.c.Close()
	}
}

func (e *recordsEnd) OnClose(_ *event.Conn, err error) {
	e.closed = true
	if err != io.EOF { // the peer has ended its side before
		e.fail("records: closed with %v", err)
	}
}
