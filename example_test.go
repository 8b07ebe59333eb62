//go:build linux

package ringo_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"time"

	"ringo"
)

// One loop whose first task starts another and waits for it. Neither the two tasks nor the variable that they share need a
// lock: they run on one thread, and only one of them at a time.
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

// The end of Run's context is the word to drain. Tasks go on until Grace has passed, and are cancelled then: their waits
// fail, their deferred functions run.
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

// A file read would stop the loop, so it goes to a goroutine. The function may write to captured variables: the task does
// nothing until it is done.
func ExampleLoop_Offload() {
	err := ringo.Run(context.Background(), &ringo.Config{Loops: 1}, func(l *ringo.Loop) error {
		var text []byte
		err := l.Offload(func(ctx context.Context) (err error) {
			text, err = os.ReadFile("go.mod")
			return err
		})
		fmt.Printf("%.12s\n", text)
		return err
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output: module ringo
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
