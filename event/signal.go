package event

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"slices"
)

// A Signal calls a function for signals of the process.
type Signal struct {
	activity
	fn   func(os.Signal)
	got  []os.Signal // for which fn was not called yet, one of each kind
	in   chan os.Signal
	over chan struct{}
}

// signalsMax is how many signals may be on their way to the loop.
const signalsMax = 64

// Signal calls fn for each of these signals that arrives, as os/signal.Notify reports them. It is active until Stop.
// While a signal waits for its call, further ones of the same kind are dropped, as the kernel does with one that is
// pending. In a simulated world, which has no signals, it fails.
func (e *Loop) Signal(fn func(os.Signal), signals ...os.Signal) (*Signal, error) {
	e.here("Loop.Signal")
	switch {
	case fn == nil:
		panic("event: Loop.Signal of a nil function")
	case len(signals) == 0:
		return nil, errors.New("event: Loop.Signal of no signal")
	case !e.l.World().Beside():
		return nil, fmt.Errorf("event: Loop.Signal in a simulated world: %w", errors.ErrUnsupported)
	case e.refuses():
		return nil, ErrStopped
	}
	s := &Signal{activity: activity{e: e, endless: true}, fn: fn, in: make(chan os.Signal, signalsMax),
		over: make(chan struct{})}
	e.begin(&s.activity, s)
	signal.Notify(s.in, signals...)
	go s.listen()
	return s, nil
}

// listen passes signals to the loop, on a goroutine.
func (s *Signal) listen() {
	for {
		select {
		case <-s.over:
			return
		case got := <-s.in:
			s.e.l.Call(func() {
				if !slices.Contains(s.got, got) {
					if s.got = append(s.got, got); len(s.got) == 1 {
						s.e.push(s)
					}
				}
			})
		}
	}
}

func (s *Signal) run() {
	for len(s.got) > 0 && s.isActive() {
		got := s.got[0]
		s.got = s.got[1:]
		if len(s.got) > 0 { // in case fn does not return
			s.e.push(s)
			s.fn(got)
			return
		}
		s.fn(got)
	}
}

// Stop ends the calls, and restores the signals' default action if the program has no other handler for them.
func (s *Signal) Stop() {
	s.e.here("Signal.Stop")
	s.stop()
}

func (s *Signal) stop() {
	if s.isActive() {
		signal.Stop(s.in)
		close(s.over)
		s.e.done(&s.activity)
	}
}
