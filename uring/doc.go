// Package uring is the raw io_uring: the rings, their entries and the three system calls, in pure Go.
package uring
