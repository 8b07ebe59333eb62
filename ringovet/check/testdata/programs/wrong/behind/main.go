// Much waits behind one call of somebody else's code, and much is printed.
package main

import (
	"context"
	"fmt"
	"os"

	"programs/wrong/behind/lib"

	"ringo/sock"
)

func main() {
	sock.ListenAndServe(context.Background(), nil, "tcp", ":7000", func(c *sock.Conn) {
		fmt.Println("hello") // want `fmt.Println`
		lib.Do()             // want vet `^time.Sleep .*; behind this call also http.Get, os.ReadFile, 1 more$`
		fmt.Printf("%d", 1)  // want `fmt.Printf`
		os.Remove("a")       // want `os.Remove`
		println("bye")       // want `print to stderr`
	})
}
