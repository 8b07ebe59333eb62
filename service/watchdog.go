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

// ping says that the program is alive, while there are loops whose turns say so.
func (m *Manager) ping() {
	due := time.NewTimer(m.every)
	defer due.Stop()
	held := false
	for {
		if !held { // else Turned has waited for as long
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

// pingOn reports whether there is a loop whose turn is worth a ping; else the goroutine of pings is to end.
func (m *Manager) pingOn() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.forgetEnded()
	m.pings = len(m.watched) > 0 && !m.replaced
	return m.pings
}

// forgetEnded drops the loops that are gone. The caller holds the lock.
func (m *Manager) forgetEnded() { m.watched = slices.DeleteFunc(m.watched, (*loop.Loop).Ended) }

// Turned waits until each watched loop that has not ended meanwhile has begun and ended a task since the call: a loop
// that a task holds does not. So it is for a liveness probe, on a goroutine: a task of a loop that is held can't ask.
// If ctx ends first, the error says so, and names a loop that has not. A nil ctx never ends. Any goroutine may call it;
// a task parks.
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

// A round is one task of each loop. There is one at a time, so a loop that is held gets no more than one.
type round struct {
	loops []*loop.Loop
	turns []atomic.Bool
	over  chan struct{}
}

// ask begins a round. The caller has taken its place, which the round's end gives back.
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

// late says which loops have kept a round.
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
