package memkernel

import (
	"time"

	"ringo/internal/sim/world"
	"ringo/internal/sys"
)

// rightsAt is descriptors that come with a byte of a stream.
type rightsAt struct {
	at    uint64 // the number of that byte, counted from the first
	files []*openFile
}

// send accepts bytes of a stream.
func (s *socket) send(bufs [][]byte, files []*openFile) int32 {
	switch {
	case s.state == listening, s.state == fresh, s.state == connecting:
		if e := s.takeErr(); e != 0 {
			return -e
		}
		if s.state == connecting {
			return -sys.EAGAIN
		}
		if s.family == sys.AFUnix {
			return -sys.ENOTCONN
		}
		return -sys.EPIPE
	case s.err != 0 && s.family != sys.AFUnix: // only reads report it
		return -s.takeErr()
	case s.shutOut, s.state == closed:
		return -sys.EPIPE
	}
	total, room := size(bufs), s.sendRoom()
	if total == 0 {
		return 0
	}
	if room <= 0 {
		return -sys.EAGAIN
	}
	room = s.h.part(StreamSend, min(room, total))
	if len(files) > 0 && s.peer != nil {
		at := s.peer.seen + uint64(s.peer.in.len()+s.flying+s.out.len())
		for _, f := range files {
			f.refs++
		}
		s.peer.rights = append(s.peer.rights, rightsAt{at, files})
	}
	n := 0
	for _, b := range bufs {
		b = b[:min(len(b), room-n)]
		s.out.put(b)
		n += len(b)
	}
	s.pump()
	return int32(n)
}

// pump sends what has been accepted, as far as the peer has room.
func (s *socket) pump() {
	p := s.peer
	if p == nil || s.way == nil || s.said || s.vanished || s.state != connected {
		return
	}
	for s.out.len() > 0 {
		room := s.out.len() // no one receives it: it will be refused
		if !p.refuses() && !s.queues() {
			room = s.room()
		}
		if room <= 0 {
			return
		}
		length := min(room, segmentMax, s.out.len())
		if length > 1 && s.h != p.h && s.h.net.splits(s.h, p.h) {
			length = 1 + s.h.w.Rand().IntN(length-1)
			s.way.last = world.Sum(max(s.way.last, s.h.w.Now()), s.h.w.Rand().Int64N(int64(splitMost)))
		}
		s.way.send(length+40, s.fly(length).arrives)
		if s.state != connected {
			return
		}
	}
	if s.shutOut && !s.said {
		s.said, s.closedFirst = true, !s.ended
		s.flies(1)
		y := s.way
		y.send(40, world.NewEvent(func() {
			if y.forgotten() {
				y.refused()
				return
			}
			if p.forgot() {
				p.sendReset()
				return
			}
			p.ended = true
			if p.said && s.ended {
				p.settled()
				if !s.unheard() { // or it has to hear that its end has come: LAST_ACK
					s.settled()
					s.tell()
				}
			}
			p.tell()
			y.arrived(1)
		}))
	}
}

// splitMost is how much later the second part of a split segment arrives at most.
const splitMost = time.Millisecond

// segmentMax is the most bytes that travel as one segment.
const segmentMax = 1 << 16

// arrived takes in bytes from the peer.
func (s *socket) arrived(data []byte) {
	switch {
	case s.h.down:
	case s.forgot():
		s.sendReset()
	case s.refuses() && s.state == connected && s.family != sys.AFUnix:
		s.reset(sys.ECONNRESET) // no one will read them, so the peer is told
	case s.gone, s.shutIn && s.family == sys.AFUnix, s.state == closed:
	default:
		s.in.put(data)
		s.tell()
	}
}

// refuses reports whether no one will read bytes that come. After a shutdown of reading alone they are queued, as on
// Linux.
func (s *socket) refuses() bool { return s.gone || s.shutIn && s.said }

// receive takes bytes of a stream.
func (s *socket) receive(bufs [][]byte, flags uint32) (n int32, files []*openFile) {
	if s.state == listening || s.state == fresh || s.state == connecting {
		if e := s.takeErr(); e != 0 {
			return -e, nil
		}
		if s.family == sys.AFUnix {
			return -sys.EINVAL, nil
		}
		return -sys.ENOTCONN, nil
	}
	if s.in.len() == 0 {
		switch {
		case s.ended && (s.err == 0 || s.family != sys.AFUnix): // TCP's end hides an error that came later
			return 0, nil
		case s.err != 0:
			return -s.takeErr(), nil
		case s.shutIn, s.state == closed:
			return 0, nil
		}
		return -sys.EAGAIN, nil
	}
	// Bytes with descriptors are not joined with what comes before or after them.
	limit := s.in.len()
	if len(s.rights) > 0 {
		if at := s.rights[0].at; at > s.seen {
			limit = min(limit, int(at-s.seen))
		} else if len(s.rights) > 1 {
			limit = min(limit, int(s.rights[1].at-s.seen))
		}
	}
	var total int
	if flags&sys.MsgPeek != 0 {
		p := make([]byte, min(limit, size(bufs)))
		s.in.peek(p)
		return int32(scatter(bufs, p)), nil
	}
	if len(s.rights) > 0 && s.rights[0].at <= s.seen {
		files = s.rights[0].files
		s.rights = s.rights[1:]
	}
	for _, b := range bufs {
		if total == limit {
			break
		}
		total += s.in.take(b[:min(len(b), limit-total)])
	}
	s.seen += uint64(total)
	if s.peer != nil {
		s.peer.opened()
	}
	return int32(total), files
}

// opened tells the sender that there is room again, which takes as long as everything else does.
func (s *socket) opened() {
	if s.queues() && s.writable() {
		s.tell()
	}
	if s.out.len() == 0 {
		return
	}
	n := s.h.net
	if n.near(s.h, s.peer.h) {
		s.pump()
		return
	}
	if l := n.link(s.peer.h, s.h); !l.Cut {
		y, a := s.way, s.peer.has()
		n.w.After(n.delay(l, s.peer.h, s.h, 40), func() { y.hears(a) })
		return
	}
	s.way.await()
}

// Peek reads what has come without removing it.
func (h *Host) Peek(fd int32, p []byte) int32 {
	s, _, res := find[*socket](h, fd, int32(sys.ENOTSOCK))
	if res < 0 {
		return res
	}
	n, _, _ := s.receives([][]byte{p}, nil, sys.MsgPeek)
	return n
}
