package census

import "testing"

// A task is charged for what it has run, and not for what has run before it. What has ended is in nobody's memory.
func TestMeterCharges(t *testing.T) {
	m := &meter{ran: map[uint32]int64{}}
	m.since = 100 // 1 begins
	m.ends(1, 700)
	m.since = 800 // 3 does
	m.charge(3, 803)
	m.charge(4, 900)
	m.since = 900
	m.charge(3, 910)
	if len(m.ran) != 2 || m.ran[3] != 13 || m.ran[4] != 97 {
		t.Errorf("charged: %v, want 13 to task 3 and 97 to task 4", m.ran)
	}
	m.ends(4, 950)
	if len(m.ran) != 1 {
		t.Errorf("of tasks 3 and 4 only 3 has not ended, and there are %v", m.ran)
	}
	if m.turns(meterSpan - 1); m.last != nil {
		t.Error("a span is shorter than meterSpan")
	}
	m.turns(meterSpan)
	if got := m.share(3, meterSpan); got != 13*1e6/meterSpan || len(m.ran) != 0 {
		t.Errorf("a share of %d, and the next span begins with %v", got, m.ran)
	}
	if got := m.share(3, 3*meterSpan+1); got != 0 {
		t.Errorf("a share of %d long after the last span", got)
	}
}
