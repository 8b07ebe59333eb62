//go:build !linux

package serve

import "os"

// Serving fails on these systems, for want of a loop, before either is used.
var hangUp = os.Kill

const nonblock = 0
