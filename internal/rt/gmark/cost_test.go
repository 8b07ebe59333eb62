package gmark

import (
	"iter"
	"sync/atomic"
	"testing"
)

// What the mark costs beside the word that a race detector would accept without being told, an atomic one. Two things
// are paid for: the stores, two for every time a task is resumed, and the check, one or more for every call on a
// handle. The loops are written out so that everything inlines as it does in a loop. docs/adr/0003-g-mark.md quotes the
// numbers.

// atomicMark is the alternative.
type atomicMark struct{ g atomic.Uintptr }

func (m *atomicMark) Set(g G)         { m.g.Store(uintptr(g)) }
func (m *atomicMark) Clear()          { m.g.Store(0) }
func (m *atomicMark) IsCurrent() bool { return m.g.Load() == getg() }

func BenchmarkStores(b *testing.B) {
	g := Current()
	b.Run("plain", func(b *testing.B) {
		var m Mark
		for b.Loop() {
			m.Set(g)
			m.Clear()
		}
	})
	b.Run("atomic", func(b *testing.B) {
		var m atomicMark
		for b.Loop() {
			m.Set(g)
			m.Clear()
		}
	})
}

func BenchmarkCheck(b *testing.B) {
	b.Run("plain", func(b *testing.B) {
		var m Mark
		m.Set(Current())
		for b.Loop() {
			if !m.IsCurrent() && Exact {
				b.Fatal("not here")
			}
		}
	})
	b.Run("atomic", func(b *testing.B) {
		var m atomicMark
		m.Set(Current())
		for b.Loop() {
			if !m.IsCurrent() && Exact {
				b.Fatal("not here")
			}
		}
	})
}

// BenchmarkResume is a coroutine's round trip: alone, and with the mark set before and cleared after, as a loop does
// it.
func BenchmarkResume(b *testing.B) {
	var g G
	coroutine := func(b *testing.B) func() (struct{}, bool) {
		next, stop := iter.Pull(func(yield func(struct{}) bool) {
			g = Current()
			for yield(struct{}{}) {
			}
		})
		b.Cleanup(stop)
		next()
		return next
	}
	b.Run("none", func(b *testing.B) {
		next := coroutine(b)
		for b.Loop() {
			next()
		}
	})
	b.Run("plain", func(b *testing.B) {
		next := coroutine(b)
		var m Mark
		for b.Loop() {
			m.Set(g)
			next()
			m.Clear()
		}
	})
	b.Run("atomic", func(b *testing.B) {
		next := coroutine(b)
		var m atomicMark
		for b.Loop() {
			m.Set(g)
			next()
			m.Clear()
		}
	})
}
