package census

import "time"

// recentWindow is how long a turn counts as recent: at least this long, and at most twice as long.
const recentWindow = 30 * time.Second

// recent holds the longest turn of the present window of time, and of the one before.
type recent struct {
	longest, before time.Duration
	until           int64 // when the window ends
}

// add counts a turn.
func (r *recent) add(took time.Duration, now int64) {
	r.turn(now)
	r.longest = max(r.longest, took)
}

// turn starts a new window once the present one is over.
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

// at returns the longest turn of both windows.
func (r *recent) at(now int64) time.Duration {
	r.turn(now)
	return max(r.longest, r.before)
}
