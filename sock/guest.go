package sock

import (
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"

	"ringo/internal/fd"
	"ringo/internal/loop"
	"ringo/internal/op"
)

// guests is what a handle keeps for callers that are no tasks of its loop:
// goroutines, and tasks of other loops. It is made when the first of them calls.
//
// Each direction belongs to the loop or to the guests, one at a time:
//
//	the loop's ──a task queues for the guests, and ends what is armed──▶ the guests'
//	     ▲                                                                │
//	     └──a task comes: at once, or when the guests before it are done──┘
//
// So the loop's tasks pay nothing as long as nobody else calls, and a guest needs
// nobody: it makes the plain call, and where that would wait it parks in Go's
// netpoller, by a duplicate of the descriptor that exists while there is need for
// it. mu is never held across a wait.
type guests struct {
	l    *loop.Loop
	fd   *fd.FD
	host host

	mu      sync.Mutex
	in, out side
	file    *os.File        // the duplicate; nil while nobody needs it
	raw     syscall.RawConn // of file
	closed  bool
	stray   bool  // the handle is one, see stray.go
	orphan  bool  // the loop is done with the descriptor: the last guest has it closed
	gone    bool  // the descriptor is closed
	pinned  int32 // calls that use the descriptor's number beside the two directions
	closers line  // guests in Close

	next, prev *guests // of the loop's strays
}

// host is the handle that the guests are at, for what only it can do.
type host interface {
	// vacated says that the last guest has left the handle, which is closing. It runs on
	// the loop's thread.
	vacated()
	// discard is vacated after the loop has ended, on the thread of that guest.
	discard()
}

// lender is a host whose directions go to the guests and back. All but keeps run on
// the loop's thread.
type lender interface {
	host
	// settle ends what is armed in a direction. It runs in a task, and parks.
	settle(s *side)
	// attend says that a task of the loop has come to use the guests' calls.
	attend()
	// give hands a direction over to the guests, with what is known of it.
	give(s *side)
	// take is the way back.
	take(s *side)
	// keeps reports whether a direction has input that nobody was given yet, and that
	// the kernel no longer has. The caller has its turn, as a guest.
	keeps(s *side) bool
	// moved says that a guest has set the deadline of a direction of the loop's.
	moved(s *side)
}

func (g *guests) lender() lender { return g.host.(lender) }

// side is one direction as the guests see it.
type side struct {
	g     *guests
	lock  *turnstile    // the loop's tasks'
	limit *atomic.Int64 // the deadline, as Elapsed counts

	held     bool // by the guests, else by the loop
	onWay    bool // back to the loop, which has mail of it
	busy     bool // one of them is at it
	recalled bool // by the loop, for good
	asked    bool // the loop has been asked for it
	wanted   bool // the loop wants it back
	records  bool // each read and write is of one record
	keepsOp  bool // op stays when a guest leaves

	// Of the guest that is at it.
	watched     bool // file is there, and stays for the turn
	alone       bool // it is an ordinary goroutine, so it may block
	interrupted bool // it is a task that was cancelled

	eof   bool  // of the input that the loop had received when it gave the direction away
	err   int32 // likewise
	ahead int32 // how many of those who wait came before the loop wanted the direction back
	res   int32
	queue line

	op      *op.Op
	idle    []byte                // what op is to receive into, without op while the guest waits
	raw     func(fd uintptr) bool // to be called in place of op
	call    func(uintptr) bool    // attempt, for the netpoller; made for the first wait
	visitor *loop.Loop            // the guest is a task of this loop
	home    *homeWait             // or it is a task of the loop, which waits there
	polls   *loopWait             // or it waits by the loop, for want of descriptors
	unread  []byte                // input that the loop had received
}

// What a guest in the queue is told.
const (
	yours = iota
	over
)

func newGuests(l *loop.Loop, f *fd.FD, h host) *guests {
	g := &guests{l: l, fd: f, host: h}
	for _, s := range [...]*side{&g.in, &g.out} {
		s.g = g
	}
	return g
}

