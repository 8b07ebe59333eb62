package loop_test

import (
	"context"
	"errors"
	"os"
	"testing"
	"time"

	"ringo/internal/loop"
)

// The end of a context that comes late, when its wait is over, touches no later wait of the same Parker.
func TestContextEndTooLate(t *testing.T) {
	var p loop.Parker
	p.Begin(nil, nil)
	end, forget := loop.ContextEnd(&p)
	if !p.Claim(1) {
		t.Fatal("Claim of one that waits")
	}
	p.Wake()
	if which, ok := p.Park(); which != 1 || !ok {
		t.Errorf("Park: %d, %v", which, ok)
	}
	forget()
	p.Begin(nil, nil)
	end()
	if !p.Claim(2) {
		t.Error("a late end has claimed the next wait")
	}
	p.Wake()
	if which, ok := p.Park(); which != 2 || !ok {
		t.Errorf("Park: %d, %v", which, ok)
	}
}

// An end that comes between a Claim and its Wake changes nothing, and one before the Claim is the only outcome.
func TestContextEndIsOneOutcome(t *testing.T) {
	var p loop.Parker
	p.Begin(nil, nil)
	end, _ := loop.ContextEnd(&p)
	p.Claim(3)
	end()
	p.Wake()
	if which, ok := p.Park(); which != 3 || !ok {
		t.Errorf("Park behind a Claim: %d, %v", which, ok)
	}
	p.Begin(nil, nil)
	end, _ = loop.ContextEnd(&p)
	end()
	if p.Claim(4) {
		t.Error("Claim behind the end")
	}
	if _, ok := p.Park(); ok {
		t.Error("Park behind the end was given something")
	}
}

// errors.Is finds the end, the cause and what package os calls a deadline.
func TestContextError(t *testing.T) {
	mine := errors.New("mine")
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	caused, cancelCause := context.WithCancelCause(t.Context())
	cancelCause(mine)
	late, cancelLate := context.WithTimeout(t.Context(), -time.Second)
	defer cancelLate()
	lateCaused, cancelLateCaused := context.WithTimeoutCause(t.Context(), -time.Second, mine)
	defer cancelLateCaused()
	all := []error{context.Canceled, context.DeadlineExceeded, os.ErrDeadlineExceeded, mine}
	for what, c := range map[string]struct {
		ctx     context.Context
		is      [4]bool
		timeout bool
	}{
		"canceled":                  {canceled, [4]bool{true, false, false, false}, false},
		"canceled with a cause":     {caused, [4]bool{true, false, false, true}, false},
		"late":                      {late, [4]bool{false, true, true, false}, true},
		"late, and the cause of it": {lateCaused, [4]bool{false, true, true, true}, true},
	} {
		err := loop.ContextError(c.ctx)
		for i, target := range all {
			if got := errors.Is(err, target); got != c.is[i] {
				t.Errorf("%s: %v is %v: %v, want %v", what, err, target, got, c.is[i])
			}
		}
		var timeout interface{ Timeout() bool }
		if got := errors.As(err, &timeout) && timeout.Timeout(); got != c.timeout {
			t.Errorf("%s: %v is a timeout: %v, want %v", what, err, got, c.timeout)
		}
	}
}
