package file

import "ringo/internal/hosted"

// The ways that tests can force, see forced.
const (
	PathAuto  = pathAuto
	PathWaits = pathWaits
	PathAside = pathAside
	PathPlain = pathPlain
)

// Force makes calls go one way, and gives what was before.
func Force(way uint32) (before uint32) { return forced.Swap(way) }

// Host puts rings in place of the process's, and gives what was there before.
func Host(h *hosted.Rings) (before *hosted.Rings) { return own.Swap(h) }
