//go:build !linux

package serve

import "os"

// Serving fails on these systems, for want of a loop, before it is used.
var hangUp = os.Kill
