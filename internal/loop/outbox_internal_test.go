package loop

import (
	"testing"

	"ringo/internal/race"
	"ringo/internal/sys"
	"ringo/internal/test/alloctest"
)

// toldUnsent notes what a Sender is told.
type toldUnsent struct {
	times int
	res   int32
	rest  string
}

func (u *toldUnsent) Unsent(res int32, rest []byte) { *u = toldUnsent{u.times + 1, res, string(rest)} }

// A call that sends what was accepted together with other bytes has one result for both.
func TestSentWith(t *testing.T) {
	for _, c := range []struct {
		res, behind int32
		rest        string // of what was accepted
	}{
		{-sys.EPIPE, 0, "accepted"},
		{-sys.EAGAIN, 0, "accepted"},
		{0, 0, "accepted"},
		{3, 0, "epted"},
		{8, 0, ""},
		{9, 1, ""},
		{1 << 20, 1<<20 - 8, ""},
	} {
		l := &Loop{}
		l.out.open(l)
		var u, other toldUnsent
		var at, beside Accepted
		l.Outbox().Accept(&beside, &other, 1, []byte("other"))
		l.Outbox().Accept(&at, &u, 2, []byte("acc"))
		l.Outbox().Accept(&at, &u, 2, []byte("epted"))
		if got := string(l.Outbox().Accepted(at)); got != "accepted" {
			t.Fatalf("%q is accepted", got)
		}
		if n := l.Outbox().SentWith(&at, c.res); n != c.behind {
			t.Errorf("of %d bytes %d are behind, want %d", c.res, n, c.behind)
		}
		want := toldUnsent{}
		if c.rest != "" {
			want = toldUnsent{1, c.res, c.rest}
		}
		if u != want {
			t.Errorf("result %d: told %+v, want %+v", c.res, u, want)
		}
		if l.Outbox().Accepted(at) != nil || string(l.Outbox().Accepted(beside)) != "other" || other.times != 0 {
			t.Errorf("result %d: %q is left, and %q of another",
				c.res, l.Outbox().Accepted(at), l.Outbox().Accepted(beside))
		}
		l.out.giveBack()
	}
}

// A loop that gives the memory of its outbox back has the next without that being made: loops that write every few
// seconds, as those of worlds, made 150 KB each time. What was in it is nobody's any more.
func TestOutboxMemoryComesBack(t *testing.T) {
	l := &Loop{}
	n := alloctest.Least(1000, 0.1, func() {
		l.out.open(l)
		var at Accepted
		if !l.Outbox().Accept(&at, nil, 1, []byte("some")) || l.out.mem[0] != 's' {
			t.Fatal("what is written is not accepted")
		}
		l.out.used = 0 // as if sent
		l.out.giveBack()
		if l.out.mem != nil || l.out.Sends != nil || l.out.held != nil {
			t.Fatal("some memory is left")
		}
	})
	if n >= 1 && !race.Enabled { // which has pools forget
		t.Errorf("%v allocations each time", n)
	}
	l.out.open(l)
	defer l.out.giveBack()
	for i, s := range l.out.Sends[:outboxSends] {
		if s.Buf != nil || l.out.held[:outboxSends][i] != (accepted{}) {
			t.Fatalf("send %d of others is kept", i)
		}
	}
}
