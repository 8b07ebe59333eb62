package sockhttp

import (
	"context"
	"testing"
	"time"

	"ringo"
	"ringo/internal/loop"
)

// An alarm follows what was set last, whoever set it: also if word of an earlier time comes to the loop after that, or
// if a timer has fired before.
func TestAlarmFollowsTheLast(t *testing.T) {
	check := func(l *ringo.Loop) {
		h := &conn2{loop: l}
		rings := 0
		var a alarm
		a.init(h, func() { rings++ })
		set := func(at time.Time) {
			h.mu.Lock()
			defer h.unlock()
			a.set(at)
		}
		hour := time.Now().Add(time.Hour)
		set(hour)
		if l != nil {
			for _, last := range []time.Time{{}, hour.Add(time.Hour)} {
				ready := make(chan bool)
				go func() { set(hour); close(ready) }()
				<-ready // the loop has not read its mail
				set(last)
				l.Offload(func(context.Context) error { return nil })
				want := int64(0)
				if !last.IsZero() {
					want = (*loop.Loop)(l).Moment(last)
				}
				if at := a.t.At(); !last.IsZero() && (at < want-int64(time.Minute) || at > want+int64(time.Minute)) ||
					a.t.Armed() == last.IsZero() {
					t.Errorf("set to %v, the timer is at %v (%v), want %v", last, at, a.t.Armed(), want)
				}
			}
		}
		for _, c := range []struct {
			at   time.Time
			want int
		}{{time.Time{}, 0}, {hour, 0}, {time.Now().Add(-time.Second), 1}} {
			h.mu.Lock()
			a.at, rings = c.at, 0
			h.unlock()
			a.Run() // of a timer that has fired
			a.Run()
			if rings != c.want {
				t.Errorf("set to %v it has rung %d times, want %d", c.at, rings, c.want)
			}
		}
		h.mu.Lock()
		a.stop()
		h.unlock()
	}
	check(nil)
	if err := ringo.Run(t.Context(), &ringo.Config{Loops: 1}, func(l *ringo.Loop) error {
		check(l)
		return nil
	}); err != nil {
		t.Error(err)
	}
}
