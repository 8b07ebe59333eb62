//go:build linux

package event_test

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"ringo"
	"ringo/event"
	"ringo/internal/test/patience"
	"ringo/internal/test/socktest"
	"ringo/sim"
	"ringo/sock"
)

var (
	programSeed = flag.Uint64("programs.seed", 1, "the first seed of TestPrograms")
	programs    = flag.Int("programs", 20, "how many programs TestPrograms plays on each driver")
)

// Two ends do at random what a connection can: write in all ways, pause, keep what is shown, have slices filled, leave
// for tasks and come back, end. Some break off, of themselves or the other end, panic in what they are told, or stop
// the loop and begin anew behind that. Whatever they do, each byte comes once and in order, each is told once of each
// end, and nobody waits for ever.
func TestPrograms(t *testing.T) {
	t.Parallel()
	name := sources(t)
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		for i := range uint64(*programs) {
			seed := *programSeed + i
			rng := rand.New(rand.NewPCG(seed, 0))
			mine := cfg
			if rng.IntN(2) == 0 {
				mine.Buffers, mine.BufferSize, mine.Leases = 4<<rng.IntN(4), 64<<rng.IntN(6), 1+rng.IntN(4)
			}
			f, err := os.Open(name)
			if err != nil {
				t.Fatal(err)
			}
			fail := func(format string, args ...any) {
				t.Errorf("seed %d: "+format, append([]any{seed}, args...)...)
			}
			p := newProgram(rng, f, fail)
			p.beside = true
			mine.OnPanic = p.onPanic
			onLoop(t, mine, func(l *event.Loop) {
				p.dial(l, "tcp", p.listen(l, "127.0.0.1:0"))
			})
			f.Close()
			if p.judge(); !t.Failed() {
				playRecords(t, mine, rng, fail)
			}
			if t.Failed() {
				t.Fatalf("go test ./event -run 'TestPrograms/%s' -programs.seed %d -programs 1", cfg.Driver, seed)
			}
		}
	})
}

// The same in worlds, whose network loses packets.
func TestProgramsInWorlds(t *testing.T) {
	sim.Explore(t, *programs, func(w *sim.World) {
		rng := w.Rand()
		w.Link = sim.Link{Latency: time.Duration(rng.IntN(3)) * time.Millisecond, Loss: 0.01 * float64(rng.IntN(2))}
		p := newProgram(rng, nil, w.Errorf)
		cfg := &ringo.Config{Loops: 1, OnPanic: p.onPanic}
		server := w.Host("server").Run(cfg, func(l *ringo.Loop) error {
			e := event.On(l)
			p.listen(e, ":7000")
			return e.Wait()
		})
		w.RunFor(time.Millisecond)
		client := w.Host("client").Run(cfg, func(l *ringo.Loop) error {
			e := event.On(l)
			p.dial(e, "tcp", "server:7000")
			return e.Wait()
		})
		w.Wait(client)
		w.Wait(server)
		p.judge()
	})
}

