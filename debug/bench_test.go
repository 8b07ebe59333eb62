package debug_test

import (
	"net/http/httptest"
	"testing"

	"ringo/debug"
)

// BenchmarkTasks: a list of 50,000 tasks, of which loop-ms is what it costs their loop, and turn how long its turns are
// meanwhile.
func BenchmarkTasks(b *testing.B) {
	l := parkedTasks(b, 50000)
	h := debug.Handler()
	b.ReportAllocs()
	before := l.Stats()
	for b.Loop() {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("GET", "/api/tasks", nil))
		if w.Code != 200 {
			b.Fatal(w.Body)
		}
	}
	after := l.Stats()
	turns := after.TurnTimes.Sub(before.TurnTimes)
	b.ReportMetric(float64((after.InTasks-before.InTasks).Microseconds())/1e3/float64(b.N), "loop-ms/op")
	b.ReportMetric(float64(turns.Quantile(0.5).Microseconds()), "turn-p50-µs")
	b.ReportMetric(float64(turns.Quantile(0.99).Microseconds()), "turn-p99-µs")
}
