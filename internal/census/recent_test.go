package census

import (
	"testing"
	"time"
)

// A turn is recent for as long as the window says, and no longer than twice that.
func TestRecent(t *testing.T) {
	const window = int64(recentWindow)
	r := recent{}
	r.add(time.Second, 0)
	for _, c := range []struct {
		now  int64
		want time.Duration
	}{
		{1, time.Second},
		{window - 1, time.Second},
		{window + 1, time.Second},
		{2*window - 1, time.Second},
		{2*window + 1, time.Millisecond},
		{10 * window, 0},
	} {
		if got := r.at(c.now); got != c.want {
			t.Errorf("at %v: %v, want %v", time.Duration(c.now), got, c.want)
		}
		if c.now == window+1 {
			r.add(time.Millisecond, c.now)
		}
	}
}
