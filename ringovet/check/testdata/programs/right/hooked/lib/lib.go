// Package lib says what comes by a function that it is given.
package lib

import "ringo/sock"

// A Server has a function that says something.
type Server struct {
	Say func(what string, about ...any)
}

// Serve serves a connection in a task.
func (s *Server) Serve(c *sock.Conn) { s.Say("came", "peer", c.RemoteAddr()) }
