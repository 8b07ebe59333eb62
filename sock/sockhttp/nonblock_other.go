//go:build !linux

package sockhttp

// Serving fails on these systems, for want of a loop, before it is used.
const nonblock = 0
