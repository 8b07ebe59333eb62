package hosted

import (
	"errors"
	"fmt"
	"runtime"

	"ringo/internal/mask"
	"ringo/internal/sys"
	"ringo/uring"
)

// Config says what rings to make. The zero value is good.
type Config struct {
	// Rings is how many there are at most, each made when it is first needed; 0: one
	// for each procsEach Ps.
	Rings int
	// InFlight bounds the ops that a ring has at once, 0: 1024. Queue bounds the callers
	// that wait for room, 0: 65536.
	InFlight int
	Queue    int
	// Few is from how many ops of a ring on the next goes by it; those before are plain
	// calls, of which there are so many threads. 0: 3, negative: none, also not while all Ps
	// compute.
	Few int
	// Native has rings be contexts of Linux native AIO in place of io_urings. They take transfers at an offset of
	// files that are open with O_DIRECT, and syncs; what would have to wait all the same is not begun. InFlight is
	// then 256 if it is not said, and counts against fs.aio-max-nr, which is the whole system's.
	Native bool
	// Workers bounds the threads that the kernel makes for one of ours, for what it can't do
	// without; 0: 4. Needs Linux 5.15.
	Workers int

	// Mask makes the kernel behave as an older one; nil: as RINGO_MASK says. Kernel is
	// called in the kernel's place. They are for tests.
	Mask   *mask.Mask
	Kernel sys.Uring
}

const (
	// procsEach is for how many Ps there is one ring.
	procsEach = 8
	// inFlightMax keeps the CQ, which has room for twice as many, below the kernel's limit.
	inFlightMax = uring.CQEntriesMax / 2
	// sqEntries is the size of the SQ: what one call submits.
	sqEntries = 256
	// sqEntriesMin is the least that a shortage of memory makes of it.
	sqEntriesMin = 32
)

// check returns the config with its defaults, or all that is wrong with it.
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
