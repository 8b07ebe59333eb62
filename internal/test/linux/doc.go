// Package linux has Linux's numbers, for tests. Results are Linux's on every system, and so are the numbers that
// package sys takes. The names are those of golang.org/x/sys/unix, which itself has each system's own numbers.
package linux
