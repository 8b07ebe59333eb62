package sock

import (
	"slices"
	"sync"
	"sync/atomic"

	"ringo"
	"ringo/internal/loop"
	"ringo/internal/sys"
)

// ListenerStats count what a listener has done since it was made.
type ListenerStats struct {
	Accepted uint64 // connections returned by Accept or taken by Serve
	Errors   uint64 // failed accepts, except those that failed because of the peer
	Backoffs uint64 // times that accepting paused because descriptors or memory were short, or after errors
	Open     int    // accepted connections that are open, on any loop
	Ahead    int    // connections that the loop has accepted ahead
	Limited  uint64 // times that accepting waited for Limits.Conns or Limits.Rate
	Refused  uint64 // connections that were reset for Limits.ConnsPerPeer; they count in nothing else

	// Queue is how many connections wait in the kernel to be accepted, QueueMax how many may: further ones are dropped,
	// and the peer tries again. Listeners that share a socket share the queue. Both are -1 if unknown, as for Unix
	// sockets.
	Queue, QueueMax int
}

// Stats returns the counts. They keep counting the listener's connections after it is closed; only the queue is unknown
// then. Any goroutine may call it; it does not wait.
func (ln *Listener) Stats() ListenerStats {
	s := ListenerStats{Queue: -1, QueueMax: -1}
	if ln.l == nil {
		return s
	}
	n := ln.counts
	closed := n.closed.Load() // first: a connection that is accepted meanwhile is not closed yet
	s.Accepted = n.accepted.Load()
	s.Errors, s.Backoffs = n.errors.Load(), n.backoffs.Load()
	s.Limited, s.Refused = n.limited.Load(), n.refused.Load()
	s.Open, s.Ahead = int(s.Accepted-closed), int(n.ahead.Load())
	ln.askQueue(&s)
	return s
}

// askQueue asks the kernel about the queue. For a TCP listener the kernel reports it in fields that mean something else
// for a connection: tcp_get_info in net/ipv4/tcp.c.
func (ln *Listener) askQueue(s *ListenerStats) {
	if ln.unix != nil {
		return
	}
	f := new(sys.TCPFields)
	n := int32(-1)
	ln.counts.mu.Lock()
	if !ln.counts.over {
		n = ln.l.Kernel().GetsockoptBytes(ln.core.FD().Sys(), protoTCP, tcpInfo, f.Bytes())
	}
	ln.counts.mu.Unlock()
	if n > 0 && TCPState(f.State) == TCPListen {
		s.Queue, s.QueueMax = int(f.Unacked), int(f.Sacked)
	}
}

// Loop returns the loop that the listener belongs to. Any goroutine may call it.
func (ln *Listener) Loop() *ringo.Loop { return (*ringo.Loop)(ln.l) }

// acceptCounts is the counters of a listener. Its connections refer to them, and not to the listener.
type acceptCounts struct {
	accepted, closed, errors, backoffs atomic.Uint64
	limited, refused                   atomic.Uint64
	ahead                              atomic.Int64
	limits                             *limiter
	mu                                 sync.Mutex // held during use of the descriptor, so that it stays open
	over                               bool
	member                             *member // of the listener's set; nil: it is of none
}

// gone counts a connection of loop l that is closed, or has left this package.
func (n *acceptCounts) gone(l *loop.Loop) {
	n.closed.Add(1)
	n.member.on(l).add(-1)
}

// endQueue keeps askQueue from using the descriptor, which is about to be closed.
func (n *acceptCounts) endQueue() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.over = true
}

// acceptedBy returns the counters of the listener that has accepted the connection, nil if none has.
func (c *Conn) acceptedBy() *acceptCounts {
	switch {
	case c.unix != nil:
		return c.unix.from
	case c.laddr != nil:
		return c.laddr.from
	}
	return nil
}

// listening is all open listeners of the process, for Listeners.
var listening listenerList

// listenerList is a list of listeners that are open.
type listenerList struct {
	mu  sync.Mutex
	all []*Listener
}

func (s *listenerList) add(ln *Listener) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all = append(s.all, ln)
}

func (s *listenerList) remove(ln *Listener) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all = slices.DeleteFunc(s.all, func(o *Listener) bool { return o == ln })
}

func (s *listenerList) list() []*Listener {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.all)
}

// Listeners returns all open listeners of the process, in the order in which they were made; it is meant for
// diagnostics. Any goroutine may call it; it does not park.
func Listeners() []*Listener { return listening.list() }
