package places

import (
	"testing"

	"ringo/internal/test/testmain"
)

func TestMain(m *testing.M) { testmain.Main(m) }
