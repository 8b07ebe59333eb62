package loop

import (
	"slices"
	"sync"
	"sync/atomic"

	"ringo/internal/gmark"
	"ringo/internal/sys"
)

// running is all loops of the process, so that a call that was given none can
// find the task it runs in.
var running struct {
	sync.Mutex
	loops atomic.Pointer[[]*Loop]
}

func enroll(l *Loop) {
	running.Lock()
	defer running.Unlock()
	var loops []*Loop
	if p := running.loops.Load(); p != nil {
		loops = slices.Clone(*p)
	}
	loops = append(loops, l)
	running.loops.Store(&loops)
}

func dismiss(l *Loop) {
	running.Lock()
	defer running.Unlock()
	loops := slices.DeleteFunc(slices.Clone(*running.loops.Load()), func(o *Loop) bool { return o == l })
	running.loops.Store(&loops)
}

// Current finds the loop and task that the caller runs in; nil if it is an
// ordinary goroutine. G.
func Current() (*Loop, *Task) {
	if l := known(); l != nil {
		return l, l.cur
	}
	return currentByThread()
}

// currentByThread is for callers whose g is not the task's, see hereByThread.
//
//go:noinline
func currentByThread() (*Loop, *Task) {
	p := running.loops.Load()
	if p == nil {
		return nil, nil
	}
	if !anyMarked(*p) {
		return nil, nil // nor does anybody run in a task's iterator
	}
	tid := sys.Gettid()
	for _, l := range *p {
		if l.tid == tid && !l.ended.Load() {
			return l, l.cur
		}
	}
	return nil, nil
}

// anyMarked reports whether a loop runs a task at this moment. It is the caller's own in
// which it may be, so what the others do meanwhile does not matter.
func anyMarked(loops []*Loop) bool {
	for _, l := range loops {
		if !l.mark.Unset() {
			return true
		}
	}
	return false
}

// Anywhere reports whether any loop runs in this process, so that who asks for the
// caller's need not. G.
func Anywhere() bool {
	p := running.loops.Load()
	return p != nil && len(*p) != 0
}

// Mark is the loop's mark, for pools that tell owners from others.
func (l *Loop) Mark() *gmark.Mark { return &l.mark }
