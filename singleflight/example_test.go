package singleflight_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"ringo"
	"ringo/singleflight"
)

// Three tasks want a page at the same time, and it is fetched once.
func ExampleGroup_Do() {
	var pages singleflight.Group[string, string]
	err := ringo.Run(context.Background(), &ringo.Config{Loops: 1}, func(l *ringo.Loop) error {
		fetch := func(context.Context) (string, error) {
			fmt.Println("the origin is asked")
			return "the page", l.Sleep(time.Millisecond)
		}
		g := ringo.NewGroup(l)
		for range 3 {
			g.Go(func() error {
				page, shared, err := pages.Do(nil, "/", fetch)
				fmt.Println(page, shared)
				return err
			})
		}
		return g.Wait()
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output:
	// the origin is asked
	// the page true
	// the page true
	// the page true
}

// After a change, a caller must not get what was fetched before: Forget makes the next Do fetch again.
func ExampleGroup_Forget() {
	var pages singleflight.Group[string, string]
	version := 1
	var inside string
	page, _, err := pages.Do(nil, "/", func(context.Context) (string, error) {
		old := fmt.Sprint("version ", version)
		version++ // while the page is fetched
		pages.Forget("/")
		var err error
		inside, _, err = pages.Do(nil, "/", func(context.Context) (string, error) {
			return fmt.Sprint("version ", version), nil
		})
		return old, err
	})
	fmt.Println(page, inside, err)
	// Output: version 1 version 2 <nil>
}
