package census

import "time"

// recentWindow is how long a turn is recent at least; it is so for twice that at most.
const recentWindow = 30 * time.Second

// recent is the longest turn of a window of time, and of the one before.
type recent struct {
	longest, before time.Duration
	until           int64 // when the window ends
}

// add counts a turn.
func (r *recent) add(took time.Duration, now int64) {
	r.turn(now)
	r.longest = max(r.longest, took)
}

// turn begins another window if it is time to.
func (r *recent) turn(now int64) {
	if now < r.until {
		return
	}
	r.before, r.longest = r.longest, 0
	if now-r.until >= int64(recentWindow) {
		r.before = 0
	}
	r.until = now + int64(recentWindow)
}

// at is the longest turn of both.
func (r *recent) at(now int64) time.Duration {
	r.turn(now)
	return max(r.longest, r.before)
}
