package memkernel

// While the way back is open, arriving bytes are acknowledged at once, which needs no event. While it is cut, the
// sender keeps what it has sent, assumes only the room that it was told of, and asks again at Linux's intervals.

// acknowledgement is what a packet says about the other direction: up to where the stream has arrived, and up to where
// there is room for it, both counted from the first byte.
type acknowledgement struct{ upTo, edge uint64 }

// flies records that bytes have left; an end counts as one.
func (s *socket) flies(n int) {
	s.flying += n
	s.sent += uint64(n)
}

// came returns up to where the stream has arrived at the peer.
func (s *socket) came() uint64 { return s.sent - uint64(s.flying) }

// has returns what a packet that leaves now says about the other direction.
func (s *socket) has() acknowledgement {
	return acknowledgement{s.peer.came(), s.seen + uint64(s.rcvbuf())}
}

// unheard reports whether nothing comes back to a sender, because the way is cut.
func (s *socket) unheard() bool {
	n, p := s.h.net, s.peer
	return p != nil && !n.near(s.h, p.h) && n.link(p.h, s.h).Cut
}

// arrived records that bytes have arrived. They are acknowledged, unless the acknowledgement is lost.
func (y *way) arrived(length int) {
	s := y.from
	if s.way != y { // the socket has another connection by now
		return
	}
	if s.flying -= length; s.unheard() {
		y.await()
		return
	}
	s.acked = s.came()
	s.orphaned()
	if y.asks != nil {
		y.settle()
	}
	if s.writable() {
		s.tell()
	}
}

// hears handles an acknowledgement.
func (y *way) hears(a acknowledgement) {
	s := y.from
	if s.way != y || s.state != connected {
		return
	}
	more := a.upTo > s.acked
	s.acked, s.edge = max(s.acked, a.upTo), max(s.edge, a.edge)
	y.settle()
	if s.orphaned(); s.said && s.ended && s.acked == s.sent {
		s.settled()
		s.tell()
		return
	}
	s.pump()
	if more && s.writable() {
		s.tell()
	}
}

// room returns how many bytes may leave: those that the peer has room for, as far as the sender knows of that.
func (s *socket) room() int {
	p := s.peer
	room := p.rcvbuf() - p.in.len() - s.flying
	if told := int(s.edge - s.sent); told < room {
		if !s.unheard() {
			s.edge = p.seen + uint64(p.rcvbuf())
			return room
		}
		if room = told; room <= 0 {
			s.way.await()
		}
	}
	return room
}

// await makes the sender ask until an acknowledgement comes, or its patience ends.
func (y *way) await() {
	s := y.from
	if y.asks != nil || s.state != connected || s.vanished {
		return
	}
	y.silent, y.pause = s.h.w.Now(), retransmitFirst
	y.wait()
}

// wait plans the next question.
func (y *way) wait() { y.asks = y.from.h.w.After(min(y.pause, y.left(y.silent)), y.ask) }

// settle ends the questions, or starts again if not everything has been acknowledged.
func (y *way) settle() {
	s := y.from
	s.h.w.Drop(y.asks)
	if y.asks = nil; s.acked < s.came() {
		y.await()
	}
}

// ask sends again what has not been acknowledged, or probes a window that was reported as closed.
func (y *way) ask() {
	y.asks = nil
	s, p := y.from, y.to
	n := s.h.net
	if s.way != y || s.state != connected {
		return
	}
	if y.left(y.silent) <= 0 {
		s.timedOut()
		return
	}
	y.pause = min(2*y.pause, retransmitLast)
	y.wait()
	n.once(n.link(s.h, p.h), s.h, p.h, func() {
		switch {
		case p.h.down:
		case y.forgotten():
			y.refused()
		case p.peer != s:
		case p.forgot():
			p.sendReset()
		default:
			a := p.has()
			n.once(n.link(p.h, s.h), p.h, s.h, func() { y.hears(a) })
		}
	})
}
