//go:build linux

package socktest

import (
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ringo"
	"ringo/internal/loop"
	"ringo/internal/test/patience"
	"ringo/sim"
)

// Paced is a world whose clock follows the real one, so that goroutines of a test can be its peers: tasks of the peers'
// loop do what the goroutines ask for, while they wait. What happens in it does not depend on its seed alone.
type Paced struct {
	t     testing.TB
	s     *simulated
	asks  chan func()
	drain atomic.Bool
	close atomic.Bool
	begun bool          // set by the first play: a failed world is not played again, as its goroutines are gone
	ended chan struct{} // closed when the program has ended
	over  chan struct{} // closed when the world has ended
	err   error         // the program's error
}

// paced maps the names of tests to their worlds under way.
var paced sync.Map

// pacedOf returns the world of a test or of the test that it is a part of, or nil if there is none.
func pacedOf(t testing.TB) *Paced {
	for name := t.Name(); ; {
		if p, ok := paced.Load(name); ok {
			return p.(*Paced)
		}
		i := strings.LastIndexByte(name, '/')
		if i < 0 {
			return nil
		}
		name = name[:i]
	}
}

// pace is how far the world's clock advances at a time, and paceMost how far at most if this thread has not run for a
// while.
const (
	pace     = 100 * time.Microsecond
	paceMost = 10 * time.Millisecond
)

// StartPaced begins a Run in a world that ends with the test. A test may have one at a time.
func StartPaced(t testing.TB, cfg ringo.Config, fn func(l *ringo.Loop) error) *Paced {
	t.Helper()
	p := &Paced{t: t, asks: make(chan func(), 64), ended: make(chan struct{}), over: make(chan struct{})}
	paced.Store(t.Name(), p)
	begun := make(chan struct{})
	go func() {
		defer close(p.over)
		sim.Run(t, 1, func(w *sim.World) { p.play(w, cfg, fn, begun) })
	}()
	t.Cleanup(p.end)
	select {
	case <-begun:
	case <-p.over:
	}
	return p
}

// play is the world's script.
func (p *Paced) play(w *sim.World, cfg ringo.Config, fn func(l *ringo.Loop) error, begun chan struct{}) {
	if p.begun {
		return
	}
	p.begun = true
	s := &simulated{w: w, here: w.Host("here")}
	s.away, p.s = s.here, s
	leave := ringo.NewChan[struct{}](0)
	s.here.Run(nil, func(l *ringo.Loop) error {
		s.l = l
		leave.Recv()
		return nil
	})
	if !w.RunUntil(time.Second, func() bool { return s.l != nil }) {
		w.Errorf("the Run of the peers does not begin")
		return
	}
	program := s.here.Run(&cfg, func(l *ringo.Loop) error {
		worlds.Store((*loop.Loop)(l), s)
		defer worlds.Delete((*loop.Loop)(l))
		return fn(l)
	})
	close(begun)
	drained, told := false, false
	wanted := func() bool { return len(p.asks) > 0 || p.close.Load() }
	tick, last := time.NewTicker(pace), time.Now()
	defer tick.Stop()
	for !p.close.Load() {
		if p.drain.Load() && !drained {
			drained = true
			program.Drain()
		}
		now := time.Now()
		w.RunUntil(min(max(now.Sub(last), pace), paceMost), wanted)
		last = now
		if program.Ended() && !told {
			told, p.err = true, program.Err()
			close(p.ended)
		}
		select {
		case f := <-p.asks:
			s.l.Go(f)
		case <-tick.C:
		}
	}
	if !told {
		defer close(p.ended)
	}
	s.l.Go(leave.Close)
}

// ask makes a task of the peers' loop call f. Any goroutine of the test may call it.
func (p *Paced) ask(f func() error) (err error) {
	done := make(chan struct{})
	select {
	case p.asks <- func() { defer close(done); err = f() }:
	case <-p.over:
		return net.ErrClosed
	}
	select {
	case <-done:
		return err
	case <-p.over:
		return net.ErrClosed
	}
}

// Stop ends the program as the end of its context does, and returns its error.
func (p *Paced) Stop() error {
	p.drain.Store(true)
	select {
	case <-p.ended:
	case <-p.over:
	}
	return p.err
}

// end ends the world, and closes what is open in it.
func (p *Paced) end() {
	p.close.Store(true)
	<-p.over
	paced.CompareAndDelete(p.t.Name(), p)
}

// onLoopPaced is OnLoop in a paced world.
func onLoopPaced(t *testing.T, cfg ringo.Config, body func(l *ringo.Loop)) {
	t.Helper()
	patience.Within(t.Name(), func() {
		p := StartPaced(t, cfg, func(l *ringo.Loop) error {
			body(l)
			Settle(t, l)
			return nil
		})
		defer p.end()
		select {
		case <-p.ended:
		case <-p.over:
		}
		if p.err != nil && !t.Failed() {
			t.Errorf("Run: %v", p.err)
		}
	})

}

// Ended returns a channel that is closed when the program has ended.
func (p *Paced) Ended() <-chan struct{} { return p.ended }
