package mailbox

import "testing"

func BenchmarkPushTake(b *testing.B) {
	var q Queue[func()]
	fn := func() {}
	b.ReportAllocs()
	for b.Loop() {
		q.Push(fn)
		batch := q.Take()
		batch.Next()
	}
}

// BenchmarkPushContended has every core push while one goroutine takes.
func BenchmarkPushContended(b *testing.B) {
	var q Queue[int]
	done := make(chan struct{})
	go func() {
		defer close(done)
		for !q.Closed() {
			batch := q.Take()
			for _, ok := batch.Next(); ok; _, ok = batch.Next() {
			}
		}
	}()
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			q.Push(1)
		}
	})
	q.Close()
	<-done
}

func BenchmarkNotifyAwake(b *testing.B) {
	var g Gate
	for b.Loop() {
		g.Notify()
		g.Awake()
	}
}

func BenchmarkNotifyCoalesced(b *testing.B) {
	var g Gate
	for b.Loop() {
		g.Notify()
	}
}
