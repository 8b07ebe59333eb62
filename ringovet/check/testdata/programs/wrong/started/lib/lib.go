// Package lib is others' code.
package lib

import "time"

// Serve waits.
func Serve() {
	time.Sleep(time.Second) // want whole `time.Sleep .*Loop\).Go at .*lib.Serve`
}

// A Server serves.
type Server struct{}

// Serve waits.
func (*Server) Serve() {
	time.Sleep(time.Second) // want whole `time.Sleep .*Loop\).Go at .*Server\).Serve`
}
