//go:build plan9

package cli

import "os"

// number reports that signals have no numbers here.
func number(os.Signal) (int, bool) { return 0, false }
