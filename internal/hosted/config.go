package hosted

import (
	"errors"
	"fmt"
	"runtime"

	"ringo/internal/mask"
	"ringo/internal/sys"
	"ringo/uring"
)

// Config says which rings to make. The zero value is good.
type Config struct {
	// Rings is the most rings that are made, each when it is first needed; 0: one for each procsEach Ps.
	Rings int
	// InFlight bounds the ops that a ring has at once; 0: 1024. Queue bounds the callers that wait for room; 0: 65536.
	InFlight int
	Queue    int
	// Few: while fewer calls than this are under way on a ring, the next one is a plain call, which takes a thread.
	// 0: 3; negative: no call is plain, not even while goroutines that compute have all Ps.
	Few int
	// Native makes the rings contexts of Linux native AIO in place of io_urings. They take transfers at an offset of
	// files that are open with O_DIRECT, and syncs; a transfer that would have to wait all the same is not begun. The
	// default of InFlight is then 256, which counts against fs.aio-max-nr of the whole system.
	Native bool
	// Workers bounds the threads that the kernel makes for each of the process's threads, for requests that need one;
	// 0: 4. It takes effect since Linux 5.15.
	Workers int

	// Mask makes the kernel behave as an older one; nil: as RINGO_MASK says. Kernel replaces the kernel's calls. Both
	// are for tests.
	Mask   *mask.Mask
	Kernel sys.Uring
}

const (
	// procsEach is the number of Ps that share a ring.
	procsEach = 8
	// inFlightMax keeps the CQ, which has room for twice as many, below the kernel's limit.
	inFlightMax = uring.CQEntriesMax / 2
	// sqEntries is the size of the SQ: the most that one call submits.
	sqEntries = 256
	// sqEntriesMin is the smallest SQ that is tried when memory is short.
	sqEntriesMin = 32
)

// check returns the config with its defaults filled in, or an error that names all mistakes.
func (c Config) check() (Config, error) {
	var errs []error
	bound := func(name string, n *int, low, high, otherwise int) {
		if *n == 0 {
			*n = otherwise
		}
		if *n < low || *n > high {
			errs = append(errs, fmt.Errorf("hosted: %s %d: want %d to %d", name, *n, low, high))
		}
	}
	bound("Rings", &c.Rings, 1, 256, (runtime.GOMAXPROCS(0)+procsEach-1)/procsEach)
	inFlight := 1024
	if c.Native {
		inFlight = 256
	}
	bound("InFlight", &c.InFlight, 1, inFlightMax, inFlight)
	bound("Queue", &c.Queue, 1, 1<<24, 1<<16)
	if c.Few == 0 {
		c.Few = 3
	}
	bound("Workers", &c.Workers, 1, 1024, 4)
	return c, errors.Join(errs...)
}
