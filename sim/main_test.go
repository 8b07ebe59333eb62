package sim_test

import (
	"fmt"
	"os"
	"testing"

	"ringo/internal/test/testmain"
)

// Worlds fail here on purpose, and each leaves its page where temporary files are.
func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "sim")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Setenv("TMPDIR", dir)
	os.Setenv("TMP", dir) // as it is called on Windows
	code := testmain.Run(m)
	if code == 0 {
		os.RemoveAll(dir)
	}
	os.Exit(code)
}
