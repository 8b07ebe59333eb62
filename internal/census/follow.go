package census

import (
	"slices"
	"sync"
)

// Follower is told of Runs, so that what is for tasks knows whether there are any, and comes to an end with them. Its
// functions are called one after the other.
type Follower struct {
	Begin func()          // a Run begins
	End   func(last bool) // the loops of a Run have ended, and it returns next; last: no other runs
	Crash func()          // a panic in a task is about to crash the program
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
		runs.Lock()
		defer runs.Unlock()
		runs.now--
		for _, f := range runs.followers {
			f.End(runs.now == 0)
		}
	}
}

// tellCrash tells of a crash.
func tellCrash() {
	runs.Lock()
	defer runs.Unlock()
	for _, f := range runs.followers {
		f.Crash()
	}
}
