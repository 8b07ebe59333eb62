package socktls_test

import (
	"os"
	"testing"

	"ringo/internal/socktest"
	"ringo/internal/testmain"
)

func TestMain(m *testing.M) {
	if name := os.Getenv(childEnv); name != "" {
		os.Exit(freeze(name))
	}
	testmain.Register("slots and buffers of loops that have ended", socktest.Left)
	testmain.Main(m)
}
