// Package perloop has a value for each loop that has asked for one.
package perloop

import (
	"sync"

	"ringo/internal/loop"
)

// Values is a T for each loop that has asked for one. The zero value is ready.
type Values[T any] struct{ all sync.Map } // *T by *loop.Loop

// Of gives that of a loop; nil: it has none. G.
func (p *Values[T]) Of(l *loop.Loop) *T {
	if v, ok := p.all.Load(l); ok {
		return v.(*T)
	}
	return nil
}

// Begin gives a loop v as its first, or what another caller has just given it. It calls end for what loops have that
// have ended. G.
func (p *Values[T]) Begin(l *loop.Loop, v *T, end func(*T)) *T {
	p.Each(func(other *loop.Loop, _ *T) bool {
		if other.Ended() {
			if gone := p.Take(other); gone != nil {
				end(gone)
			}
		}
		return true
	})
	first, _ := p.all.LoadOrStore(l, v)
	return first.(*T)
}

// Take takes that of a loop out; nil: somebody has. G.
func (p *Values[T]) Take(l *loop.Loop) *T {
	if v, ok := p.all.LoadAndDelete(l); ok {
		return v.(*T)
	}
	return nil
}

// Each calls f for all, until it returns false. G.
func (p *Values[T]) Each(f func(*loop.Loop, *T) bool) {
	p.all.Range(func(l, v any) bool { return f(l.(*loop.Loop), v.(*T)) })
}
