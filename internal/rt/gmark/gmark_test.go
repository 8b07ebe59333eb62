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
	if m.IsCurrent() {
		t.Fatal("an unset mark claims the caller")
	}
	m.Set(Current())
	if !m.IsCurrent() {
		t.Fatal("the marked goroutine is not found")
	}
	other := make(chan bool)
	go func() { other <- m.IsCurrent() }()
	if <-other {
		t.Fatal("another goroutine passes for the marked one")
	}
	m.Clear()
	if m.IsCurrent() {
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
		yield(m.IsCurrent())
		m.Set(Current())
		yield(m.IsCurrent())
	})
	defer stop()
	if in, _ := next(); in {
		t.Error("a coroutine passes for the goroutine that resumes it")
	}
	if in, _ := next(); !in {
		t.Error("a coroutine does not find its own mark")
	}
	if m.IsCurrent() {
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
					if m.IsCurrent() {
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

// On the systems that are tested the runtime's layout is the one that is assumed: where it is not, everything works,
// but each call from a goroutine costs a system call, and somebody has to look.
func TestThreadsKnown(t *testing.T) {
	if !Exact {
		t.Skip("no g check on " + runtime.GOARCH)
	}
	if !ThreadsKnown() {
		t.Fatalf("%s on %s: the running g does not say which thread it is on", runtime.Version(), runtime.GOARCH)
	}
}

// A thread that is locked is told from all that goroutines run on, whatever they do and however they are moved.
func TestThreadIsNobodyElses(t *testing.T) {
	if !ThreadsKnown() {
		t.Skip("threads are not known on " + runtime.GOARCH)
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	mine := CurrentThread()
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 20_000 {
				if CurrentThread() == mine {
					t.Error("a goroutine passes for one on a locked thread")
					return
				}
				runtime.Gosched()
			}
		})
	}
	for range 20_000 {
		if CurrentThread() != mine {
			t.Fatal("the thread has changed under a goroutine that locked it")
		}
		runtime.Gosched()
	}
	wg.Wait()
	depth := 0
	var nested func() Thread // iterators within iterators
	nested = func() Thread {
		if depth++; depth == 5 {
			return CurrentThread()
		}
		next, stop := iter.Pull(func(yield func(Thread) bool) { yield(nested()) })
		defer stop()
		got, _ := next()
		return got
	}
	if got := nested(); got != mine {
		t.Errorf("in an iterator of an iterator: thread %#x, want %#x", got, mine)
	}
}

func BenchmarkThread(b *testing.B) {
	mine := CurrentThread()
	n := 0
	for b.Loop() {
		if CurrentThread() == mine {
			n++
		}
	}
}

func BenchmarkHere(b *testing.B) {
	var m Mark
	m.Set(Current())
	for b.Loop() {
		if !m.IsCurrent() && Exact {
			b.Fatal("not here")
		}
	}
}
