package ringofasthttp

import "time"

// SetPatience has drains wait so long for peers that may ask again, and returns what undoes it.
func SetPatience(d time.Duration) (undo func()) {
	before := patience
	patience = d
	return func() { patience = before }
}
