package gmark

import (
	"iter"
	"runtime"
	"sync"
	"testing"
)

func TestMarkKnowsItsG(t *testing.T) {
	if !Exact {
		t.Skip("no g check on " + runtime.GOARCH)
	}
	var m Mark
	if m.Here() {
		t.Fatal("an unset mark claims the caller")
	}
	m.Set(Current())
	if !m.Here() {
		t.Fatal("the marked goroutine is not found")
	}
	other := make(chan bool)
	go func() { other <- m.Here() }()
	if <-other {
		t.Fatal("another goroutine passes for the marked one")
	}
	m.Clear()
	if m.Here() {
		t.Fatal("a cleared mark claims the caller")
	}
}

func TestCoroutineHasItsOwnG(t *testing.T) {
	if !Exact {
		t.Skip("no g check on " + runtime.GOARCH)
	}
	var m Mark
	m.Set(Current())
	next, stop := iter.Pull(func(yield func(bool) bool) {
		yield(m.Here())
		m.Set(Current())
		yield(m.Here())
	})
	defer stop()
	if in, _ := next(); in {
		t.Error("a coroutine passes for the goroutine that resumes it")
	}
	if in, _ := next(); !in {
		t.Error("a coroutine does not find its own mark")
	}
	if m.Here() {
		t.Error("the resumer passes for its coroutine")
	}
}

// Readers race with the writer on purpose: the detector must stay silent and
// no reader may ever be taken for the writer.
func TestForeignReadersAreRaceClean(t *testing.T) {
	var m Mark
	var wg sync.WaitGroup
	stop := make(chan struct{})
	for range 2 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					if m.Here() {
						t.Error("a foreign goroutine was taken for the task")
						return
					}
				}
			}
		})
	}
	for range 100_000 {
		m.Set(Current())
		m.Clear()
	}
	close(stop)
	wg.Wait()
}

func BenchmarkHere(b *testing.B) {
	var m Mark
	m.Set(Current())
	for b.Loop() {
		if !m.Here() && Exact {
			b.Fatal("not here")
		}
	}
}
