package metrics_test

import (
	"context"
	"net/http/httptest"
	"testing"

	"ringo"
	"ringo/metrics"
)

// What a scrape costs beside two idle loops, from the question to the text.
func BenchmarkHandler(b *testing.B) {
	b.ReportAllocs()
	err := ringo.Run(b.Context(), &ringo.Config{Loops: 2}, func(l *ringo.Loop) error {
		if l.Index() == 1 {
			return nil
		}
		return l.Offload(func(context.Context) error {
			h := metrics.Handler()
			size := 0
			for b.Loop() {
				w := httptest.NewRecorder()
				h.ServeHTTP(w, nil)
				size = w.Body.Len()
			}
			b.ReportMetric(float64(size), "bytes")
			return nil
		})
	})
	if err != nil {
		b.Fatal(err)
	}
}
