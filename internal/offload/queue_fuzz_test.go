package offload

import (
	"slices"
	"testing"
)

// FuzzQueue plays submits, cancels and releases against a list: what runs, and in
// which order, is what a queue with one worker would do. The bytes are the moves.
func FuzzQueue(f *testing.F) {
	f.Add([]byte{0, 0, 0, 1, 0, 2, 2, 2, 0})
	f.Add([]byte{0, 5, 0, 9, 0, 13, 0, 2, 0, 0, 1, 1, 2})
	f.Add([]byte("submit, cancel, release; in any order and number"))
	f.Fuzz(func(t *testing.T, moves []byte) {
		const jobs = 8
		p := New(1)
		var ran []int
		var list [jobs]Job
		for i := range list {
			list[i].Run = func() { ran = append(ran, i) }
		}
		var queue, want []int
		release := hold(p)
		for _, m := range moves {
			i := int(m/4) % jobs
			at := slices.Index(queue, i)
			switch m % 4 {
			case 0, 1:
				if at < 0 {
					p.Submit(&list[i])
					queue = append(queue, i)
				}
			case 2:
				if got := p.TryCancel(&list[i]); got != (at >= 0) {
					t.Fatalf("cancel of job %d = %v, queue is %v", i, got, queue)
				}
				if at >= 0 {
					queue = slices.Delete(queue, at, at+1)
				}
			case 3: // all run, and the worker is held again
				next := make(chan func())
				go func() { next <- hold(p) }()
				release()
				release = <-next
				want = append(want, queue...)
				queue = nil
			}
			if load := p.Load(); load.Running != 1 || load.Waiting != len(queue) {
				t.Fatalf("%d jobs run and %d wait, want 1 and %d", load.Running, load.Waiting, len(queue))
			}
		}
		want = append(want, queue...)
		release()
		closed(t, p)
		if !slices.Equal(ran, want) {
			t.Fatalf("ran %v, want %v", ran, want)
		}
	})
}
