//go:build !linux

package sockhttp

// nonblock is not used: serving needs a loop, which these systems don't have.
const nonblock = 0
