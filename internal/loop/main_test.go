package loop_test

import (
	"os"
	"testing"

	"ringo/internal/test/testmain"
)

func TestMain(m *testing.M) {
	if which := os.Getenv(childEnv); which != "" {
		runChild(which)
	}
	testmain.Main(m)
}
