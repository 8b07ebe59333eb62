// Package nettest runs golang.org/x/net/nettest on Ringo's connections: from goroutines, from tasks, and from both at
// once.
package nettest
