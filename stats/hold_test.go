package stats

import (
	"testing"
	"time"
)

// What is known of a hold is said, and nothing else: of holds at many places that were counted together, no state is.
func TestHoldString(t *testing.T) {
	const ms = time.Millisecond
	for _, c := range []struct {
		h    Hold
		want string
	}{
		{Hold{Task: "main.f", At: "f.go:1", State: "running", Times: 1, Total: 9 * ms, Longest: 9 * ms},
			"main.f (f.go:1) held its loop once, for 9ms, computing"},
		{Hold{Task: "main.f", At: "f.go:1", In: "sync.(*Mutex).Lock", State: "blocked", Times: 2, Total: 9 * ms,
			Longest: 5 * ms},
			"main.f (f.go:1) held its loop 2 times, 9ms in all, longest 5ms, blocked in sync.(*Mutex).Lock"},
		{Hold{Task: "main.f", In: "os.Stat", State: "system call", Times: 1, Total: 9 * ms},
			"main.f held its loop once, for 9ms, in a system call, os.Stat"},
		{Hold{Task: "others", Times: 2, Total: 9 * ms, Longest: 5 * ms},
			"tasks at other places held the loop 2 times, 9ms in all, longest 5ms"},
		{Hold{State: "shared", Times: 1, Total: 9 * ms},
			"many tasks together, none of them for long, held the loop once, for 9ms"},
	} {
		if got := c.h.String(); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}
