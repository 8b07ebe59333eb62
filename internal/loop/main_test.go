package loop_test

import (
	"os"
	"testing"

	"ringo/internal/testmain"
)

func TestMain(m *testing.M) {
	if os.Getenv(crashEnv) != "" {
		crash()
	}
	testmain.Main(m)
}
