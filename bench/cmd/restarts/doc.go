//go:build linux

// Command restarts replaces servers by their successors under load, and counts the requests that this loses.
//
//	go run ./cmd/restarts [-restarts 100] [-every 500ms] [-rate 200] [-kept 200] [-servers NAME,...]
//
// Clients ask over connections of one request, -rate of them a second, and over -kept connections that stay, each of
// which asks once a second and notices at rest that it was closed, as clients of HTTP do. A request is lost if there is
// no whole answer to it: its connection was refused or reset, or ended. Nothing is asked again.
package main