// sources is a file that streams have parts of.
func sources(t *testing.T) string {
	name := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(name, pattern(streamMax), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// streamMax is how many bytes one end sends at most.
const streamMax = 2 << 20

// program is two ends of a connection, which do things at random.
type program struct {
	rng    *rand.Rand
	f      *os.File // nil: there are none where it is played
	fail   func(format string, args ...any)
	ends   [2]end
	beside bool // both are on one loop
	abrupt bool // an end may break the connection off
	broken bool // one has, or its loop was stopped, or something has panicked
	again  bool // an end may leave for tasks
	panics bool // what is told may panic
	stops  bool // an end may stop its loop
}

// end is one end.
type end struct {
	event.Base
	p       *program
	name    string
	peer    *end
	c       *event.Conn // nil: it is with a task
	total   int         // bytes to be sent
	sent    int         // bytes that were taken
	over    bool        // CloseWrite was called
	got     int         // bytes that were used
	shown   int         // bytes behind these that were shown
	resumed bool        // so that the same may be shown again
	ended   bool        // the peer has ended its side
	filled  []byte      // is lent to a ReadFull
	owed    int         // functions that are to be told
	told    int         // of them, in order
	full    bool        // until OnWritable is called
	steps   int
	moving  bool
	opens   int
	closed  int

	unread   int          // how much may be left
	unit     int          // of a message, behind which it pauses; 0: it has none
	watch    *event.Timer // of this connection
	turns    *event.Hook
	inTurn   int  // ReadFulls that were told in this turn
	chain    bool // each ReadFull has another one follow
	dead     bool // something has panicked while it was open, and it must end so
	stopped  bool // its loop was
	refusals int  // that are to be told
	kept     []func()
}

func newProgram(rng *rand.Rand, f *os.File, fail func(format string, args ...any)) *program {
	p := &program{rng: rng, f: f, fail: fail, abrupt: rng.IntN(4) == 0, again: rng.IntN(2) == 0,
		panics: rng.IntN(5) == 0, stops: rng.IntN(6) == 0}
	for i, name := range []string{"server", "client"} {
		e := end{p: p, name: name, peer: &p.ends[1-i], total: rng.IntN(1 << rng.IntN(22)), unread: 64 << 10,
			chain: rng.IntN(4) == 0}
		if rng.IntN(3) == 0 {
			e.unit = 1 + rng.IntN(1<<rng.IntN(12))
		}
		p.ends[i] = e
	}
	return p
}

func (p *program) listen(l *event.Loop, addr string) string {
	var ln *event.Listener
	ln, err := l.Listen("tcp", addr, &once{&p.ends[0], func() { ln.Close() }})
	if err != nil {
		p.fail("Listen: %v", err)
		return ""
	}
	return ln.Addr().String()
}

func (p *program) dial(l *event.Loop, network, addr string) { l.Dial(network, addr, &p.ends[1]) }

// judge says what is missing at the end.
func (p *program) judge() {
	for i := range p.ends {
		e := &p.ends[i]
		switch {
		case e.opens != e.closed || e.opens == 0 && !p.broken:
			p.fail("%s: opened %d times, closed %d times", e.name, e.opens, e.closed)
		case e.owed != e.told:
			p.fail("%s: %d of %d functions were told", e.name, e.told, e.owed)
		case e.filled != nil:
			p.fail("%s: a ReadFull was not told", e.name)
		case e.refusals != 0:
			p.fail("%s: %d of what was begun behind a Stop was not told that it was refused", e.name, e.refusals)
		case p.broken:
		case e.got != e.peer.total || e.sent != e.total:
			p.fail("%s: sent %d of %d, got %d of %d", e.name, e.sent, e.total, e.got, e.peer.total)
		}
	}
}

// check compares bytes with those of the peer's stream from at on.
func (e *end) check(what string, at int, p []byte) {
	for i, b := range p {
		if b != socktest.ByteAt(at+i) {
			e.p.fail("%s: %s: byte %d of the stream is another (%d of %d)", e.name, what, at+i, i, len(p))
			return
		}
	}
	if at+len(p) > e.peer.sent {
		e.p.fail("%s: %s: %d bytes have come, %d were sent", e.name, what, at+len(p), e.peer.sent)
	}
}

func (e *end) OnOpen(c *event.Conn) {
	e.c, e.moving, e.ended = c, false, false // of this connection
	e.opens++
	if e.opens != e.closed+1 {
		e.p.fail("%s: opened for the %dth time, closed %d times", e.name, e.opens, e.closed)
	}
	if rng := e.p.rng; rng.IntN(2) == 0 {
		c.SetMarks(1+rng.IntN(1<<rng.IntN(20)), 1+rng.IntN(1<<rng.IntN(20)))
	}
	switch rng := e.p.rng; rng.IntN(8) {
	case 0:
		c.Loop().SetUnsentMax(1 + rng.IntN(100_000))
	case 1, 2:
		c.Loop().SetUnsentMax(1 + rng.IntN(200))
	}
	if rng := e.p.rng; rng.IntN(3) == 0 {
		e.unread = rng.IntN(1 << rng.IntN(16))
	}
	c.SetUnreadMax(e.unread)
	e.look(c)
	e.step()
}

func (e *end) OnData(c *event.Conn, p []byte) int {
	switch {
	case e.filled != nil:
		e.p.fail("%s: shown beside a ReadFull", e.name)
	case len(p) <= e.shown && !e.resumed:
		e.p.fail("%s: shown %d bytes, of which %d are not new", e.name, len(p), e.shown)
	}
	e.check("OnData", e.got, p)
	if e.p.rng.IntN(16) == 0 {
		e.mayPanic()
	}
	used := len(p)
	switch rng := e.p.rng; {
	case e.unit > 0 && (e.peer.total < 100*e.unit || rng.IntN(8) == 0): // a message, and what follows is for later
		e.pause(c)
		used = min(len(p), e.unit)
	case rng.IntN(16) == 0: // it may leave all
		e.pause(c)
		used = rng.IntN(min(len(p), 1000) + 1)
	case rng.IntN(2) == 0:
		most := min(e.unread, 32<<10)
		if used = rng.IntN(len(p) + 1); len(p)-used > most {
			used = len(p) - most
		}
	}
	e.got += used
	e.shown, e.resumed = len(p)-used, false
	if e.p.rng.IntN(16) == 0 {
		e.keep(c, e.got-used, len(p))
	}
	if e.p.rng.IntN(4) == 0 {
		e.act()
	}
	return used
}

// pause pauses for a while.
func (e *end) pause(c *event.Conn) {
	c.Pause()
	c.Loop().AfterFunc(e.p.moment(), func() {
		if c == e.c {
			e.resumed = true
		}
		c.Resume()
	})
}

// keep keeps what is shown for a while.
func (e *end) keep(c *event.Conn, at, n int) {
	lease, err := c.Keep()
	if err != nil {
		if err != event.ErrLeases {
			e.p.fail("%s: Keep: %v", e.name, err)
		}
		return
	}
	if len(lease.Bytes()) != n {
		e.p.fail("%s: kept %d bytes of %d", e.name, len(lease.Bytes()), n)
	}
	done := false
	release := func() {
		if !done {
			done = true
			e.check("Keep", at, lease.Bytes())
			lease.Release()
		}
	}
	e.kept = append(e.kept, release)
	c.Loop().AfterFunc(e.p.moment(), release)
}

// releaseKept ends what keep has kept, by whatever connection.
func (e *end) releaseKept() {
	for _, release := range e.kept {
		release()
	}
	e.kept = nil
}

func (p *program) moment() time.Duration { return time.Duration(p.rng.IntN(500)) * time.Microsecond }

func (e *end) OnEnd(c *event.Conn) {
	if e.ended {
		e.p.fail("%s: the end is told twice", e.name)
	}
	e.ended = true
	e.leave()
}

func (e *end) OnWritable(*event.Conn) { e.full = false }

func (e *end) OnClose(c *event.Conn, err error) {
	if e.closed++; e.closed != e.opens {
		e.p.fail("%s: opened %d times, closed %d times", e.name, e.opens, e.closed)
	}
	e.c = nil
	e.watch.Stop()
	e.turns.Stop()
	if e.stopped { // and with it the timers
		e.releaseKept()
		if e.p.beside {
			e.peer.releaseKept()
		}
	}
	dead := e.dead
	if e.dead = false; e.stopped {
		e.behindStop(c.Loop())
	}
	switch {
	case dead && err != event.ErrNoReturn:
		e.p.fail("%s: something has panicked, and it closed with %v", e.name, err)
	case e.moving && err == event.ErrDetached:
	case e.p.broken:
	case err != nil && err != io.EOF || !e.ended || !e.over:
		e.p.fail("%s: closed with %v (ended: %v, over: %v)", e.name, err, e.ended, e.over)
	}
}

// leave closes the connection when both sides have ended.
func (e *end) leave() {
	if !e.ended || !e.over || e.filled != nil {
		return
	}
	if e.shown > 0 { // nobody will bring what it waits for
		e.got += e.shown
		e.shown = 0
	}
	c := e.c
	c.Close()
	e.tryClosed(c)
}

// step does something, and goes on a moment later.
func (e *end) step() {
	if e.c == nil || e.over {
		return
	}
	e.steps++
	e.act()
	if c := e.c; c != nil {
		c.Loop().AfterFunc(e.p.moment(), e.step)
	}
}

// act does one thing.
func (e *end) act() {
	c, rng := e.c, e.p.rng
	if c == nil || e.moving {
		return
	}
	switch rng.IntN(12) {
	case 0:
		e.pause(c)
	case 1:
		e.fill()
	case 2:
		switch {
		case e.steps <= 2:
		case e.p.stops:
			e.stop()
		case e.p.abrupt:
			e.breakOff()
		}
	case 3:
		if e.p.again && e.filled == nil && !e.over {
			e.move()
		}
	default:
		e.write()
	}
}

// fill has a slice be filled.
func (e *end) fill() {
	if e.filled != nil || e.ended {
		return
	}
	at := e.got
	most := 18
	if e.chain {
		most = 4
	}
	p := make([]byte, 1+e.p.rng.IntN(1<<e.p.rng.IntN(most)))
	e.filled = p
	err := e.c.ReadFull(p, func(n int, err error) {
		e.filled = nil
		e.check("ReadFull", at, p[:n])
		e.got += n
		e.shown = 0 // what it left is shown as if it were new
		if (err != nil) != (n < len(p)) {
			e.p.fail("%s: ReadFull: %d of %d, %v", e.name, n, len(p), err)
		}
		if e.inTurn++; e.inTurn > readsMost {
			e.p.fail("%s: %d ReadFulls in one turn", e.name, e.inTurn)
		}
		if e.mayPanic(); e.chain && err == nil && e.p.rng.IntN(1000) > 0 && e.c != nil {
			e.fill()
		}
	})
	if err != nil {
		e.filled = nil
		e.failed("ReadFull", err)
	}
}

// failed says of a call that it failed, if it should not have.
func (e *end) failed(call string, err error) {
	if !e.p.broken {
		e.p.fail("%s: %s: %v", e.name, call, err)
	}
}

// write sends something, in one of the ways, or ends this side.
func (e *end) write() {
	c, rng := e.c, e.p.rng
	if e.over || e.full {
		return
	}
	if e.sent == e.total {
		if err := c.CloseWrite(); err != nil {
			e.failed("CloseWrite", err)
			return
		}
		e.over = true
		e.leave()
		return
	}
	n := min(1+rng.IntN(1<<rng.IntN(20)), e.total-e.sent)
	if rng.IntN(8) == 0 {
		n = 0
	}
	p := make([]byte, n)
	for i := range p {
		p[i] = socktest.ByteAt(e.sent + i)
	}
	at := e.sent
	e.sent += n // a peer may have it before the call returns
	var err error
	switch how := rng.IntN(4); {
	case how == 0:
		err = c.WriteThen(p, e.tell())
		if err != nil {
			e.owed--
		}
	case how == 1:
		k := rng.IntN(n + 1)
		err = c.WriteV([][]byte{p[:k], nil, p[k:]})
		clear(p)
	case how == 2 && e.p.f != nil:
		err = c.SendFile(e.p.f, int64(at), int64(n), e.tell())
		if err != nil {
			e.owed--
		}
	default:
		err = c.Write(p)
		clear(p)
	}
	if err != nil {
		e.sent = at
	}
	if e.full = err == event.ErrFull; err != nil && !e.full {
		e.failed("write", err)
	}
	if e.full && !c.Congested() {
		e.p.fail("%s: a write was ErrFull, and the connection is not congested", e.name)
	}
}

// tell is a function that is to be told once, behind those before it.
func (e *end) tell() func(error) {
	mine := e.owed
	e.owed++
	return func(err error) {
		if e.told != mine {
			e.p.fail("%s: function %d is told, %d were", e.name, mine, e.told)
		}
		if e.told++; err != nil {
			e.failed("a function is told", err)
		}
		e.mayPanic()
	}
}

// move has a task go on with the connection.
func (e *end) move() {
	e.moving = true
	c := e.c
	l := c.Loop()
	if e.p.abrupt && e.p.rng.IntN(4) == 0 {
		// Behind the task, whose Detach waits by then.
		defer l.Ringo().Go(func() {
			if e.moving && e.c == c {
				e.p.broken = true
				c.Abort()
			}
		})
	}
	event.Go(l, func() (*sock.Conn, error) {
		s, err := c.Detach()
		if err != nil { // it is busy; or gone
			if e.moving = false; !e.p.broken && e.filled == nil && e.c == c && e.owed == e.told {
				e.p.fail("%s: Detach: %v", e.name, err)
			}
			return nil, nil
		}
		e.shown, e.full = 0, false
		if err = e.play(s); err == nil {
			_, err = l.Adopt(s, e)
		}
		return s, err
	}, func(s *sock.Conn, err error) {
		if err != nil {
			e.failed("a task", err)
			l.Ringo().Go(func() { s.Close() })
		}
	})
}

// play is what a task does.
func (e *end) play(s *sock.Conn) error {
	rng := e.p.rng
	for range rng.IntN(4) {
		if rng.IntN(2) == 0 {
			p := make([]byte, 1+rng.IntN(5000))
			s.SetReadDeadline(s.Loop().Now().Add(e.p.moment()))
			n, err := s.Read(p)
			e.check("Read", e.got, p[:n])
			e.got += n
			if err != nil && err != io.EOF && !errors.Is(err, os.ErrDeadlineExceeded) {
				return fmt.Errorf("Read: %w", err)
			}
			s.SetReadDeadline(time.Time{})
			continue
		}
		n := min(rng.IntN(20_000), e.total-e.sent)
		p := make([]byte, n)
		for i := range p {
			p[i] = socktest.ByteAt(e.sent + i)
		}
		e.sent += n
		// No longer than a moment: the peer may be waiting likewise.
		s.SetWriteDeadline(s.Loop().Now().Add(e.p.moment()))
		k, err := s.Write(p)
		e.sent -= n - k
		if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			return fmt.Errorf("Write: %w", err)
		}
		s.SetWriteDeadline(time.Time{})
	}
	return nil
}

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
		"WriteV": func() error { return c.WriteV([][]byte{[]byte("x"), []byte("y")}) },
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
		err = e.c.WriteV([][]byte{p[:k], p[k:]})
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
