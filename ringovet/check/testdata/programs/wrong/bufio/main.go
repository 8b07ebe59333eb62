// A bufio.Writer around a file hides the file.
package main

import (
	"bufio"
	"context"
	"fmt"
	"log"
	"os"

	"ringo/sock"
)

var audit *bufio.Writer

func main() {
	f, err := os.Create("audit")
	if err != nil {
		log.Fatal(err)
	}
	audit = bufio.NewWriter(f)
	log.Fatal(sock.ListenAndServe(context.Background(), nil, "tcp", ":7000", func(c *sock.Conn) {
		fmt.Fprintln(audit, c.RemoteAddr()) // want `\(\*os.File\).Write .*fmt.Fprintln -> \(\*bufio.Writer\).Write`
		audit.Flush()                       // want `\(\*os.File\).Write .*\(\*bufio.Writer\).Flush`
	}))
}
