package loop

import (
	"testing"
	"time"
)

// Now and the clock of the timers are one, though the wall clock is read a while
// after the other, as by a thread that loses its processor in between.
func TestNowIsTheTimersTime(t *testing.T) {
	epoch := time.Now()
	var since time.Duration
	l := &Loop{set: &Set{epoch: epoch}, cfg: &Config{
		Since: func(time.Time) time.Duration { return since },
		Clock: func() time.Time { return epoch.Add(since + 7*time.Millisecond) },
	}}
	for range 10 {
		since += 700 * time.Millisecond
		l.tick()
		if got, want := l.Now().Sub(epoch), time.Duration(l.NowNS()); got != want || want != since {
			t.Errorf("Now is %v after the beginning, and timers have %v of %v", got, want, since)
		}
	}
}
