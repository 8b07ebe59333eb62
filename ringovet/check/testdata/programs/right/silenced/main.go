// What is known not to wait.
package main

import (
	"context"
	"log"
	"os"
	"time"

	"ringo"
)

func main() {
	log.Fatal(ringo.Run(context.Background(), &ringo.Config{Loops: 1}, func(l *ringo.Loop) error {
		done := make(chan int, 1)
		l.Go(func() {
			done <- 1 //ringo:offloaded it has room for the only one
		})
		//ringo:offloaded there is no other task whom that would hold up
		time.Sleep(time.Second)
		setup()
		return nil
	}))
}

// setup runs before anybody is served.
//
//ringo:offloaded the loop has no other task yet
func setup() {
	os.Mkdir("data", 0o700)
	time.Sleep(time.Second)
}
