// A command for each request.
package main

import (
	"context"
	"log"
	"os/exec"

	"ringo/sock"
)

func main() {
	log.Fatal(sock.ListenAndServe(context.Background(), nil, "tcp", ":7000", func(c *sock.Conn) {
		out, err := exec.Command("uptime").Output() // want `\(\*exec.Cmd\).Output`
		if err == nil {
			c.Write(out)
		}
	}))
}
