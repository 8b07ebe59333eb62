package socktls_test

import (
	"os"
	"testing"

	"ringo/internal/test/socktest"
	"ringo/internal/test/testmain"
)

func TestMain(m *testing.M) {
	if name := os.Getenv(childEnv); name != "" {
		os.Exit(freeze(name))
	}
	if what := os.Getenv(peersEnv); what != "" {
		os.Exit(bePeers(what))
	}
	testmain.Register("slots and buffers of loops that have ended", socktest.Left)
	testmain.Main(m)
}
