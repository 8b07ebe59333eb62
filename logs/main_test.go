package logs_test

import (
	"os"
	"testing"

	"ringo/internal/test/testmain"
)

// childEnv says what the test binary shall be when it is not to run tests.
const childEnv = "RINGO_LOGS_CHILD"

func TestMain(m *testing.M) {
	if run := children[os.Getenv(childEnv)]; run != nil {
		run()
		return
	}
	testmain.Main(m)
}
