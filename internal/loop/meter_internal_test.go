package loop

import "testing"

// A task is charged for what it has run, and not for those that the same worker has begun and ended before it. What has
// ended is in nobody's memory.
func TestMeterCharges(t *testing.T) {
	m := &meter{ran: map[uint32]int64{}}
	m.begins(1, 100)
	m.begins(2, 700) // 1 has ended
	m.begins(3, 800) // and 2
	m.charge(803, false)
	m.task = 4 // is resumed
	m.charge(900, false)
	m.task = 3
	m.charge(910, false)
	if len(m.ran) != 2 || m.ran[3] != 13 || m.ran[4] != 97 {
		t.Errorf("charged: %v, want 13 to task 3 and 97 to task 4", m.ran)
	}
	m.task = 4
	m.begins(5, 950) // 4 has ended
	m.charge(960, true)
	if len(m.ran) != 1 {
		t.Errorf("of tasks 3 to 5 only 3 has not ended, and there are %v", m.ran)
	}
	if m.turned(meterSpan - 1); m.last != nil {
		t.Error("a span is shorter than meterSpan")
	}
	m.turned(meterSpan)
	if got := m.share(3, meterSpan); got != 13*1e6/meterSpan || len(m.ran) != 0 {
		t.Errorf("a share of %d, and the next span begins with %v", got, m.ran)
	}
	if got := m.share(3, 3*meterSpan+1); got != 0 {
		t.Errorf("a share of %d long after the last span", got)
	}
}
