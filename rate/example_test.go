package rate_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"ringo"
	"ringo/rate"
)

// A client that keeps to a rate: its task parks until the next token comes.
func ExampleLimiter() {
	limiter := rate.NewLimiter(rate.Every(time.Millisecond), 1)
	err := ringo.Run(context.Background(), &ringo.Config{Loops: 1}, func(l *ringo.Loop) error {
		for i := range 3 {
			if err := limiter.Wait(l.Context()); err != nil {
				return err
			}
			fmt.Println("request", i)
		}
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output:
	// request 0
	// request 1
	// request 2
}

// A server refuses what is beyond its clients' share, here five requests at once, and one an hour after them.
func ExampleLimiter_Allow() {
	limiter := rate.NewLimiter(rate.Every(time.Hour), 5)
	allowed := 0
	for range 5 {
		if limiter.Allow() {
			allowed++
		}
	}
	fmt.Println(allowed, "requests are served")
	fmt.Println("the next one:", limiter.Allow())
	// Output:
	// 5 requests are served
	// the next one: false
}

// A caller whose tokens would come too late learns that at once, and takes none.
func ExampleLimiter_WaitN() {
	limiter := rate.NewLimiter(rate.Every(24*time.Hour), 10) // of bytes, say
	ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
	defer cancel()
	fmt.Println(limiter.WaitN(ctx, 10)) // they are there
	fmt.Println(errors.Is(limiter.WaitN(ctx, 1), context.DeadlineExceeded))
	// Output:
	// <nil>
	// true
}
