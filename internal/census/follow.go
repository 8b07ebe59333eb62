package census

import (
	"slices"
	"sync"
)

// Follower is told of Runs, so that what is for tasks knows whether there are any, and comes to an end with them. Begin
// and Last are called one after the other, and must not wait.
type Follower struct {
	Begin func() // a Run begins
	Last  func() // the loops of a Run have ended, and no other runs
	// Await is called where a Run returns next, or a panic in a task is about to crash the program: both are held up
	// for as long as it takes, beside those of other Followers.
	Await func()
}

var runs struct {
	sync.Mutex
	now       int
	followers []*Follower
}

// Follow has f told from now on, until leave is called, which f's own functions must not do. running says whether a Run
// runs already.
func Follow(f *Follower) (running bool, leave func()) {
	runs.Lock()
	defer runs.Unlock()
	runs.followers = append(runs.followers, f)
	return runs.now > 0, func() {
		runs.Lock()
		defer runs.Unlock()
		runs.followers = slices.DeleteFunc(runs.followers, func(o *Follower) bool { return o == f })
	}
}

// beginRun tells of a Run, and the function that it returns of its end.
func beginRun() (end func()) {
	runs.Lock()
	defer runs.Unlock()
	runs.now++
	for _, f := range runs.followers {
		f.Begin()
	}
	return func() {
		endRun()
		awaitFollowers()
	}
}

func endRun() {
	runs.Lock()
	defer runs.Unlock()
	if runs.now--; runs.now > 0 {
		return
	}
	for _, f := range runs.followers {
		f.Last()
	}
}

// awaitFollowers awaits all at once, and keeps no Run from its begin or end meanwhile.
func awaitFollowers() {
	runs.Lock()
	followers := slices.Clone(runs.followers)
	runs.Unlock()
	var all sync.WaitGroup
	for _, f := range followers {
		all.Go(f.Await)
	}
	all.Wait()
}
