package main

import (
	"testing"

	"ringo/examples/programs/internal/rig"
	"ringo/internal/test/testmain"
)

func TestMain(m *testing.M) {
	rig.Play(map[string]rig.Role{"server": beServer})
	testmain.Main(m)
}
