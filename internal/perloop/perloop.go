// Package perloop keeps a value for each loop that has asked for one.
package perloop

import (
	"slices"
	"sync"

	"ringo/internal/loop"
)

// Values is a T for each loop that has asked for one. The zero value is ready.
type Values[T any] struct {
	all   sync.Map // *T by *loop.Loop
	mu    sync.Mutex
	order []*loop.Loop // in the order of Begin, which a simulated world repeats, unlike that of a map
}

// Of returns the value of a loop; nil if it has none. G.
func (p *Values[T]) Of(l *loop.Loop) *T {
	if v, ok := p.all.Load(l); ok {
		return v.(*T)
	}
	return nil
}

// Begin gives a loop its first value, v, and returns it; if another caller was faster, it returns that caller's value.
// Before, Begin takes out the values of all loops that have ended, and calls end with each. G.
func (p *Values[T]) Begin(l *loop.Loop, v *T, end func(*T)) *T {
	p.Each(func(other *loop.Loop, _ *T) bool {
		if other.Ended() {
			if gone := p.Take(other); gone != nil {
				end(gone)
			}
		}
		return true
	})
	first, had := p.all.LoadOrStore(l, v)
	if !had {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.order = append(p.order, l)
	}
	return first.(*T)
}

// Take removes the value of a loop and returns it; nil if there is none, because another caller has taken it. G.
func (p *Values[T]) Take(l *loop.Loop) *T {
	v, ok := p.all.LoadAndDelete(l)
	if !ok {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if i := slices.Index(p.order, l); i >= 0 { // else Begin is about to add it, and Each passes it over
		p.order = slices.Delete(slices.Clone(p.order), i, i+1)
	}
	return v.(*T)
}

// Each calls f for each value, in the order of Begin, until f returns false. G.
func (p *Values[T]) Each(f func(*loop.Loop, *T) bool) {
	p.mu.Lock()
	order := p.order[:len(p.order):len(p.order)]
	p.mu.Unlock()
	for _, l := range order {
		if v := p.Of(l); v != nil && !f(l, v) {
			return
		}
	}
}
