package uring

import (
	"flag"
	"fmt"
	"sync"
	"testing"

	"ringo/internal/testmain"
)

// probed is what this machine offers, asked once.
var probed = sync.OnceValues(Probe)

func TestMain(m *testing.M) {
	flag.Parse()
	if r, err := probed(); err == nil && r.Refusal != nil && flag.Lookup("test.skip").Value.String() == "" {
		// An example cannot skip itself.
		fmt.Println("examples are skipped:", r.Refusal)
		flag.Set("test.skip", "^Example")
	}
	testmain.Main(m)
}
