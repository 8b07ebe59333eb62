package open

import (
	"fmt"
	"os"
	"testing"

	"ringo/internal/test/testmain"
)

func TestMain(m *testing.M) {
	if name := os.Getenv(childEnv); name != "" {
		fmt.Println(describe(name))
		os.Exit(0)
	}
	testmain.Main(m)
}
