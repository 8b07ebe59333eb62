package loop_test

import (
	"iter"
	"runtime"
	"testing"
	"time"

	"ringo/internal/loop"
	"ringo/internal/rt/code"
)

// benchmark runs f in a task of an otherwise idle loop.
func benchmark(b *testing.B, f func(b *testing.B, l *loop.Loop)) {
	cfg := small(anyDriver(b))
	b.ReportAllocs()
	err := run(b, cfg, func(l *loop.Loop) error { f(b, l); return nil })
	if err != nil {
		b.Fatal(err)
	}
}

// What a park can't cost less than: a switch to a coroutine and back, on a locked
// thread, and nothing else.
func BenchmarkBareSwitch(b *testing.B) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread()
		next, stop := iter.Pull(iter.Seq[int](func(yield func(int) bool) {
			for yield(0) {
			}
		}))
		defer stop()
		for b.Loop() {
			next()
		}
	}()
	<-done
}

// One park and one resume of one task, through the queue of those that are ready.
func BenchmarkPark(b *testing.B) {
	benchmark(b, func(b *testing.B, l *loop.Loop) {
		me := l.Task()
		for b.Loop() {
			l.Ready(me)
			l.Park(nil)
		}
	})
}

type nothing struct{}

func (nothing) Run()            {}
func (nothing) Code() code.Func { return 0 }

// A task without a handle, started and run to its end in a pooled coroutine. The
// starter yields once in a hundred.
func BenchmarkStart(b *testing.B) {
	benchmark(b, func(b *testing.B, l *loop.Loop) {
		spawn(b, l, func() { l.Start(nothing{}) })
	})
}

// The same where each task has labels that name it.
func BenchmarkStartLabelled(b *testing.B) {
	cfg := small(anyDriver(b))
	cfg.LabelTasks = true
	b.ReportAllocs()
	err := run(b, cfg, func(l *loop.Loop) error {
		spawn(b, l, func() { l.Start(nothing{}) })
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
}

// A task that parks once, so that it needs a coroutine of its own.
func BenchmarkGoThatParks(b *testing.B) {
	benchmark(b, func(b *testing.B, l *loop.Loop) {
		fn := func() { l.Ready(l.Task()); l.Park(nil) }
		spawn(b, l, func() { l.Go(fn) })
	})
}

func spawn(b *testing.B, l *loop.Loop, one func()) {
	me, n := l.Task(), 0
	for b.Loop() {
		one()
		if n++; n%100 == 0 {
			l.Ready(me)
			l.Park(nil)
		}
	}
}

// A turn: all that it costs beside what is done in it.
func BenchmarkTurn(b *testing.B) {
	for name, limit := range map[string]time.Duration{"watched": 100 * time.Millisecond, "unwatched": -1} {
		b.Run(name, func(b *testing.B) {
			cfg := small(anyDriver(b))
			cfg.Stall, cfg.Since, cfg.Complain = limit, time.Since, func(text string) { b.Error(text) }
			err := run(b, cfg, func(l *loop.Loop) error {
				for b.Loop() {
					loop.Yield(l)
				}
				return nil
			})
			if err != nil {
				b.Error(err)
			}
		})
	}
}

// A task that sleeps no time: a timer, a look at the kernel, a park.
func BenchmarkSleepZero(b *testing.B) {
	benchmark(b, func(b *testing.B, l *loop.Loop) {
		for b.Loop() {
			l.Sleep(0)
		}
	})
}
