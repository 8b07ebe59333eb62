package sim

import (
	"bytes"
	"flag"
	"os"
	"testing"
)

// Fuzz lets Go's fuzzer choose the seed and the first random choices of the world. A failure is reported as Run does;
// while fuzzing, the search for the fewest faults is left to the reported command.
func Fuzz(f *testing.F, script func(w *World)) {
	f.Helper()
	wantFunc(script != nil, "Fuzz")
	f.Add(uint64(1), []byte{})
	given := os.Getenv(seedVariable) != ""
	f.Fuzz(func(t *testing.T, seed uint64, tape []byte) {
		switch {
		case given:
			tape = nil
		case !ofNoSeed(t):
			return
		}
		if o := fuzzed(t, seed, tape); fromEnvironment(o) {
			conclude(t, play(o, script), script)
		}
	})
}

// fuzzed returns the options of the world for an input of the fuzzer.
func fuzzed(t testing.TB, seed uint64, tape []byte) *options {
	looks := flag.Lookup("test.fuzz")
	return &options{t: t, seed: seed, tape: bytes.Clone(tape), input: true,
		looks: looks != nil && looks.Value.String() != ""}
}
