//go:build !unix

package server

import "os"

// HangUp is a signal that can't be caught: on these systems files are not read again.
var HangUp = os.Kill
