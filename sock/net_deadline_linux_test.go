//go:build linux

package sock_test

import (
	"io"
	"math"
	"testing"
	"time"
)

// A deadline that has passed fails a read at once, though there are bytes, which stay.
func TestNetDeadlinePast(t *testing.T) {
	eachSubject(t, func(s *subject) {
		s.sends("here")
		for _, at := range []time.Time{longAgo, time.Now(), time.Now().Add(-time.Hour)} {
			s.must("SetReadDeadline", s.act(func() error { return s.c.SetReadDeadline(at) }))
			s.wantDeadline("Read", s.waits(func() error { return read(s.c) }))
			s.must("Write under a read deadline", s.waits(func() error { return write(s.c) }))
		}
		s.must("SetReadDeadline", s.act(func() error { return s.c.SetReadDeadline(time.Time{}) }))
		s.reads("without a deadline", "here")

		s.must("SetWriteDeadline", s.act(func() error { return s.c.SetWriteDeadline(longAgo) }))
		s.wantDeadline("Write", s.waits(func() error { return write(s.c) }))
		s.sends("there")
		s.reads("under a write deadline", "there")
		s.must("SetWriteDeadline", s.act(func() error { return s.c.SetWriteDeadline(time.Time{}) }))
		s.must("Write without a deadline", s.waits(func() error { return write(s.c) }))

		s.must("SetDeadline", s.act(func() error { return s.c.SetDeadline(longAgo) }))
		s.wantDeadline("Read", s.waits(func() error { return read(s.c) }))
		s.wantDeadline("Write", s.waits(func() error { return write(s.c) }))
		s.must("SetDeadline", s.act(func() error { return s.c.SetDeadline(time.Time{}) }))
		s.must("Write without a deadline", s.waits(func() error { return write(s.c) }))
		s.sends("again")
		s.reads("without a deadline", "again")
	})
}

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

// A read waits to its deadline and not less, and the connection is good afterwards.
func TestNetDeadlineComes(t *testing.T) {
	eachSubject(t, func(s *subject) {
		for range 3 {
			at := time.Now().Add(5 * time.Millisecond)
			s.must("SetReadDeadline", s.act(func() error { return s.c.SetReadDeadline(at) }))
			s.wantDeadline("Read", s.waits(func() error { return read(s.c) }))
			if early := time.Until(at); early > 0 {
				s.Errorf("Read ended %v before its deadline", early)
			}
			s.sends("late")
			s.must("SetReadDeadline", s.act(func() error { return s.c.SetReadDeadline(time.Now().Add(patience)) }))
			s.reads("under the next deadline", "late")
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

// A write that waits ends at its deadline, and counts what went out; the rest can be
// written afterwards.
func TestNetWriteDeadline(t *testing.T) {
	eachSubject(t, func(s *subject) {
		end := s.block()
		s.must("SetWriteDeadline", s.act(func() error {
			return s.c.SetWriteDeadline(time.Now().Add(5 * time.Millisecond))
		}))
		n, err := end()
		s.wantDeadline("Write", err)
		s.must("SetWriteDeadline", s.act(func() error { return s.c.SetWriteDeadline(time.Time{}) }))
		var got int64
		reading := make(chan error, 1)
		go func() {
			var err error
			got, err = io.Copy(io.Discard, s.peer)
			reading <- err
		}()
		s.must("the rest", s.waits(func() error {
			if _, err := s.c.Write(make([]byte, 100_000)); err != nil {
				return err
			}
			return s.c.CloseWrite()
		}))
		s.must("the peer's reads", s.offloaded(func() error { return <-reading }))
		if got += 1; got != int64(n)+100_000 { // one byte was read before
			s.Errorf("the peer got %d bytes, and %d and then 100000 were written", got, n)
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