// ops is ops of guests, each for one turn.
var ops = sync.Pool{New: func() any { return new(op.Op) }}

// prepare makes op what a turn begins with.
func (s *side) prepare() {
	if s.keepsOp {
		return
	}
	s.op = ops.Get().(*op.Op)
	s.op.FD, s.op.Code = s.g.fd, op.Send
	if s.reads() {
		s.op.Code = op.Recv
	}
}

// reads reports which direction it is.
func (s *side) reads() bool { return s == &s.g.in }

// visited is a handle that makes room for guests when the first of them comes.
type visited interface{ newGuests() *guests }

// guestsOf gives the guests of a handle of l.
func guestsOf(l *loop.Loop, at *atomic.Pointer[guests], h visited) (*guests, error) {
	if at.Load() == nil {
		if l.Ended() {
			return nil, net.ErrClosed
		}
		at.CompareAndSwap(nil, h.newGuests())
	}
	g := at.Load()
	if g == nobody {
		return nil, net.ErrClosed
	}
	return g, nil
}

// nobody stands for the guests of a handle that was closed before one came.
var nobody = &guests{closed: true, gone: true}

// enter gives a guest its turn in a direction.
func (g *guests) enter(s *side) error {
	g.mu.Lock()
	if s.free() {
		s.begin()
		g.mu.Unlock()
		return nil
	}
	over := g.closed || s.recalled
	g.mu.Unlock()
	if over {
		return net.ErrClosed
	}
	return g.queueFor(s)
}

// free reports whether a guest may have the direction now.
func (s *side) free() bool { return s.held && !s.busy && !s.wanted && !s.g.closed }

func (s *side) begin() {
	s.busy = true
	s.watched = s.g.file != nil
	s.alone, s.visitor = false, nil
	s.prepare()
}

// queueFor waits for a turn, and sees to it that there will be one.
func (g *guests) queueFor(s *side) error {
	l, t := loop.Current()
	g.mu.Lock()
	switch {
	case g.closed, s.recalled:
		g.mu.Unlock()
		return net.ErrClosed
	case s.free():
		s.begin()
		g.mu.Unlock()
		return nil
	}
	p := new(waiter)
	p.Begin(l, t)
	s.queue.push(p)
	ask := !s.held && !s.asked
	s.asked = s.asked || ask
	g.mu.Unlock()
	if ask && !g.l.StartFrom((*takeover)(s)) {
		g.shut() // the loop is gone, and with it whoever could give the direction away
	}
	which, ok := p.Park()
	if !ok {
		g.giveUp(s, p)
	}
	switch {
	case !ok:
		return l.Cause()
	case which == over:
		return net.ErrClosed
	}
	return nil
}

// giveUp takes a cancelled task out of the queue.
func (g *guests) giveUp(s *side, p *waiter) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if i, ok := s.queue.remove(p); ok && i < int(s.ahead) {
		s.ahead--
	}
}

// next gives the turn to the first in the queue; nil if there is nobody. The caller
// wakes it when it has unlocked.
func (s *side) next() *waiter {
	for s.queue.first != nil {
		if s.wanted && s.ahead == 0 {
			return nil
		}
		p := s.queue.pop()
		if s.ahead > 0 {
			s.ahead--
		}
		if p.Claim(yours) {
			s.begin()
			return p
		}
	}
	return nil
}

