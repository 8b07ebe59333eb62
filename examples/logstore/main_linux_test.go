//go:build linux

package logstore

import (
	"os"
	"testing"

	"ringo/internal/testmain"
)

func TestMain(m *testing.M) {
	if folder := os.Getenv(childEnv); folder != "" {
		killed(folder)
		os.Exit(1)
	}
	testmain.Main(m)
}
