//go:build linux

package uringtest

import "time"

// A Clock is time that a test keeps. A Kernel that has one never sleeps: where it
// would, it sets the clock forward. It belongs to the kernel's thread.
type Clock struct{ now int64 }

// Now is the time in nanoseconds since nothing in particular.
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
