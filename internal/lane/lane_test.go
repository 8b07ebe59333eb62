package lane

import (
	"runtime"
	"strings"
	"testing"
	"time"

	"ringo/internal/offload"
	"ringo/internal/test/patience"
)

// A call that begins to wait while a look is under way leaves the next look to that, which has to see it.
func TestLookSeesWhoCame(t *testing.T) {
	var s Set
	s.Open(Config{Offload: 1, Compute: 1, Tell: func(what, text string) {}, Every: time.Hour})
	n := &s[Offload]
	runs, release, ran := make(chan bool), make(chan bool), make(chan bool)
	n.Submit(&offload.Job{Run: func() {
		close(runs)
		<-release
	}})
	<-runs
	n.mu.Lock()
	n.timer = time.AfterFunc(time.Hour, func() {}) // which fires now, so to speak
	looked := make(chan bool)
	go func() {
		n.look()
		close(looked)
	}()
	patience.Until(t, "the look waits for the lock", func() bool {
		stacks := make([]byte, 1<<20)
		stacks = stacks[:runtime.Stack(stacks, true)]
		for _, stack := range strings.Split(string(stacks), "\n\n") {
			if strings.Contains(stack, "lane.(*Slots).look") && strings.Contains(stack, "sync.(*Mutex).Lock") {
				return true
			}
		}
		return false
	})
	n.Pool.Full = nil // it would do nothing, since there is a timer
	n.Submit(&offload.Job{Run: func() { close(ran) }})
	n.mu.Unlock()
	<-looked
	n.mu.Lock()
	if n.timer == nil {
		t.Error("nobody will look at the call that waits")
	}
	n.mu.Unlock()
	close(release)
	<-ran
	s.Close(time.Hour)
}
