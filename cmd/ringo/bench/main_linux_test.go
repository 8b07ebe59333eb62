//go:build linux

package bench

import (
	"fmt"
	"os"
	"testing"

	"ringo/internal/hosted"
	"ringo/internal/test/testmain"
)

// TestMain is also the child that ringo bench starts of its own file, which is the test here.
func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == "bench" && os.Args[2] == childFlag {
		if err := beChild(os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	hosted.Shared() // they stay, so they are there before the tests
	os.Exit(testmain.Run(m))
}
