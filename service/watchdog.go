package service

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"ringo/internal/loop"
)

// ping sends a ping each time that all watched loops have turned, as long as there are any.
func (m *Manager) ping() {
	due := time.NewTimer(m.every)
	defer due.Stop()
	held := false
	for {
		if !held { // else turned has waited that long already
			select {
			case <-m.ctx.Done():
				return
			case <-due.C:
			}
		}
		if !m.pingOn() {
			return
		}
		within, cancel := context.WithTimeout(m.ctx, m.every)
		err := m.turned(within)
		cancel()
		if m.ctx.Err() != nil {
			return
		}
		if err != nil && !held {
			m.log.Warn("service: the manager gets no ping", "error", err)
		}
		if held = err != nil; !held && m.pingOn() {
			m.inform(m.ctx, alive, always)
			due.Reset(m.every)
		}
	}
}

// pingOn reports whether there is a watched loop to ping for, in a process that is still the service; otherwise the
// goroutine that sends pings has to end.
func (m *Manager) pingOn() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.forgetEnded()
	m.pings = len(m.watched) > 0 && !m.replaced
	return m.pings
}

// forgetEnded drops the loops that have ended. The caller holds m.mu.
func (m *Manager) forgetEnded() { m.watched = slices.DeleteFunc(m.watched, (*loop.Loop).Ended) }

// Turned waits until each watched loop that has not ended meanwhile has begun and ended a task since the call; a loop
// that a task holds does not. Use it for a liveness probe, on a goroutine: a task of a held loop can't call it. If ctx
// ends first, the error says so, and names the loops that have not turned. A nil ctx never ends. Any goroutine may call
// it; a task parks.
func (m *Manager) Turned(ctx context.Context) error { return onGoroutine(ctx, m.turned) }

// turned is Turned on a goroutine.
func (m *Manager) turned(ctx context.Context) error {
	select {
	case m.asking <- struct{}{}:
	case <-ctx.Done(): // the round of another caller waits for a loop that is held
		return m.lastRound().late(ctx)
	}
	r := m.ask()
	select {
	case <-r.over:
		return nil
	case <-ctx.Done():
		return r.late(ctx)
	}
}

// A round is one task on each watched loop. There is one round at a time, so a held loop never has more than one of
// these tasks.
type round struct {
	loops []*loop.Loop
	turns []atomic.Bool
	over  chan struct{}
}

// ask begins a round. The caller has put its token into m.asking; the end of the round takes that out again.
func (m *Manager) ask() *round {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.forgetEnded()
	r := &round{loops: slices.Clone(m.watched), over: make(chan struct{})}
	r.turns = make([]atomic.Bool, len(r.loops))
	m.last = r
	tasks := make([]*loop.Task, len(r.loops))
	for i, l := range r.loops {
		tasks[i] = l.GoNamed("service.Turned", func() { r.turns[i].Store(true) })
	}
	go func() {
		defer func() { <-m.asking }()
		defer close(r.over)
		for _, t := range tasks {
			t.Wait() // also where the loop ends before
		}
	}()
	return r
}

func (m *Manager) lastRound() *round {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.last
}

// late returns the error of a round that ctx has ended, with the loops that have not turned.
func (r *round) late(ctx context.Context) error {
	var names []string
	for i, l := range r.loops {
		if !r.turns[i].Load() && !l.Ended() {
			names = append(names, fmt.Sprintf("loop %d of Run %d", l.Index(), l.Set().Number()))
		}
	}
	if len(names) == 0 {
		return fmt.Errorf("service: loops were not asked in time: %w", context.Cause(ctx))
	}
	return fmt.Errorf("service: no turn of %s: %w", strings.Join(names, ", "), context.Cause(ctx))
}
