package drivertest

import (
	"fmt"
	"testing"

	"ringo/internal/driver"
	"ringo/internal/test/testmain"
)

// Open opens the driver under test on the calling thread. If it can't, it fails the test, or skips it with the reason
// if a probe says that the kernel lacks the facility.
type Open func(t *testing.T, cfg driver.Config) driver.Driver

// Run checks the whole contract, one named case for each rule, with submission queues of 64 entries.
func Run(t *testing.T, open Open) { runAll(t, onSystem(open, 64)) }

// RunEntries is Run with submission queues of the given size.
func RunEntries(t *testing.T, open Open, entries int) { runAll(t, onSystem(open, entries)) }

// RunSizes is Run with several queue sizes, from the smallest, where everything exceeds the capacity, to one that holds
// almost every case at once.
func RunSizes(t *testing.T, open Open) {
	sizes := []int{2, 8, 256}
	if testmain.Long() {
		sizes = append(sizes, 1024)
	}
	for _, entries := range sizes {
		t.Run(fmt.Sprintf("entries=%d", entries), func(t *testing.T) { runAll(t, onSystem(open, entries)) })
	}
}

// testCase is one rule of the contract, with the code that checks whether a driver keeps it.
type testCase struct {
	name string
	run  func(h *harness)
	// buffers and size describe the pool of buffers that the driver may lend to the kernel. If they are zero, it has 64
	// buffers of 256 bytes.
	buffers, size int
}

// group holds the cases about one subject.
type group struct {
	name  string
	cases []testCase
}

// groups lists every case of the suite, by subject.
var groups = []group{
	{"life", lifeCases},
	{"socket", socketCases},
	{"beside", besideCases},
	{"stream", streamCases},
	{"datagram", datagramCases},
	{"batch", batchCases},
	{"splice", spliceCases},
	{"zerocopy", zeroCopyCases},
	{"pipe", pipeCases},
	{"blocking", blockingCases},
	{"file", fileCases},
	{"disk", diskCases},
	{"tree", treeCases},
	{"poll", pollCases},
	{"timeout", timeoutCases},
	{"refused", refusedCases},
	{"multishot", multishotCases},
	{"buffers", bufferCases},
	{"ready", readyCases},
	{"turns", turnsCases},
	{"capacity", capacityCases},
	{"cancel", cancelCases()},
	{"race", raceCases},
	{"stale", staleCases},
	{"wake", wakeCases},
	{"deadline", deadlineCases},
	{"outbox", outboxCases},
	{"signal", signalCases},
	{"try", tryCases},
	{"close", closeCases},
	{"death", deathCases},
	{"load", loadCases},
	{"alloc", allocCases},
	{"program", programCases},
}

func runAll(t *testing.T, on ground) {
	cov := new(coverage)
	for _, g := range groups {
		t.Run(g.name, func(t *testing.T) {
			for _, c := range g.cases {
				t.Run(c.name, func(t *testing.T) {
					if why, ok := on.wanted(g.name + "/" + c.name); !ok {
						cov.excused++
						t.Skip(why)
					}
					cov.cases++
					defer func() {
						if t.Skipped() {
							cov.skipped++
						}
					}()
					c.run(start(t, on, c, cov))
				})
			}
		})
	}
	t.Run("table", cov.check)
}
