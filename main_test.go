package ringo_test

import (
	"os"
	"testing"

	"ringo/internal/test/testmain"
)

func TestMain(m *testing.M) {
	// A test starts this binary again to see how a process ends.
	if name := os.Getenv(childEnv); name != "" {
		children[name]()
		os.Exit(0)
	}
	testmain.Main(m)
}
