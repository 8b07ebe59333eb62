package file

import (
	"sync/atomic"

	"ringo/internal/op"
)

// host runs ops of ordinary goroutines without a thread for each that waits. ok is
// false if it takes no op, or not this one, which was then not begun.
type host interface {
	do(o *op.Op) (res int32, ok bool)
}

// hosts is the process's, nil if there is none.
var hosts atomic.Pointer[host]

func hosted() host {
	if h := hosts.Load(); h != nil {
		return *h
	}
	return nil
}

// host runs the op by the host, if there is one, or else as a plain call.
func (c *call) host() (int32, error) {
	if h := hosted(); h != nil && forced.Load() != pathPlain {
		if res, ok := h.do(&c.op); ok {
			return result(res)
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
