package census

import (
	"slices"
	"sync"
)

// Follower has functions that are called when Runs begin and end. It is for code that needs to know whether there can
// be tasks, and has to finish when there are no more, such as the writer of package logs. Calls of Begin and Last never
// overlap, and must not wait.
type Follower struct {
	Begin func() // a Run begins
	Last  func() // the loops of a Run have ended, and no other runs
	// Await is called before a Run returns, and before a panic in a task crashes the program. It holds up both until
	// it returns. The Awaits of all Followers run at the same time.
	Await func()
}

var runs struct {
	sync.Mutex
	now       int
	followers []*Follower
}

// Follow makes Runs call f's functions from now on, until leave is called; f's own functions must not call leave.
// running reports whether there is a Run already.
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

// beginRun calls Begin of all followers. end, to be called when the Run has ended, calls Last if it was the last Run,
// and then Await.
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

// awaitFollowers calls Await of all followers at the same time, and waits for them. It does not hold the lock
// meanwhile, so that other Runs can begin and end.
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
