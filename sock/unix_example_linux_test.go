//go:build linux

package sock_test

import (
	"context"
	"fmt"
	"log"
	"os"

	"ringo"
	"ringo/sock"
)

// One end of a Unix connection passes an open file to the other, which is often another process.
func ExampleConn_SendFiles() {
	err := ringo.Run(context.Background(), &ringo.Config{Loops: 1}, func(l *ringo.Loop) error {
		ln, err := sock.Listen(l, "unix", "") // a name of the kernel's choice
		if err != nil {
			return err
		}
		defer ln.Close()
		sent := l.Go(func() {
			c, err := sock.Dial(l, "unix", ln.Addr().String())
			if err != nil {
				log.Fatal(err)
			}
			defer c.Close()
			f, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
			if err != nil {
				log.Fatal(err)
			}
			defer f.Close() // what was sent stays open at the other end
			if _, err := c.SendFiles([]byte("the null device"), f); err != nil {
				log.Fatal(err)
			}
		})
		c, err := ln.AcceptConn()
		if err != nil {
			return err
		}
		defer c.Close()
		p := make([]byte, 100)
		n, files, err := c.RecvFiles(p, 1)
		if err != nil {
			return err
		}
		sent.Wait()
		defer files[0].Close()
		written, err := files[0].WriteString("nothing is kept")
		fmt.Printf("%s took %d bytes\n", p[:n], written)
		return err
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output: the null device took 15 bytes
}
