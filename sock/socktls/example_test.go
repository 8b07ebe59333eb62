package socktls_test

import (
	"context"
	"fmt"
	"io"
	"log"

	"ringo"
	"ringo/sock/socktls"
)

// A connection of which one task reads and another writes.
func Example() {
	err := ringo.Run(context.Background(), &ringo.Config{Loops: 1}, func(l *ringo.Loop) error {
		ln, err := socktls.Listen(l, "tcp", "127.0.0.1:0", serverConfig())
		if err != nil {
			return err
		}
		l.Go(func() {
			defer ln.Close()
			if c, err := ln.AcceptConn(); err == nil {
				defer c.Close()
				io.Copy(c, c)
			}
		})
		c, err := socktls.Dial(l, "tcp", ln.Addr().String(), clientConfig())
		if err != nil {
			return err
		}
		defer c.Close()
		l.Go(func() {
			io.WriteString(c, "hello")
			c.CloseWrite()
		})
		p, err := io.ReadAll(c)
		fmt.Printf("%s\n", p)
		return err
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output: hello
}
