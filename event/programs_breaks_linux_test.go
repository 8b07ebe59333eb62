//go:build linux

package event_test

import (
	"errors"
	"net"
	"runtime"
	"strings"

	"ringo"
	"ringo/event"
	"ringo/internal/test/patience"
)

// readsMost is how many ReadFulls of one connection may be told in one turn: 64 of what is there already, and some at
// its ends.
const readsMost = 80

// planned is what functions panic with that are to.
const planned = "event_test: as it is planned"

// onPanic takes what was planned, and fails for all else.
func (p *program) onPanic(_ *ringo.Loop, v any, stack []byte) {
	if v != planned {
		p.fail("a panic: %v\n%s", v, stack)
	}
}

// look watches over a connection: it counts what happens in a turn, and ends one that waits for ever.
func (e *end) look(c *event.Conn) {
	e.turns = c.Loop().Check(func() { e.inTurn = 0 })
	e.turns.Unref()
	e.inTurn = 0
	e.watch = c.Loop().AfterFunc(patience.Max/2, func() {
		if !e.p.broken {
			e.p.fail("%s: it goes on for ever: sent %d of %d, got %d of %d, refused: %v, over: %v, ended: %v", e.name,
				e.sent, e.total, e.got, e.peer.total, e.full, e.over, e.ended)
			e.p.broken = true
		}
		c.Abort()
	})
	e.watch.Unref()
}

// isOpen reports whether a connection has not begun to close.
func isOpen(c *event.Conn) bool { return !errors.Is(c.Write(nil), net.ErrClosed) }

// mayPanic panics now and then, where that is to be: the connection ends by it.
func (e *end) mayPanic() {
	if !e.p.panics || e.p.rng.IntN(4) > 0 {
		return
	}
	e.dead = e.c != nil && !e.moving && isOpen(e.c)
	e.p.broken = true
	if e.p.rng.IntN(4) == 0 {
		runtime.Goexit()
	}
	panic(planned)
}

// breakOff ends the connection, at this end or at the other.
func (e *end) breakOff() {
	c, rng := e.c, e.p.rng
	if e.p.beside && e.peer.c != nil && rng.IntN(2) == 0 {
		c = e.peer.c
	}
	if e.p.broken = true; rng.IntN(2) == 0 {
		c.Abort()
	} else {
		c.Close()
	}
	if c == e.c {
		e.tryClosed(c)
	} else if !e.peer.moving {
		e.peer.tryClosed(c)
	}
}

// tryClosed wants of a connection that was closed in this turn that nothing begins on it any more.
func (e *end) tryClosed(c *event.Conn) {
	for name, call := range map[string]func() error{
		"Write":  func() error { return c.Write([]byte("x")) },
		"WriteV": func() error { return c.WriteV([]byte("x"), []byte("y")) },
		"WriteThen": func() error {
			return c.WriteThen([]byte("x"), func(error) { e.p.fail("%s: WriteThen is told", e.name) })
		},
		"CloseWrite": c.CloseWrite,
		"ReadFull": func() error {
			return c.ReadFull(make([]byte, 1), func(int, error) { e.p.fail("%s: ReadFull is told", e.name) })
		},
	} {
		if err := call(); !errors.Is(err, net.ErrClosed) && !(e.over && strings.Contains(err.Error(), "writing side")) {
			e.p.fail("%s: %s of what was closed in this turn: %v", e.name, name, err)
		}
	}
	c.Pause()
	c.Resume()
	c.Close()
}

// stop stops the loop, with all that is on it.
func (e *end) stop() {
	e.p.broken, e.stopped = true, true
	if e.p.beside {
		e.peer.stopped = true
	}
	l := e.c.Loop()
	l.Stop()
	e.behindStop(l)
}

// behindStop begins things that are to be refused, each of which is told so once or does nothing. What is begun by who
// is told is told to nobody.
func (e *end) behindStop(l *event.Loop) {
	if e.p.rng.IntN(4) == 0 {
		return
	}
	never := func(what string) func() {
		return func() { e.p.fail("%s: %s goes on behind a Stop", e.name, what) }
	}
	refused := func(what string) func(err error) {
		e.refusals++
		told := 0
		return func(err error) {
			e.refusals--
			if told++; told > 1 || err != event.ErrStopped {
				e.p.fail("%s: %s behind a Stop is told %v for the %dth time", e.name, what, err, told)
				return
			}
			again := &funcs{open: func(*event.Conn) { never("a dial by who was refused one")() },
				close: func(*event.Conn, error) { never("the word of a dial by who was refused one")() }}
			l.Dial("tcp", "127.0.0.1:1", again)
			l.AfterFunc(0, never("a timer of who was refused something"))
		}
	}
	told := refused("a dial")
	l.Dial("tcp", "127.0.0.1:1", &funcs{open: func(*event.Conn) { never("a dial")() },
		close: func(_ *event.Conn, err error) { told(err) }})
	worked := refused("work")
	event.Go(l, func() (int, error) { never("work")(); return 0, nil }, func(_ int, err error) { worked(err) })
	l.AfterFunc(0, never("a timer"))
	l.Every(1, never("a timer"))
	l.Prepare(never("a hook"))
	if _, err := l.Listen("tcp", "127.0.0.1:0", &funcs{}); err != event.ErrStopped {
		e.p.fail("%s: a Listen behind a Stop: %v", e.name, err)
	}
}
