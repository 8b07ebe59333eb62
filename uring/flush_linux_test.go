//go:build linux

package uring

import (
	"sync"
	"testing"
)

// TestTwoSides submits on one thread while another takes completions, each under a lock
// of its own. Run it with -race.
func TestTwoSides(t *testing.T) {
	r, err := Open(8, &Config{AnyThread: true, CQEntries: 64})
	if err != nil {
		t.Skip("no io_uring here:", err)
	}
	defer r.Close()
	const ops = 2000
	room := make(chan struct{}, 32) // no more than the CQ holds
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := range ops {
			room <- struct{}{}
			e := r.SQE()
			e.PrepNop()
			e.UserData = uint64(i)
			if n, errno := r.Flush(); n != 1 || errno != 0 {
				t.Errorf("flush: %d, %v", n, errno)
			}
		}
	})
	wg.Go(func() {
		var cqes [4]CQE
		for next := uint64(0); next < ops; {
			for _, c := range cqes[:r.Drain(cqes[:])] {
				if c.UserData != next || c.Res != 0 {
					t.Errorf("completion of %d with %d, want %d", c.UserData, c.Res, next)
				}
				next++
				<-room
			}
		}
	})
	wg.Wait()
	if n, errno := r.Flush(); n != 0 || errno != 0 {
		t.Errorf("nothing to flush: %d, %v", n, errno)
	}
	r.Close()
	if _, errno := r.Flush(); errno == 0 {
		t.Error("flushed a closed ring")
	}
}
