//go:build linux

package file_test

import (
	"flag"
	"testing"

	"ringo"
	"ringo/internal/test/socktest"
	"ringo/internal/test/testmain"
)

// Every method of a File, by every kind of caller, while something happens to the call, to the file or to the
// caller's loop: see package socktest.
func TestMatrix(t *testing.T) {
	socktest.EachDriver(t, func(t *testing.T, cfg ringo.Config) { socktest.RunFiles(t, cfg.Driver, part()) })
}

// part is of how many cells one is played.
func part() int {
	if testmain.Long() {
		return 1
	}
	return 8
}

// The same in simulated worlds.
func TestMatrixInWorlds(t *testing.T) {
	worlds := 3
	if !testmain.Long() {
		worlds = 1
	}
	socktest.RunFilesInWorlds(t, worlds)
}

var stormSeed = flag.Uint64("storm", 1, "the `seed` of the storms, and of which cells of the matrix are in them")

// A part of the same in storms.
func TestMatrixInStorms(t *testing.T) {
	storm := &socktest.Storm{Seed: *stormSeed, Part: 1}
	if !testmain.Long() {
		storm.Part = 4
	}
	socktest.RunFilesInStorm(t, storm)
}

// Tests that don't run in worlds have a reason.
func TestExcusedFromWorlds(t *testing.T) { socktest.ExcusedFromWorlds(t, "file") }

func TestMatrixIsComplete(t *testing.T) { socktest.FilesComplete(t) }
