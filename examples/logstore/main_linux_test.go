//go:build linux

package logstore

import (
	"os"
	"testing"

	"ringo/internal/hosted"
	"ringo/internal/test/testmain"
)

func TestMain(m *testing.M) {
	if folder := os.Getenv(childEnv); folder != "" {
		killed(folder)
		os.Exit(1)
	}
	hosted.Shared() // the rings stay, so they are there before the tests
	testmain.Main(m)
}
