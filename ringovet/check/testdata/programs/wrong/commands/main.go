// A table of commands, as stores have it.
package main

import (
	"bufio"
	"context"
	"log"
	"os"
	"strings"

	"ringo/sock"
)

type session struct {
	c *sock.Conn
}

type command func(s *session, args []string) string

func save(s *session, args []string) string {
	if err := os.WriteFile("dump", nil, 0o600); err != nil { // want `os.WriteFile .*main.handle -> main.save`
		return "-ERR"
	}
	return "+OK"
}

func get(s *session, args []string) string { return "" }

var commands map[string]command

func init() {
	commands = map[string]command{"GET": get, "SAVE": save}
}

func main() {
	log.Fatal(sock.ListenAndServe(context.Background(), nil, "tcp", ":7000", handle))
}

func handle(c *sock.Conn) {
	s := &session{c}
	in := bufio.NewScanner(c)
	for in.Scan() {
		args := strings.Fields(in.Text())
		if cmd, ok := commands[args[0]]; ok {
			c.Write([]byte(cmd(s, args)))
		}
	}
}
