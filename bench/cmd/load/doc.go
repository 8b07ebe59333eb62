//go:build linux

// Load measures a TCP echo server and verifies every byte that comes back.
//
// It is one thread around one edge-triggered epoll, so that it costs less than the server it measures: pin the server to
// one core and load to another. Every connection sends a byte stream of its own (package pattern), and a reply that is not
// exactly that stream ends the run with exit code 1. With -pid it also reads what the kernel has accounted to the server
// in the measured window: CPU per request is the figure to compare, for requests per second depends on both sides.
//
// The modes are
//
//	echo   -conns connections keep -depth messages of -size bytes in flight each
//	crowd  like echo with one message in flight, on -active of -conns connections; the others have exchanged one and rest
//	churn  -conns at a time connect, exchange one message and close
//	idle   -conns connections exchange one message and are then kept open for -seconds: memory per connection, idle CPU
//	slow   like echo, while -peers further connections send and never read; at the end these read, and are verified too
package main
