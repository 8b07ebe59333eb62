package loop

import (
	"testing"

	"ringo/internal/alloctest"
	"ringo/internal/race"
)

// A loop that gives the memory of its outbox back has the next without that being made: loops that write every few
// seconds, as those of worlds, made 150 KB each time. What was in it is nobody's any more.
func TestOutboxMemoryComesBack(t *testing.T) {
	l := &Loop{}
	n := alloctest.Least(1000, 0.1, func() {
		l.out.open()
		var at Accepted
		if !l.Accept(&at, nil, 1, []byte("some")) || l.out.mem[0] != 's' {
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
	l.out.open()
	defer l.out.giveBack()
	for i, s := range l.out.Sends[:outboxSends] {
		if s.Buf != nil || l.out.held[:outboxSends][i] != (accepted{}) {
			t.Fatalf("send %d of others is kept", i)
		}
	}
}
