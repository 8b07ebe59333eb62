package event_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"time"

	"ringo"
	"ringo/event"
	"ringo/sock"
)

// echo sends back what it receives.
type echo struct{ event.Base }

func (echo) OnData(c *event.Conn, p []byte) int {
	if c.Write(p) != nil {
		c.Close()
	} else if c.Congested() { // until the peer reads
		c.Pause()
	}
	return len(p)
}

func (echo) OnWritable(c *event.Conn) { c.Resume() }

// greeter says hello, and prints the answer.
type greeter struct{ event.Base }

func (greeter) OnOpen(c *event.Conn) {
	if c.Write([]byte("hello")) != nil {
		c.Close()
	}
}

func (greeter) OnData(c *event.Conn, p []byte) int {
	if len(p) < len("hello") {
		return 0 // p comes again, with more behind it
	}
	fmt.Printf("%s\n", p)
	c.Loop().Stop() // the listener and both connections
	return len(p)
}

// A server that echoes, and its client: their handlers are called on one loop, one at a time, so they need no lock.
func ExampleRun() {
	err := event.Run(context.Background(), &ringo.Config{Loops: 1}, func(l *event.Loop) error {
		ln, err := l.Listen("tcp", "127.0.0.1:0", echo{})
		if err != nil {
			return err
		}
		l.Dial("tcp", ln.Addr().String(), greeter{})
		return nil // Run returns once nothing is active any more
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output: hello
}

// A timer keeps its loop running until it is stopped.
func ExampleLoop_Every() {
	err := event.Run(context.Background(), &ringo.Config{Loops: 1}, func(l *event.Loop) error {
		calls := 0
		var timer *event.Timer
		timer = l.Every(time.Millisecond, func() {
			calls++
			fmt.Println("call", calls)
			if calls == 3 {
				timer.Stop()
			}
		})
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output:
	// call 1
	// call 2
	// call 3
}

// answerer leaves to a task what takes time, such as a question to a database: a callback must not wait.
type answerer struct{ event.Base }

func (answerer) OnData(c *event.Conn, p []byte) int {
	question := string(p) // p is valid until OnData returns
	c.Pause()
	l := c.Loop().Ringo()
	l.Go(func() {
		if err := l.Sleep(time.Millisecond); err != nil || c.Write([]byte("hello, "+question)) != nil {
			c.Close()
		}
		c.Resume()
	})
	return len(p)
}

// Callbacks and tasks share a loop: the server is callbacks, which start tasks, and the client is a task.
func ExampleOn() {
	err := ringo.Run(context.Background(), &ringo.Config{Loops: 1}, func(l *ringo.Loop) error {
		ln, err := event.On(l).Listen("tcp", "127.0.0.1:0", answerer{})
		if err != nil {
			return err
		}
		defer ln.Close()
		c, err := sock.Dial(l, "tcp", ln.Addr().String())
		if err != nil {
			return err
		}
		defer c.Close()
		if _, err := io.WriteString(c, "world"); err != nil {
			return err
		}
		p := make([]byte, len("hello, world"))
		_, err = io.ReadFull(c, p)
		fmt.Printf("%s\n", p)
		return err
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output: hello, world
}
