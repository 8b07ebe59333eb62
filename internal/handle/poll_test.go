package handle

import (
	"errors"
	"net"
	"runtime"
	"testing"

	"ringo/internal/loop"
	"ringo/internal/op"
	"ringo/internal/sys"
)

// A caller is about to ask a loop that has ended for a poll when the handle closes: it is woken once, by one of the
// two. Twice would unlock what a goroutine waits by once too often, or resume a task that no longer waits.
func TestPollRefusedWhileClosing(t *testing.T) {
	const rounds, callers = 20_000, 16
	for round := range rounds {
		f := (&Core{l: new(loop.Loop)}).newForeign()
		told := make(chan error, callers)
		for range callers {
			go func() {
				_, err := f.ready(nil, op.Poll, sys.PollIn, 0)
				told <- err
			}()
		}
		if round%2 == 0 {
			runtime.Gosched()
		}
		f.beginClose()
		for range callers {
			if err := <-told; !errors.Is(err, ErrEnded) && !errors.Is(err, net.ErrClosed) {
				t.Fatalf("round %d: %v", round, err)
			}
		}
		if f.polls != nil {
			t.Fatalf("round %d: a poll is left that nobody waits for", round)
		}
	}
}
