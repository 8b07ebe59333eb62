package event_test

import (
	"testing"

	"ringo/internal/test/socktest"
	"ringo/internal/test/testmain"
)

func TestMain(m *testing.M) {
	testmain.Register("slots and buffers of loops that have ended", socktest.Left)
	testmain.Main(m)
}
