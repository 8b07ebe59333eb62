//go:build linux

package serve

import (
	"testing"

	"ringo/internal/hosted"
	"ringo/internal/test/testmain"
)

func TestMain(m *testing.M) {
	hosted.Shared() // its rings stay, so they are there before the tests
	testmain.Main(m)
}
