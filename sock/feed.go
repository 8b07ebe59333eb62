package sock

import (
	"cmp"
	"context"
	"errors"
	"net"
	"os"
	"slices"
	"sync"
	"sync/atomic"

	"ringo"
	"ringo/internal/handle"
	"ringo/internal/loop"
	"ringo/internal/posix"
	"ringo/internal/rt/code"
)

// A Feed sends messages to all connections that follow it, of any number of loops. The bytes of a message are in memory
// once, however many connections it goes to, and one slow peer delays no other: messages wait for it, up to a bound;
// beyond that the Feed's policy applies. A connection gets whole messages, in the order in which they were published,
// between its other writes. A message that has begun is sent whole, even if the connection is closed (see Conn.Write
// for how long) or moved, or its write deadline passes.
//
// The zero Feed is ready; its fields must not be changed after its first use, and it must not be copied. It is for
// plain connections: TLS encrypts each message for each peer, so with TLS call Write for each connection.
type Feed struct {
	// Waiting is how many messages may wait for one connection whose peer reads too slowly, in addition to the message
	// that is being sent, or to up to 16 KiB of short ones that came together; the default is 64. With 1 and DropOldest
	// a slow peer gets the latest state and not what led there.
	Waiting int
	// Slow is what happens when another message comes.
	Slow SlowPolicy

	mu     sync.Mutex
	parts  []*feedPart
	last   uint64           // number of the last message
	behind *ringo.Semaphore // counts messages that some loop has not passed on

	conns           atomic.Int64
	dropped, closed atomic.Uint64
}

// SlowPolicy is what a Feed does with a message for a connection that already has Feed.Waiting messages waiting.
type SlowPolicy int

const (
	// DropNewest drops the message for this connection.
	DropNewest SlowPolicy = iota
	// DropOldest drops the message that has waited longest.
	DropOldest
	// CloseSlow closes the connection, as CloseSoon does, so that no peer misses a message without noticing.
	CloseSlow
)

// FeedStats counts what a Feed has done.
type FeedStats struct {
	Conns     int    // that follow it, and those that were closed since the last message
	Published uint64 // messages
	Dropped   uint64 // messages, once for each connection that missed one, or for which it was too long a record
	Closed    uint64 // connections that were too slow, by CloseSlow
}

const (
	waitingDefault = 64
	// behindMax is how many messages may wait for some loop to pass them on. At the bound Publish waits.
	behindMax = 256
	// joinedMax is how many bytes of messages that came together are sent by one call, unless the first alone is
	// longer.
	joinedMax = 16 << 10
	// sweepFirst is how many followers a loop has before it looks for closed ones among them.
	sweepFirst = 64
)

// feedMessage is a published message.
type feedMessage struct {
	f      *Feed
	p      []byte
	number uint64
	left   atomic.Int32 // loops that have not passed it on, and one for its publisher
}

// passed notes that a loop has passed the message on, or that its publisher is done. The last of them makes room for
// another message.
func (m *feedMessage) passed() {
	if m.left.Add(-1) == 0 {
		m.f.behind.Release(1)
	}
}

// feedPart is the followers on one loop.
type feedPart struct {
	f       *Feed
	l       *loop.Loop
	come    []*feedMessage // under f.mu
	passing bool           // under f.mu: a task passes messages on, or was started to

	// Only the loop uses these:
	all   []*follower
	of    map[*Conn]*follower
	walk  bool // all is being walked: followers may be appended to it, and not removed
	gone  int  // how many of all are gone
	sweep int  // how long all is when makeRoom looks for closed connections
}

// follower is a connection that follows the feed.
type follower struct {
	part    *feedPart
	c       *Conn
	since   uint64   // the number of the last message before Add
	waiting [][]byte // messages of which nothing was sent
	sending bool     // a task of its own sends them
	gone    bool
}

