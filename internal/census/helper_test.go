package census_test

import (
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
