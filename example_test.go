//go:build linux

package ringo_test

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"log"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"time"

	"ringo"
)

// One loop whose first task starts another and waits for it. Neither the two tasks nor the variable that they share
// need a lock: they run on one thread, and only one of them at a time.
func ExampleRun() {
	sum := 0
	err := ringo.Run(context.Background(), &ringo.Config{Loops: 1}, func(l *ringo.Loop) error {
		t := l.Go(func() {
			for i := range 3 {
				l.Sleep(time.Millisecond)
				sum += i
			}
		})
		return t.Wait()
	})
	fmt.Println(sum, err)
	// Output: 3 <nil>
}

// Loops share nothing. What each needs is in a slice by the loop's index, and one loop asks another by starting a task
// there and joining it.
func ExampleLoop_Index() {
	names := []string{"north", "south"} // names[i] belongs to loop i
	ctx, stop := context.WithCancel(context.Background())
	err := ringo.Run(ctx, &ringo.Config{Loops: 2, Grace: -1}, func(l *ringo.Loop) error {
		if l.Index() != 0 {
			return l.Sleep(time.Hour) // until the program drains
		}
		defer stop()
		other := l.Loops()[1]
		answer := ""
		err := other.Go(func() { answer = names[other.Index()] }).Wait()
		fmt.Println(names[l.Index()], "asked, answered", answer)
		return err
	})
	fmt.Println(err)
	// Output:
	// north asked, answered south
	// <nil>
}

// The end of Run's context is the word to drain. Tasks go on until Grace has passed, and are cancelled then: their
// waits fail, their deferred functions run.
func ExampleConfig() {
	ctx, stop := context.WithCancel(context.Background())
	cfg := &ringo.Config{Loops: 1, Grace: 20 * time.Millisecond}
	err := ringo.Run(ctx, cfg, func(l *ringo.Loop) error {
		defer fmt.Println("cleaned up")
		stop()
		err := l.Sleep(time.Hour)
		fmt.Println("the sleep:", err)
		return err
	})
	fmt.Println("Run:", err)
	// Output:
	// the sleep: context canceled
	// cleaned up
	// Run: <nil>
}

