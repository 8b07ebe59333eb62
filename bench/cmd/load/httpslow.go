//go:build linux

package main

import (
	"os"
	"time"

	"golang.org/x/sys/unix"

	"ringo/bench/internal/sample"
	"ringo/internal/measure"
)

// strain is a number of peers of an HTTP server that each do something once a second: a third sends another byte of a
// head that never ends, a third sends a request and never reads, and a third sends half a head, resets the connection,
// and comes back. A peer whose connection the server has ended also comes back.
type strain struct {
	dialer *dialer
	peers  []peer
	begin  time.Duration
	done   int // actions of all peers since begin
	ended  int // connections that the server has ended
	resets int
}

// peer is one of them.
type peer struct {
	fd   int // -1: not connected
	sent int
}

const (
	trickler = iota
	deaf
	resetter
	kinds
)

// endless is the beginning of a head that never ends: each further byte is a letter of the field X.
const endless = "GET / HTTP/1.1\r\nHost: a\r\nX: "

// httpslow measures connections that behave well beside such peers, once each peer has acted twice.
func (e *engine) httpslow(c *config, s *sample.Sample) (err error) {
	if c.pid > 0 {
		if s.RSSBefore, err = measure.RSS(c.pid); err != nil {
			return err
		}
	}
	d := *e.dialer
	d.buffers = peerBuffers
	st := &strain{dialer: &d, peers: make([]peer, c.peers), begin: e.now()}
	for i := range st.peers {
		st.peers[i].fd = -1
	}
	defer st.close()
	for st.done < 2*len(st.peers) {
		if err := st.act(e.now()); err != nil {
			return err
		}
		time.Sleep(strainEvery)
	}
	e.strain, e.again = st, true
	if err := e.openAll(0, c.conns, e.size*uint64(c.depth)); err != nil {
		return err
	}
	if err := e.measure(c, s); err != nil {
		return err
	}
	if c.pid > 0 {
		if s.RSSAfter, err = measure.RSS(c.pid); err != nil {
			return err
		}
		s.RSSPerConn = float64(s.RSSAfter-s.RSSBefore) / float64(max(1, c.peers))
	}
	s.Figures = map[string]float64{"ended by the server": float64(st.ended), "resets by peers": float64(st.resets)}
	return e.drain()
}

// strainEvery is how often act is called.
const strainEvery = time.Millisecond

// act lets the peers act whose time has come.
func (s *strain) act(now time.Duration) error {
	for due := int(float64(len(s.peers)) * (now - s.begin).Seconds()); s.done < due; s.done++ {
		i := s.done % len(s.peers)
		if err := s.actOne(&s.peers[i], i%kinds); err != nil {
			return err
		}
	}
	return nil
}

func (s *strain) actOne(p *peer, kind int) (err error) {
	if kind == resetter && p.sent > 0 {
		s.resets++
		unix.SetsockoptLinger(p.fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
		p.leave()
	}
	if p.fd < 0 {
		if p.fd, err = s.dialer.dial(); err != nil {
			return err
		}
		return nil // it sends once it is connected
	}
	more := []byte(endless)
	switch {
	case kind == trickler && p.sent > 0:
		more = []byte("a")
	case kind == deaf:
		more = []byte(httpRequest("/"))
	}
	n, errno := send(p.fd, more)
	switch errno {
	case 0:
		p.sent += n
	case unix.EAGAIN: // not connected, or full, as deaf peers want
	case unix.EPIPE, unix.ECONNRESET, unix.ECONNREFUSED:
		s.ended++
		p.leave()
	default:
		return os.NewSyscallError("sendto", errno)
	}
	return nil
}

func (p *peer) leave() {
	unix.Close(p.fd)
	*p = peer{fd: -1}
}

func (s *strain) close() {
	for i := range s.peers {
		if s.peers[i].fd >= 0 {
			s.peers[i].leave()
		}
	}
}
