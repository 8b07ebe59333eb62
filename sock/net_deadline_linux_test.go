//go:build linux

package sock_test

import (
	"math"
	"testing"
	"time"
)

// A deadline that is farther than clocks go is none.
func TestNetDeadlineFar(t *testing.T) {
	eachSubject(t, func(s *subject) {
		for _, at := range []time.Time{time.Now().Add(math.MaxInt64), time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)} {
			s.must("SetDeadline", s.act(func() error { return s.c.SetDeadline(at) }))
			s.must("Write", s.waits(func() error { return write(s.c) }))
			end := s.start(func() error { return read(s.c) })
			s.pause(time.Millisecond)
			s.sends("far")
			s.must("Read", end())
		}
	})
}

// A deadline that is set while a read waits counts for it.
func TestNetDeadlineMoved(t *testing.T) {
	t.Parallel()
	eachSubject(t, func(s *subject) {
		for name, at := range map[string]func() time.Time{
			"into the past": func() time.Time { return longAgo },
			"nearer":        func() time.Time { return time.Now().Add(2 * time.Millisecond) },
		} {
			for _, first := range []time.Time{{}, time.Now().Add(time.Hour)} {
				s.must("SetReadDeadline", s.act(func() error { return s.c.SetReadDeadline(first) }))
				end := s.start(func() error { return read(s.c) })
				s.pause(time.Millisecond)
				s.must("SetReadDeadline", s.act(func() error { return s.c.SetReadDeadline(at()) }))
				s.wantDeadline("Read whose deadline was moved "+name, end())
			}
		}
		// Away: while it waits, and before the first has passed, or else it proves nothing.
		for name, at := range map[string]time.Time{"away": {}, "later": time.Now().Add(time.Hour)} {
			for near := 50 * time.Millisecond; near < patience; near *= 2 {
				first := time.Now().Add(near)
				s.must("SetReadDeadline", s.act(func() error { return s.c.SetReadDeadline(first) }))
				end := s.start(func() error { return read(s.c) })
				s.pause(time.Millisecond)
				s.must("SetReadDeadline", s.act(func() error { return s.c.SetReadDeadline(at) }))
				if time.Now().After(first) {
					s.sends("x")
					end() // a slow day
					s.must("SetReadDeadline", s.act(func() error { return s.c.SetReadDeadline(longAgo) }))
					continue
				}
				s.pause(time.Until(first) + 2*time.Millisecond)
				s.sends("x")
				if err := end(); err != nil {
					s.Errorf("Read whose deadline was moved %s: %v", name, err)
				}
				break
			}
		}
	})
}

// Deadlines of one direction leave the other alone, while both wait.
func TestNetDeadlineOfOneDirection(t *testing.T) {
	eachSubject(t, func(s *subject) {
		reading := s.start(func() error { return read(s.c) })
		writing := s.block()
		s.must("SetReadDeadline", s.act(func() error { return s.c.SetReadDeadline(longAgo) }))
		s.wantDeadline("Read", reading())
		s.must("SetReadDeadline", s.act(func() error { return s.c.SetReadDeadline(time.Time{}) }))
		reading = s.start(func() error { return read(s.c) })
		s.pause(time.Millisecond)
		s.must("SetWriteDeadline", s.act(func() error { return s.c.SetWriteDeadline(longAgo) }))
		n, err := writing()
		s.wantDeadline("Write", err)
		if n == 0 {
			s.Error("Write counted nothing")
		}
		s.sends("x")
		s.must("Read beside a write's deadline", reading())
	})
}
