package upgrade

import "time"

// EndsWithin sets how long successors that have given up may take to end, and returns what it was.
func EndsWithin(d time.Duration) (old time.Duration) {
	old, endsWithin = endsWithin, d
	return old
}
