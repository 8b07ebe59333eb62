package sockhttp

import (
	"sync"

	"ringo/internal/loop"
)

// perLoop is a T for each loop that has asked for one.
type perLoop[T any] struct{ all sync.Map } // *T by *loop.Loop

// of gives that of a loop; nil: it has none. Any caller.
func (p *perLoop[T]) of(l *loop.Loop) *T {
	if v, ok := p.all.Load(l); ok {
		return v.(*T)
	}
	return nil
}

// begin gives a loop its first. It calls end for what loops have that have ended. For a task of the loop.
func (p *perLoop[T]) begin(l *loop.Loop, v *T, end func(*T)) *T {
	p.each(func(other *loop.Loop, _ *T) bool {
		if other.Ended() {
			if gone := p.take(other); gone != nil {
				end(gone)
			}
		}
		return true
	})
	p.all.Store(l, v)
	return v
}

// take takes that of a loop out; nil: somebody has. Any caller.
func (p *perLoop[T]) take(l *loop.Loop) *T {
	if v, ok := p.all.LoadAndDelete(l); ok {
		return v.(*T)
	}
	return nil
}

// each calls f for all, until it returns false. Any caller.
func (p *perLoop[T]) each(f func(*loop.Loop, *T) bool) {
	p.all.Range(func(l, v any) bool { return f(l.(*loop.Loop), v.(*T)) })
}