// Publish sends p to all connections that follow the feed; an empty p is not sent. p must not be changed afterwards. It
// does not wait for peers; it waits while there are 256 messages that some loop has not passed on to its connections: a
// task parks, a goroutine blocks. The error is that of ringo.Semaphore.Acquire with ctx, and nothing is sent then. Any
// goroutine may call it.
func (f *Feed) Publish(ctx context.Context, p []byte) error {
	if len(p) == 0 {
		return nil
	}
	f.mu.Lock()
	behind := f.open()
	f.mu.Unlock()
	if err := behind.Acquire(ctx, 1); err != nil {
		return err
	}
	f.mu.Lock()
	f.last++
	m := &feedMessage{f: f, p: p, number: f.last}
	m.left.Store(int32(len(f.parts)) + 1)
	var ended []*feedPart
	for _, part := range f.parts {
		part.come = append(part.come, m)
		if !part.passing {
			part.passing = true
			if !part.l.StartOpen(part) {
				ended = append(ended, part)
			}
		}
	}
	for _, part := range ended {
		part.end()
	}
	f.mu.Unlock()
	m.passed()
	return nil
}

// open makes what a zero Feed lacks, and returns its semaphore. The caller holds the lock.
func (f *Feed) open() *ringo.Semaphore {
	if f.behind == nil {
		f.behind = ringo.NewSemaphore(behindMax)
	}
	return f.behind
}

// part returns the part of a loop, nil if the loop has no followers. The caller holds the lock.
func (f *Feed) part(l *loop.Loop) *feedPart {
	for _, part := range f.parts {
		if part.l == l {
			return part
		}
	}
	return nil
}

// Add makes a connection follow the feed, from the next message on. It follows until Remove, or until it is closed or
// moved, or can't send any more; messages that wait for it then count as dropped. After a write deadline messages wait
// until the deadline has been moved and another message comes. If the connection follows already, Add does nothing.
// Only a task of the connection's loop may call it; other callers get ringo.ErrNotTask. It does not park.
func (f *Feed) Add(c *Conn) error {
	if err := c.forTasks("follow"); err != nil {
		return err
	}
	f.mu.Lock()
	part := f.part(c.l)
	if part == nil {
		part = &feedPart{f: f, l: c.l, of: map[*Conn]*follower{}}
		f.parts = append(f.parts, part)
	}
	last := f.last
	f.mu.Unlock()
	if part.of[c] == nil {
		part.makeRoom()
		s := &follower{part: part, c: c, since: last}
		part.of[c] = s
		part.all = append(part.all, s)
		f.conns.Add(1)
	}
	return nil
}

// Remove ends what Add began: the connection gets no more messages, not even those that wait; one that has begun is
// sent whole. Only a task of the connection's loop may call it; other callers get ringo.ErrNotTask. It does not park.
func (f *Feed) Remove(c *Conn) error {
	if err := c.forTasks("follow"); err != nil && !errors.Is(err, net.ErrClosed) {
		return err
	}
	f.mu.Lock()
	part := f.part(c.l)
	f.mu.Unlock()
	if part != nil && part.of[c] != nil {
		part.of[c].leave()
	}
	return nil
}

// Stats returns the counts so far. Any goroutine may call it; it does not park.
func (f *Feed) Stats() FeedStats {
	f.mu.Lock()
	published := f.last
	f.mu.Unlock()
	return FeedStats{int(f.conns.Load()), published, f.dropped.Load(), f.closed.Load()}
}

// Run passes new messages on to the followers, in a task of their loop.
func (p *feedPart) Run() {
	come := p.take()
	defer func() {
		if come == nil {
			return
		}
		for _, m := range come { // the simulated host has crashed
			m.passed()
		}
		p.Refused()
	}()
	for come != nil {
		p.pass(come)
		passed := come
		come = p.take()
		for _, m := range passed {
			m.passed()
		}
	}
}

// Code shows the task under the name of Publish, which has started it.
func (*feedPart) Code() code.Func { return code.Of((*Feed).Publish) }

