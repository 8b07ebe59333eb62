package file_test

import (
	"testing"

	"ringo/internal/hosted"
	"ringo/internal/test/testmain"
)

func TestMain(m *testing.M) {
	hosted.Shared() // they stay, so they are there before the tests
	testmain.Main(m)
}