// A file read would stop the loop, so it goes to a goroutine. The function may write to captured variables: the task
// does nothing until it is done.
func ExampleLoop_Offload() {
	err := ringo.Run(context.Background(), &ringo.Config{Loops: 1}, func(l *ringo.Loop) error {
		var text []byte
		err := l.Offload(func(ctx context.Context) (err error) {
			text, err = os.ReadFile("go.mod")
			return err
		})
		fmt.Printf("%.6s\n", text)
		return err
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output: module
}

// A timer runs its function as a task, so the function may wait.
func ExampleLoop_AfterFunc() {
	err := ringo.Run(context.Background(), &ringo.Config{Loops: 1}, func(l *ringo.Loop) error {
		l.AfterFunc(time.Millisecond, func() { fmt.Println("second") })
		never := l.AfterFunc(time.Hour, func() { fmt.Println("never") })
		fmt.Println("first")
		l.Sleep(2 * time.Millisecond)
		fmt.Println("stopped:", never.Stop())
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output:
	// first
	// second
	// stopped: true
}

// The first error of a group cancels the others.
func ExampleGroup() {
	err := ringo.Run(context.Background(), &ringo.Config{Loops: 1}, func(l *ringo.Loop) error {
		g := ringo.NewGroup(l)
		g.Go(func() error { return errors.New("out of tea") })
		g.Go(func() error {
			err := l.Sleep(time.Hour)
			fmt.Println("the other one:", err)
			return err
		})
		return g.Wait()
	})
	fmt.Println("Run:", err)
	// Output:
	// the other one: context canceled
	// Run: out of tea
}

// A function of a library for both: what blocks leaves the loop of a task, and is called as it is elsewhere.
func ExampleCurrent() {
	find := func(name string) (path string, err error) {
		l, _ := ringo.Current()
		if l == nil {
			return exec.LookPath(name)
		}
		err = l.Offload(func(context.Context) error {
			path, err = exec.LookPath(name)
			return err
		})
		return path, err
	}
	err := ringo.Run(context.Background(), &ringo.Config{Loops: 1}, func(*ringo.Loop) error {
		_, err := find("no such program")
		fmt.Println("in a task:", err)
		return nil
	})
	_, elsewhere := find("no such program")
	fmt.Println("elsewhere:", elsewhere)
	fmt.Println(err)
	// Output:
	// in a task: exec: "no such program": executable file not found in $PATH
	// elsewhere: exec: "no such program": executable file not found in $PATH
	// <nil>
}

// A cancelled task learns of it in what it waits for; joining it gives nil, since its function returned.
func ExampleTask_Cancel() {
	err := ringo.Run(context.Background(), &ringo.Config{Loops: 1}, func(l *ringo.Loop) error {
		t := l.Go(func() { fmt.Println(l.Sleep(time.Hour)) })
		l.Sleep(time.Millisecond)
		t.Cancel()
		return t.Wait()
	})
	fmt.Println(err)
	// Output:
	// context canceled
	// <nil>
}

// A producer on one loop, a consumer on the other. Run ends when both have.
func ExampleChan() {
	orders := ringo.NewChan[string](2)
	err := ringo.Run(context.Background(), &ringo.Config{Loops: 2}, func(l *ringo.Loop) error {
		if l.Index() == 0 {
			defer orders.Close()
			for _, dish := range []string{"soup", "fish", "tea"} {
				if err := orders.Send(dish); err != nil {
					return err
				}
			}
			return nil
		}
		for {
			dish, err := orders.Recv()
			if err == ringo.ErrClosed {
				return nil
			}
			if err != nil {
				return err
			}
			fmt.Println(dish)
		}
	})
	fmt.Println(err)
	// Output:
	// soup
	// fish
	// tea
	// <nil>
}

// An ordinary goroutine hands what it has to a task, which only parks meanwhile.
func ExampleChan_goroutine() {
	lines := ringo.NewChan[string](0)
	go func() {
		defer lines.Close()
		lines.Send("from a goroutine")
	}()
	err := ringo.Run(context.Background(), &ringo.Config{Loops: 1}, func(l *ringo.Loop) error {
		line, err := lines.Recv()
		fmt.Println(line)
		return err
	})
	fmt.Println(err)
	// Output:
	// from a goroutine
	// <nil>
}

// A task waits for work and for the word to stop at once. The cases are made once.
func ExampleSelect() {
	work, stop := ringo.NewChan[int](0), ringo.NewChan[struct{}](0)
	err := ringo.Run(context.Background(), &ringo.Config{Loops: 1}, func(l *ringo.Loop) error {
		worker := l.Go(func() {
			var n int
			var word struct{}
			cases := []ringo.Case{ringo.RecvInto(work, &n), ringo.RecvInto(stop, &word)}
			for {
				switch i, err := ringo.Select(cases...); {
				case i == 0 && err == nil:
					fmt.Println("work", n)
				default:
					fmt.Println("case", i, "-", err)
					return
				}
			}
		})
		work.Send(1)
		work.Send(2)
		stop.Close()
		return worker.Wait()
	})
	fmt.Println(err)
	// Output:
	// work 1
	// work 2
	// case 1 - ringo: the Chan, Watch or Broadcast is closed
	// <nil>
}

// A read, an answer and whatever else is in the block have a time together.
func ExampleLoop_WithTimeout() {
	err := ringo.Run(context.Background(), &ringo.Config{Loops: 1}, func(l *ringo.Loop) error {
		never := ringo.NewChan[int](0)
		err := l.WithTimeout(time.Millisecond, func() error {
			_, err := never.Recv()
			return err
		})
		fmt.Println(errors.Is(err, os.ErrDeadlineExceeded))
		return l.Sleep(0) // waits work again
	})
	fmt.Println(err)
	// Output:
	// true
	// <nil>
}

// At most two of these tasks do their work at once.
func ExampleSemaphore() {
	err := ringo.Run(context.Background(), &ringo.Config{Loops: 1}, func(l *ringo.Loop) error {
		s := ringo.NewSemaphore(2)
		g := ringo.NewGroup(l)
		now, most := 0, 0
		for range 10 {
			g.Go(func() error {
				if err := s.Acquire(l.Context(), 1); err != nil {
					return err
				}
				defer s.Release(1)
				now++
				most = max(most, now)
				err := l.Sleep(time.Millisecond)
				now--
				return err
			})
		}
		err := g.Wait()
		fmt.Println("at most", most)
		return err
	})
	fmt.Println(err)
	// Output:
	// at most 2
	// <nil>
}

// A lock that is held over a wait: without it the two would mix their words.
func ExampleMutex() {
	var m ringo.Mutex
	err := ringo.Run(context.Background(), &ringo.Config{Loops: 1}, func(l *ringo.Loop) error {
		g := ringo.NewGroup(l)
		for _, name := range []string{"first", "second"} {
			g.Go(func() error {
				m.Lock()
				defer m.Unlock()
				fmt.Println(name, "begins")
				err := l.Sleep(time.Millisecond)
				fmt.Println(name, "ends")
				return err
			})
		}
		return g.Wait()
	})
	fmt.Println(err)
	// Output:
	// first begins
	// first ends
	// second begins
	// second ends
	// <nil>
}

// Readers share the lock, also while they wait; a writer has it alone.
func ExampleRWMutex() {
	var m ringo.RWMutex
	version := 1
	err := ringo.Run(context.Background(), &ringo.Config{Loops: 1}, func(l *ringo.Loop) error {
		g := ringo.NewGroup(l)
		read := func() error {
			m.RLock()
			defer m.RUnlock()
			err := l.Sleep(time.Millisecond) // of what is read here, nothing changes meanwhile
			fmt.Println("version", version)
			return err
		}
		g.Go(read)
		g.Go(read)
		g.Go(func() error {
			m.Lock()
			defer m.Unlock()
			version++
			return nil
		})
		g.Go(read)
		return g.Wait()
	})
	fmt.Println(err)
	// Output:
	// version 1
	// version 1
	// version 2
	// <nil>
}

// Each subscriber gets all values; one that is too far behind learns how many it has missed.
func ExampleBroadcast() {
	prices := ringo.NewBroadcast[int](2)
	err := ringo.Run(context.Background(), &ringo.Config{Loops: 1}, func(l *ringo.Loop) error {
		s := prices.Subscribe()
		for price := range 5 {
			prices.Publish(price)
		}
		prices.Close()
		for {
			price, err := s.Recv(l.Context())
			var missed ringo.MissedError
			switch {
			case errors.As(err, &missed):
				fmt.Println("missed", missed.Values)
			case err == ringo.ErrClosed:
				return nil
			case err != nil:
				return err
			default:
				fmt.Println("price", price)
			}
		}
	})
	fmt.Println(err)
	// Output:
	// missed 3
	// price 3
	// price 4
	// <nil>
}

// A task follows a value that others change: it gets the last, and not all that came between.
func ExampleWatch() {
	var config ringo.Watch[string]
	err := ringo.Run(context.Background(), &ringo.Config{Loops: 1}, func(l *ringo.Loop) error {
		follower := l.Go(func() {
			v, version := config.Get()
			for err := error(nil); err == nil; v, version, err = config.Next(l.Context(), version) {
				fmt.Printf("%d %q\n", version, v)
			}
		})
		l.Sleep(0)
		config.Set("quiet")
		config.Set("verbose")
		l.Sleep(time.Millisecond)
		config.Close()
		return follower.Wait()
	})
	fmt.Println(err)
	// Output:
	// 0 ""
	// 2 "verbose"
	// <nil>
}

// Each loop has a part of the words, and no lock.
func ExampleSharded() {
	words := ringo.NewSharded(func(*ringo.Loop) (map[string]int, error) { return map[string]int{}, nil })
	seed := maphash.MakeSeed()
	cfg := &ringo.Config{Loops: 2, Start: words.Start}
	err := ringo.Run(context.Background(), cfg, func(l *ringo.Loop) error {
		if l.Index() > 0 {
			return nil // it is there for the other's calls
		}
		batch := words.Batch()
		for word := range strings.FieldsSeq("the cat and the dog and the bird") {
			batch.Add(words.At(maphash.String(seed, word)), func(count map[string]int) { count[word]++ })
		}
		if err := batch.Call(); err != nil {
			return err
		}
		words.At(maphash.String(seed, "the")).Call(func(count map[string]int) error {
			fmt.Println("the:", count["the"])
			return nil
		})
		different, err := ringo.Reduce(words, func(count map[string]int) (int, error) { return len(count), nil },
			func(a, b int) int { return a + b })
		fmt.Println("different words:", different)
		return err
	})
	fmt.Println(err)
	// Output:
	// the: 3
	// different words: 5
	// <nil>
}

// Workers begin each round together.
func ExampleBarrier() {
	const workers = 3
	b := ringo.NewBarrier(workers)
	err := ringo.Run(context.Background(), &ringo.Config{Loops: 1}, func(l *ringo.Loop) error {
		g := ringo.NewGroup(l)
		for range workers {
			g.Go(func() error {
				for round := range 2 {
					last, err := b.Wait(l.Context())
					if err != nil {
						return err
					}
					if last {
						fmt.Println("round", round)
					}
				}
				return nil
			})
		}
		return g.Wait()
	})
	fmt.Println(err)
	// Output:
	// round 0
	// round 1
	// <nil>
}

// The first that asks does the work, and whoever asks meanwhile waits for it.
func ExampleOnceValues() {
	config := ringo.OnceValues(func() (string, error) {
		fmt.Println("reads the file")
		l, _ := ringo.Current()
		return "verbose", l.Sleep(time.Millisecond)
	})
	err := ringo.Run(context.Background(), &ringo.Config{Loops: 1}, func(l *ringo.Loop) error {
		g := ringo.NewGroup(l)
		for range 2 {
			g.Go(func() error {
				c, err := config()
				fmt.Println(c)
				return err
			})
		}
		return g.Wait()
	})
	fmt.Println(err)
	// Output:
	// reads the file
	// verbose
	// verbose
	// <nil>
}

// Tasks wait until what they need is so.
func ExampleCond() {
	var m ringo.Mutex
	ready := ringo.NewCond(&m)
	open := false
	err := ringo.Run(context.Background(), &ringo.Config{Loops: 2}, func(l *ringo.Loop) error {
		m.Lock()
		defer m.Unlock()
		if l.Index() == 1 {
			open = true
			ready.Broadcast()
			return nil
		}
		for !open {
			ready.Wait()
		}
		fmt.Println("open")
		return nil
	})
	fmt.Println(err)
	// Output:
	// open
	// <nil>
}

// A goroutine waits for a lock no longer than its context lasts.
func ExampleMutex_LockContext() {
	var m ringo.Mutex
	m.Lock()
	ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	err := m.LockContext(ctx)
	fmt.Println(errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded))
	m.Unlock()
	// Output:
	// true true
}

// All waits in the block end with the context, which says why.
func ExampleLoop_WithContext() {
	err := ringo.Run(context.Background(), &ringo.Config{Loops: 1}, func(l *ringo.Loop) error {
		ctx, cancel := context.WithCancelCause(context.Background())
		l.AfterFunc(time.Millisecond, func() { cancel(errors.New("the client has gone")) })
		fmt.Println(l.WithContext(ctx, func() error { return l.Sleep(time.Hour) }))
		return l.Sleep(0) // waits work again
	})
	fmt.Println(err)
	// Output:
	// context canceled: the client has gone
	// <nil>
}

// Two of the tasks at once, and all end with the first error or with the context.
func ExampleGroupWithContext() {
	err := ringo.Run(context.Background(), &ringo.Config{Loops: 1}, func(l *ringo.Loop) error {
		g, ctx := ringo.GroupWithContext(context.Background(), l)
		g.SetLimit(2)
		for _, dish := range []string{"soup", "fish", "tea"} {
			g.Go(func() error { // waits while two are at work
				if dish == "tea" {
					return errors.New("out of tea")
				}
				fmt.Println(dish)
				return l.Sleep(time.Millisecond)
			})
		}
		err := g.Wait()
		fmt.Println(context.Cause(ctx))
		return err
	})
	fmt.Println("Run:", err)
	// Output:
	// soup
	// fish
	// out of tea
	// Run: out of tea
}

// What belongs to one loop needs no lock: others have it looked at there.
func ExampleLoop_Call() {
	err := ringo.Run(context.Background(), &ringo.Config{Loops: 2}, func(l *ringo.Loop) error {
		if l.Index() != 0 {
			return nil
		}
		stock := map[string]int{"tea": 2} // of loop 0
		sold := func() error {
			if stock["tea"] == 0 {
				return errors.New("out of tea")
			}
			stock["tea"]--
			return nil
		}
		return l.Offload(func(context.Context) error { // as any goroutine
			for range 3 {
				fmt.Println(l.Call(sold))
			}
			return nil
		})
	})
	fmt.Println("Run:", err)
	// Output:
	// <nil>
	// <nil>
	// out of tea
	// Run: <nil>
}

// A task waits for tasks and goroutines, without holding up its loop.
func ExampleWaitGroup() {
	err := ringo.Run(context.Background(), &ringo.Config{Loops: 1}, func(l *ringo.Loop) error {
		var g ringo.WaitGroup
		var done atomic.Int32
		for range 3 {
			g.Go(func() { l.Sleep(time.Millisecond); done.Add(1) }) // a task, since a task calls
		}
		g.Add(1)
		go func() { defer g.Done(); done.Add(1) }()
		if err := g.WaitContext(l.Context()); err != nil {
			return err
		}
		fmt.Println(done.Load())
		return nil
	})
	fmt.Println(err)
	// Output:
	// 4
	// <nil>
}

// A task works at a beat until it is told to stop.
func ExampleTicker() {
	stop := ringo.NewChan[struct{}](0)
	err := ringo.Run(context.Background(), &ringo.Config{Loops: 1}, func(l *ringo.Loop) error {
		tick := l.NewTicker(time.Millisecond)
		defer tick.Stop()
		var at time.Time
		var word struct{}
		cases := []ringo.Case{ringo.RecvInto(tick.C, &at), ringo.RecvInto(stop, &word)}
		for n := 0; ; {
			if i, _ := ringo.Select(cases...); i == 1 {
				return nil
			}
			if n++; n == 3 {
				fmt.Println("three ticks")
				stop.Close()
			}
		}
	})
	fmt.Println(err)
	// Output:
	// three ticks
	// <nil>
}