// take takes new messages, as many as are sent together. If there are none it returns nil, and the task has to end.
func (p *feedPart) take() []*feedMessage {
	p.f.mu.Lock()
	defer p.f.mu.Unlock()
	n, size := 0, 0
	for n < len(p.come) && (n == 0 || size+len(p.come[n].p) <= joinedMax) {
		size += len(p.come[n].p)
		n++
	}
	if n == 0 {
		p.come, p.passing = nil, false
		if len(p.of) == 0 {
			p.drop()
		}
		return nil
	}
	come := p.come[:n:n]
	p.come = p.come[n:]
	return come
}

// Refused is called if the loop has ended before the task has.
func (p *feedPart) Refused() {
	p.f.mu.Lock()
	defer p.f.mu.Unlock()
	p.end()
}

// end drops the part of a loop that has ended, and its connections with it. The caller holds the lock.
func (p *feedPart) end() {
	for _, m := range p.come {
		m.passed()
	}
	p.come = nil
	p.f.conns.Add(-int64(len(p.of)))
	p.drop()
}

// drop takes the part out of the feed. The caller holds the lock.
func (p *feedPart) drop() {
	p.f.parts = slices.DeleteFunc(p.f.parts, func(other *feedPart) bool { return other == p })
}

// pass sends messages to all followers. Those that are added meanwhile have missed the messages.
func (p *feedPart) pass(come []*feedMessage) {
	joined := come[0].p
	if len(come) > 1 {
		joined = nil
		for _, m := range come {
			joined = append(joined, m.p...)
		}
	}
	p.walk = true
	for i := 0; i < len(p.all); i++ {
		p.l.ChargeAndYield()
		s := p.all[i]
		if s.since < come[0].number && !s.c.records() {
			s.pass(come, joined)
			continue
		}
		for j, m := range come {
			if m.number > s.since {
				s.pass(come[j:j+1], m.p)
			}
		}
	}
	p.walk = false
	p.tidy()
}

// makeRoom drops closed connections, once there are twice as many followers as the last sweep has left.
func (p *feedPart) makeRoom() {
	if len(p.all) < p.sweep || p.walk {
		return
	}
	p.walk = true
	for _, s := range p.all {
		if !s.gone && s.c.core.State(handle.Out) == net.ErrClosed {
			s.leave()
		}
	}
	p.walk = false
	p.tidy()
	p.sweep = max(sweepFirst, 2*len(p.of))
}

// tidy removes the followers that are gone, once they are at least half of all.
func (p *feedPart) tidy() {
	if p.walk || p.gone == 0 || 2*p.gone < len(p.all) {
		return
	}
	p.all = slices.DeleteFunc(p.all, func(s *follower) bool { return s.gone })
	p.gone = 0
}

// leave ends the follower: it gets no more messages.
func (s *follower) leave() {
	if s.gone {
		return
	}
	s.gone, s.waiting = true, nil
	p := s.part
	p.gone++
	p.f.conns.Add(-1)
	delete(p.of, s.c)
	p.tidy()
}

// lose is leave for a connection that can't send any more.
func (s *follower) lose() {
	s.part.f.dropped.Add(uint64(len(s.waiting)))
	s.leave()
}

// pass sends as many of the messages as there is room for; joined is all of them in one piece. It keeps the others
// waiting, and starts a task to send them.
func (s *follower) pass(come []*feedMessage, joined []byte) {
	begun := 0
	if !s.sending && len(s.waiting) == 0 && !s.gone {
		begun = s.try(come, joined)
	}
	for _, m := range come[begun:] {
		if !s.gone {
			s.keep(m.p)
		}
	}
	if !s.sending && len(s.waiting) > 0 {
		s.sending = true
		s.part.l.Start(s)
	}
}

