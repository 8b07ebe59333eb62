package census_test

import (
	"context"
	"testing"

	"ringo/internal/census"
	"ringo/internal/loop"
)

// A loop that is held shows no handles, and forgets the question; then it shows them.
func TestHandlesOfHeldLoop(t *testing.T) {
	t.Parallel()
	eachDriver(t, func(t *testing.T, cfg *loop.Config) {
		held, asked, done := make(chan bool), make(chan bool), make(chan struct{})
		err := run(t, cfg, func(l *loop.Loop) error {
			go func() {
				defer close(done)
				<-held
				if census.EachHandle(l, func(*census.HandleInfo) { t.Error("a handle of a held loop") }) {
					t.Error("a held loop has answered")
				}
				close(asked)
				if !census.EachHandle(l, func(*census.HandleInfo) {}) {
					t.Error("a loop that waits has not answered")
				}
			}()
			held <- true
			<-asked // no other task runs meanwhile
			return l.Offload(func(context.Context) error { <-done; return nil })
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}
