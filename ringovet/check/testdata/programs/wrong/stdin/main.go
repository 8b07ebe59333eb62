// A client reads what to send from the terminal.
package main

import (
	"bufio"
	"context"
	"log"
	"os"

	"ringo"
	"ringo/sock"
)

func main() {
	log.Fatal(ringo.Run(context.Background(), &ringo.Config{Loops: 1}, func(l *ringo.Loop) error {
		c, err := sock.Dial(l, "tcp", "127.0.0.1:7000")
		if err != nil {
			return err
		}
		in := bufio.NewScanner(os.Stdin)
		for in.Scan() { // want `\(\*os.File\).Read `
			if _, err := c.Write(in.Bytes()); err != nil {
				return err
			}
		}
		return in.Err()
	}))
}
