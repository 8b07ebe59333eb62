//go:build linux

package uringtest

import "time"

// A Clock is the time as a test controls it. A Kernel with a Clock never sleeps: where it would, it advances the clock.
// A Clock belongs to the kernel's thread.
type Clock struct{ now int64 }

// Now returns the time in nanoseconds since an arbitrary start.
func (c *Clock) Now() int64 { return c.now }

// Advance lets time pass.
func (c *Clock) Advance(d time.Duration) { c.now += int64(d) }

var epoch = time.Now()

func (k *Kernel) now() int64 {
	if k.cfg.Clock != nil {
		return k.cfg.Clock.now
	}
	return int64(time.Since(epoch))
}
