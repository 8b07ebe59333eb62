// What a command reads and writes is copied by a task, if a task starts it.
package main

import (
	"bytes"
	"context"
	"io"
	"log"
	"os"
	"time"

	"ringo"
	"ringo/proc"
)

// slow is written to by tasks.
type slow struct{}

func (slow) Write(p []byte) (int, error) {
	time.Sleep(time.Second) // want `time.Sleep .*proc.Cmd\).Run -> .*Write`
	return len(p), nil
}

// feed is read by tasks.
type feed chan byte

func (f feed) Read(p []byte) (int, error) {
	p[0] = <-f // want `a channel receive .*main.fed -> .*Read`
	return 1, nil
}

// calm is written to by goroutines.
type calm struct{}

func (calm) Write(p []byte) (int, error) {
	time.Sleep(time.Second)
	return len(p), nil
}

func main() {
	c := proc.Command("date")
	c.Stdout = calm{}
	if err := c.Run(); err != nil {
		log.Fatal(err)
	}
	log.Fatal(ringo.Run(context.Background(), nil, func(l *ringo.Loop) error {
		c := proc.Command("date")
		c.Stdin, c.Stdout, c.Stderr = os.Stdin, new(bytes.Buffer), os.Stderr // a file is not copied
		if err := c.Run(); err != nil {
			return err
		}
		c = proc.Command("date")
		c.Stderr = slow{}
		if err := c.Run(); err != nil {
			return err
		}
		return fed(proc.CommandContext(l.Context(), "wc"), feed(nil))
	}))
}

func fed(c *proc.Cmd, from io.Reader) error {
	c.Stdin = from
	return c.Start()
}
