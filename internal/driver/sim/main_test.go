package sim

import (
	"testing"

	"ringo/internal/testmain"
)

func TestMain(m *testing.M) { testmain.Main(m) }
