//go:build !linux

package server

import "os"

// Serving fails on these systems, for want of a loop, before it is used.
var HangUp = os.Kill
