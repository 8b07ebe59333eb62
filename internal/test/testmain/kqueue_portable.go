//go:build linux && portable

package testmain

import (
	"ringo/internal/sys"
	"ringo/internal/test/kqueuetest"
)

// With the build tag "portable" tests have an imitation of a kqueue, so that RINGO_DRIVER=kqueue runs a suite on the
// driver of that poller.
func init() {
	sys.KqueueShim = func() (sys.Kqueue, int32) {
		q, res := kqueuetest.New(sys.KqueueTraits{Receipts: true, Urgent: true}, kqueuetest.Oddities{ETIMEDOUT: 101})
		if res < 0 {
			return nil, res
		}
		return q, 0
	}
}
