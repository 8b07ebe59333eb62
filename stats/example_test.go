package stats_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"ringo"
	"ringo/stats"
)

// A loop says what it has: here two tasks, this one and another that sleeps.
func ExampleLoop() {
	err := ringo.Run(context.Background(), &ringo.Config{Loops: 1}, func(l *ringo.Loop) error {
		other := l.Go(func() { l.Sleep(time.Hour) })
		s := l.Stats()
		fmt.Println(s.Tasks, "tasks, 99 % of turns in less than an hour:", s.TurnTimes.Quantile(0.99) < time.Hour)
		other.Cancel()
		return other.Wait()
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output: 2 tasks, 99 % of turns in less than an hour: true
}

// The tasks of a loop, by name, and what each waits for.
func ExampleTask() {
	err := ringo.Run(context.Background(), &ringo.Config{Loops: 1}, func(l *ringo.Loop) error {
		cleaner := l.GoNamed("cleaner", func() { l.Sleep(time.Hour) })
		l.Yield() // so that it has begun
		for _, t := range l.Tasks() {
			if t.Name == "cleaner" {
				fmt.Println(t.Name, "is", t.State, "in", t.WaitOp)
			}
		}
		cleaner.Cancel()
		return cleaner.Wait()
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output: cleaner is parked in Sleep
}

// A program may count times of its own. A quantile is the bound of a bucket: at most half too long.
func ExampleHistogram() {
	var answers stats.Histogram
	for range 99 {
		answers.Add(time.Millisecond)
	}
	answers.Add(time.Second)
	fmt.Println(answers.Count(), "answers, the longest took", answers.Max())
	p50 := answers.Quantile(0.5)
	fmt.Println(p50 >= time.Millisecond, p50 <= 3*time.Millisecond/2)
	// Output:
	// 100 answers, the longest took 1s
	// true true
}