// leave ends a guest's turn.
func (g *guests) leave(s *side) {
	s.raw = nil
	if s.keepsOp {
		s.op.Buf = nil
	} else {
		*s.op = op.Op{}
		ops.Put(s.op)
		s.op = nil
	}
	g.mu.Lock()
	if s.interrupted {
		s.interrupted = false
		g.setDeadline(s)
	}
	s.busy = false
	if g.closed {
		if s.wanted { // by tasks that are to hear of the end
			s.held, s.wanted, s.ahead, s.onWay = false, false, 0, true
			g.l.Call(s.returned)
		}
		g.left()
		return
	}
	p := s.next()
	back := p == nil && s.wanted
	if back {
		s.held, s.wanted, s.ahead, s.onWay = false, false, 0, true
		s.asked = s.queue.first != nil
	}
	g.unwatch()
	g.mu.Unlock()
	switch {
	case p != nil:
		p.Wake()
	case back:
		g.l.Call(s.returned)
	}
}

// left sees to the end of a handle that is closed, when somebody has left it. The
// caller holds mu, which it gives back.
func (g *guests) left() {
	idle := !g.in.busy && !g.out.busy
	if idle {
		g.closeFile()
	}
	last, stray := idle && g.pinned == 0 && g.orphan, g.stray
	g.gone = g.gone || last && stray
	g.mu.Unlock()
	if last && (stray || !g.l.Call(g.host.vacated)) {
		g.host.discard()
	}
}

// shut ends the guests' time: who waits for a turn is told, and who waits in Go's
// netpoller finds its time over. To close the duplicate under them would wait for them.
func (g *guests) shut() {
	if g == nobody {
		return
	}
	g.mu.Lock()
	if g.closed {
		g.mu.Unlock()
		return
	}
	told := g.shutLocked()
	g.mu.Unlock()
	told.wake()
	if !g.l.Ended() {
		g.in.home.abort()
		g.out.home.abort()
	}
}

// shutLocked is shut under mu. The caller wakes those it gives.
func (g *guests) shutLocked() (told line) {
	g.closed = true
	told = claimAll(&g.in.queue, &g.out.queue)
	if !g.in.busy && !g.out.busy {
		g.closeFile()
	} else if g.file != nil {
		g.file.SetDeadline(longAgo)
	}
	g.in.polls.tell()
	g.out.polls.tell()
	return told
}

// claimAll takes all out of queues whose wait is over. The caller holds mu, and wakes
// those it gives when it has unlocked.
func claimAll(queues ...*line) (told line) {
	for _, q := range queues {
		for w := q.pop(); w != nil; w = q.pop() {
			if w.Claim(over) {
				told.push(w)
			}
		}
	}
	return told
}

// inherit leaves the descriptor, with which the loop is done, to the guests that
// still use it; false if there are none.
func (g *guests) inherit() bool {
	if g == nobody {
		return false
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.orphan = g.in.busy || g.out.busy || g.pinned > 0
	return g.orphan
}

// leaving reports whether the descriptor was left to guests that have been told to go,
// and that nothing but their own way out keeps at it.
func (g *guests) leaving() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.orphan && !g.gone && g.pinned == 0
}

// plain asks the kernel for something that does not wait, which needs no turn.
func (g *guests) plain(ask question) (int32, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return 0, net.ErrClosed
	}
	return ask(g.l.Kernel(), g.fd.Sys()), nil
}

// close has the loop close the handle by begin, and waits until that is done.
func (g *guests) close(begin func()) error {
	l, t := loop.Current()
	g.mu.Lock()
	if g.gone {
		g.mu.Unlock()
		return nil
	}
	p := new(waiter)
	p.Begin(l, t)
	g.closers.push(p)
	g.mu.Unlock()
	if l != nil {
		l.Shield()
		defer l.Unshield()
	}
	if !g.l.Call(begin) {
		g.letGo() // the loop ends, and closes what is open on it
	}
	p.Park()
	return nil
}

// concluded tells guests in Close that the descriptor is gone.
func (g *guests) concluded() {
	if g == nobody {
		return
	}
	g.mu.Lock()
	g.gone = true
	g.mu.Unlock()
	g.letGo()
}

// letGo ends the waits of guests in Close.
func (g *guests) letGo() {
	g.mu.Lock()
	told := claimAll(&g.closers)
	g.mu.Unlock()
	told.wake()
}
