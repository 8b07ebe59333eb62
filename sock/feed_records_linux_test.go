//go:build linux

package sock_test

import (
	"bytes"
	"testing"
	"time"

	"ringo"
	"ringo/sock"
)

// recordFollower gives a connection of records that follows the feed, and its peer, once messages wait for it that have
// found no room, and how many have been published.
func recordFollower(t *testing.T, l *ringo.Loop, c *sock.Conn, f *sock.Feed) (published int) {
	t.Helper()
	if err := f.Add(c); err != nil {
		t.Fatal(err)
	}
	for f.Longest(l) == 0 { // the first that finds no room is being sent
		publish(t, f, news(0, published, 4<<10))
		for published++; !f.Passed(l); {
			l.Yield()
		}
		others(l)
	}
	return published
}

// A record that waits for room when a write deadline passes is not lost: it is the first once the deadline was moved.
func TestFeedRecordBehindDeadline(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		ringoPair(t, cfg, "unixpacket", func(l *ringo.Loop, c, peer *sock.Conn) {
			f := sock.Feed{Slow: sock.CloseSlow}
			published := recordFollower(t, l, c, &f)
			c.SetWriteDeadline(l.Now().Add(-1))
			for !f.Idle(l) {
				l.Sleep(0)
			}
			c.SetWriteDeadline(time.Time{})
			publish(t, &f, news(0, published, 4<<10))
			p := make([]byte, 8<<10)
			for i := range published + 1 {
				if n, err := peer.Read(p); err != nil || !bytes.Equal(p[:n], news(0, i, 4<<10)) {
					t.Fatalf("record %d of %d: %d others came, %v; %+v", i, published+1, n, err, f.Stats())
				}
			}
			if s := f.Stats(); s.Conns != 1 || s.Dropped+s.Closed != 0 {
				t.Errorf("counts: %+v", s)
			}
		})
	})
}

// Each message that a connection has missed because it can't send any more counts as dropped, also the one that was
// being sent.
func TestFeedCountsLostRecords(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		lost := func(l *ringo.Loop, f *sock.Feed) func() bool {
			return func() bool { return f.Stats().Conns == 0 }
		}
		ringoPair(t, cfg, "unixpacket", func(l *ringo.Loop, c, peer *sock.Conn) {
			var f sock.Feed
			recordFollower(t, l, c, &f)
			want := uint64(f.Longest(l) + 1)
			peer.Close()
			eventuallyOn(t, l, "the end of the follower", lost(l, &f))
			if s := f.Stats(); s.Dropped != want {
				t.Errorf("%d have waited: %+v", want, s)
			}
		})
		ringoPair(t, cfg, "unixpacket", func(l *ringo.Loop, c, peer *sock.Conn) {
			var f sock.Feed
			if err := f.Add(c); err != nil {
				t.Fatal(err)
			}
			peer.Close()
			publish(t, &f, news(0, 0, 100))
			eventuallyOn(t, l, "the end of the follower", lost(l, &f))
			if s := f.Stats(); s.Dropped != 1 {
				t.Errorf("one message found nobody: %+v", s)
			}
		})
	})
}