// try sends what there is room for, and returns how many messages it has begun to send.
func (s *follower) try(come []*feedMessage, joined []byte) (begun int) {
	c := s.c
	if c.core.CheckNow() != nil {
		s.leave()
		return 0
	}
	a, ok := c.core.TryEnter(handle.Out)
	if !ok {
		return 0
	}
	defer c.core.Leave(a)
	if c.core.HasUnsent() {
		return 0
	}
	sent, ok := s.send(joined, len(come))
	if !ok {
		return len(come)
	}
	for begun < len(come) && sent > 0 {
		m := come[begun].p
		if sent < len(m) { // the loop sends the rest, as it does with an accepted write
			c.core.SendLater(m[sent:])
			sent = len(m)
		}
		sent -= len(m)
		begun++
	}
	return begun
}

// send sends as much of p, one or more messages, as there is room for. The caller has access. ok is false if the send
// failed for good: no part of p must be sent again then. taken is how many of the messages are not among those that
// wait, and are lost as these are.
func (s *follower) send(p []byte, taken int) (n int, ok bool) {
	n, err := s.c.tryWriteOwn(p, true)
	switch {
	case err == nil, errors.Is(err, os.ErrDeadlineExceeded): // which may be moved
		return n, true
	case errors.Is(err, posix.EMSGSIZE):
		s.part.f.dropped.Add(1)
	default:
		s.part.f.dropped.Add(uint64(taken))
		s.lose()
	}
	return 0, false
}

// keep makes a message wait. If there is no place for it, the policy decides.
func (s *follower) keep(p []byte) {
	f := s.part.f
	if s.c.core.State(handle.Out) == net.ErrClosed {
		s.leave()
		return
	}
	if len(s.waiting) >= cmp.Or(max(f.Waiting, 0), waitingDefault) {
		switch f.Slow {
		case DropOldest:
			s.first()
			f.dropped.Add(1)
		case CloseSlow:
			f.closed.Add(1)
			s.c.CloseSoon()
			s.leave()
			return
		default:
			f.dropped.Add(1)
			return
		}
	}
	s.waiting = append(s.waiting, p)
}

// first removes the message that has waited longest, and returns it.
func (s *follower) first() (p []byte) {
	p = s.waiting[0]
	n := copy(s.waiting, s.waiting[1:])
	s.waiting[n] = nil
	s.waiting = s.waiting[:n]
	return p
}

// Run sends the waiting messages, in a task. It ends once none waits, so a peer that is fast again costs no task.
func (s *follower) Run() {
	defer func() { s.sending = false }()
	for len(s.waiting) > 0 {
		if err := s.sendFirst(); errors.Is(err, os.ErrDeadlineExceeded) {
			return // until the next message, since the deadline may be moved
		} else if err != nil {
			s.lose()
		}
	}
	s.waiting = nil
}

// sendFirst sends the message that has waited longest, once everything that was written before it is sent.
func (s *follower) sendFirst() error {
	c := s.c
	a, err := c.enterOutput()
	if err != nil {
		return err
	}
	defer c.core.Leave(a)
	if err := c.core.SentFirst(); err != nil {
		return err
	}
	switch {
	case c.core.HasFailed(): // the next call of the program's is to be told
		return net.ErrClosed
	case len(s.waiting) == 0: // it has left the feed
		return nil
	}
	if err := c.core.State(handle.Out); err != nil {
		return err
	}
	p := s.waiting[0]
	n, ok := s.send(p, 0)
	if n == 0 && ok && c.core.HasUnsent() || s.gone {
		return nil
	}
	s.first()
	switch {
	case !ok || n == len(p):
	case c.records(): // a record is sent whole or not at all
		if _, err = c.writeOwn(p); err != nil && !s.gone {
			s.waiting = slices.Insert(s.waiting, 0, p) // to be sent after a deadline, or lost with the others
		}
	default:
		c.core.SendLater(p[n:])
	}
	return err
}

// Code shows the task under the name of Publish, whose messages it sends.
func (s *follower) Code() code.Func { return code.Of((*Feed).Publish) }
