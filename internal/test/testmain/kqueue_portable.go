//go:build linux && portable

package testmain

import (
	"ringo/internal/sys"
	"ringo/internal/test/kqueuetest"
)

// Tests that are built with the tag "portable" have a kqueue, or what stands for one, so that RINGO_DRIVER=kqueue plays
// a suite over its poller.
func init() {
	sys.KqueueShim = func() (sys.Kqueue, int32) {
		q, res := kqueuetest.New(sys.KqueueTraits{Receipts: true, Urgent: true}, kqueuetest.Oddities{ETIMEDOUT: 101})
		if res < 0 {
			return nil, res
		}
		return q, 0
	}
}
