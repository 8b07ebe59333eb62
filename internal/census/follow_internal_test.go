package census

import (
	"sync"
	"testing"
)

// Followers are awaited beside each other, and meanwhile Runs begin and end, and Followers leave.
func TestFollowersAreAwaitedTogether(t *testing.T) {
	var all sync.WaitGroup // of the Followers' awaits, each of which awaits the others'
	var running bool
	const n = 3
	all.Add(n)
	begins := make(chan bool)
	for range n {
		_, leave := Follow(&Follower{
			Begin: func() { running = true },
			Last:  func() { running = false },
			Await: func() { all.Done(); all.Wait(); <-begins },
		})
		defer leave()
	}
	end := beginRun()
	ended := make(chan bool)
	go func() { end(); close(ended) }()
	all.Wait()
	next := beginRun()
	close(begins)
	<-ended
	if !running {
		t.Error("the end of a Run has undone the begin of the next")
	}
	all.Add(n)
	next()
	if running {
		t.Error("the last Run has ended, and they are told that one runs")
	}
}
