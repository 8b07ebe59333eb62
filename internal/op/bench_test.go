package op

import "testing"

// BenchmarkSlab is what a slot costs: one alone, and a turn's worth of them among many in use.
func BenchmarkSlab(b *testing.B) {
	b.Run("one", func(b *testing.B) {
		s := NewSlab(0)
		for b.Loop() {
			s.Put(s.Get(Recv))
		}
	})
	b.Run("of 100000", func(b *testing.B) {
		s := NewSlab(0)
		ops := make([]*Op, 100_000)
		for i := range ops {
			ops[i] = s.Get(Recv)
		}
		at := 0
		for b.Loop() {
			for range 100 {
				s.Put(ops[at])
				ops[at] = nil
				at = (at + 7919) % len(ops)
			}
			at = (at + len(ops) - 100*7919%len(ops)) % len(ops)
			for range 100 {
				ops[at] = s.Get(Recv)
				at = (at + 7919) % len(ops)
			}
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/100, "ns/slot")
	})
}
