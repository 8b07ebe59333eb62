package census_test

import (
	"testing"

	"ringo/internal/test/looptest"
	"ringo/internal/test/patience"
)

// limit bounds every wait of these tests; whoever runs into it hangs.
var limit = patience.Max

// What these tests share with those of who looks at loops.
var (
	eachDriver = looptest.EachDriver
	anyDriver  = looptest.AnyDriver
	small      = looptest.Small
	run        = looptest.Run
	runContext = looptest.RunContext
)

// receive takes a value from ch.
func receive[T any](t testing.TB, what string, ch <-chan T) T {
	t.Helper()
	return patience.Recv(t, what, ch)
}
