package timer

import "testing"

// armed is the number of timers that stay cheap: one per connection.
const armed = 100_000

func fill(h *Heap, timers []Timer) {
	for i := range timers {
		h.Arm(&timers[i], int64(i)*7919%armed)
	}
}

// BenchmarkArmPop is a timer that fires and is armed again, among 100,000.
func BenchmarkArmPop(b *testing.B) {
	var h Heap
	fill(&h, make([]Timer, armed))
	b.ReportAllocs()
	for b.Loop() {
		at, _ := h.Next()
		h.Arm(h.Pop(at), at+armed)
	}
}

// BenchmarkArmLater is a server's deadline moved with each request.
func BenchmarkArmLater(b *testing.B) {
	var h Heap
	timers := make([]Timer, armed)
	fill(&h, timers)
	b.ReportAllocs()
	i, at := 0, int64(armed)
	for b.Loop() {
		h.Arm(&timers[i], at)
		at++
		if i++; i == armed {
			i = 0
		}
	}
}

// BenchmarkArmEarlier moves a random timer to the front and back.
func BenchmarkArmEarlier(b *testing.B) {
	var h Heap
	timers := make([]Timer, armed)
	fill(&h, timers)
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		t := &timers[i]
		at := t.At()
		h.Arm(t, -1)
		h.Remove(t)
		h.Arm(t, at)
		i = (i + 7919) % armed
	}
}
