package uring

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"strconv"
	"sync"
	"testing"

	"ringo/internal/test/testmain"
)

// probed is what this machine offers, asked once.
var probed = sync.OnceValues(Probe)

// childVar, set in the environment, makes the test binary print its Report as JSON and do nothing else.
const childVar = "URING_TEST_PROBE"

// exitVar, set in the environment, makes the test binary wait until its input ends and exit with the code that it says.
const exitVar = "URING_TEST_EXIT"

// workVar, set in the environment, makes the test binary do the work that it names and end with it undone.
const workVar = "URING_TEST_WORK"

var work func(mode string)

func TestMain(m *testing.M) {
	if mode := os.Getenv(workVar); mode != "" {
		work(mode)
	}
	if code, err := strconv.Atoi(os.Getenv(exitVar)); err == nil {
		io.Copy(io.Discard, os.Stdin)
		os.Exit(code)
	}
	if os.Getenv(childVar) != "" {
		r, err := Probe()
		if err == nil {
			err = json.NewEncoder(os.Stdout).Encode(r)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	flag.Parse()
	if r, err := probed(); err == nil {
		skipExamples(r)
	}
	testmain.Main(m)
}

// skipExamples skips the examples that can't run here: an example cannot skip itself.
func skipExamples(r *Report) {
	skip, why := "", unfit(r)
	if why != "" {
		skip = "^Example"
	} else if err := r.Require(CheckBufRing); err != nil {
		skip, why = "^ExampleRing_BufRing$", err.Error()
	}
	if skip == "" {
		return
	}
	fmt.Printf("examples are skipped, %s: %s\n", skip, why)
	if asked := flag.Lookup("test.skip").Value.String(); asked != "" {
		skip += "|" + asked
	}
	flag.Set("test.skip", skip)
}

// unfit says why the tests that need a kernel cannot run here, "" if they can.
func unfit(r *Report) string {
	if r.Refusal != nil {
		return r.Refusal.String()
	}
	const enough = 1 << 20 // what a dozen small rings, some just closed, may take
	if m := r.MemlockSoft; m != nil && *m >= 0 && *m < enough && os.Getuid() != 0 {
		return fmt.Sprintf("RLIMIT_MEMLOCK is %s, the tests need %s", kib(*m), kib(enough))
	}
	return ""
}
