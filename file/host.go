package file

import (
	"context"
	"sync/atomic"

	"ringo/internal/hosted"
)

// lack says that the process has no rings for goroutines, as far as known: reads are
// plain calls, without a question to memory first.
var lack atomic.Bool

// own are rings in place of the process's, for tests.
var own atomic.Pointer[hosted.Rings]

// rings gives the process's rings for goroutines, nil if there are none. They are made
// when a call first has to wait.
func rings() *hosted.Rings {
	if h := own.Load(); h != nil {
		return h
	}
	h, err := hosted.Shared()
	lack.Store(err != nil)
	return h
}

// host runs the op by the process's rings, if there are any, or else as a plain call.
func (c *call) host() (int32, error) {
	if forced.Load() != pathPlain {
		if h := rings(); h != nil {
			if res, ok := h.Do(context.Background(), &c.op); ok {
				return result(res)
			}
		}
	}
	return c.plain()
}

// forced is the way in which calls that may wait go, for tests.
var forced atomic.Uint32

const (
	pathAuto  = iota
	pathWaits // nothing is asked of memory first
	pathAside // a task's calls go to workers
	pathPlain // a goroutine's are plain calls
)
