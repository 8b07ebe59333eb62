package uring

import (
	"fmt"
	"strings"

	"ringo/internal/mask"
	"ringo/uring"
)

// broken lists features that lose or mix up data on kernels of some releases, which no short self-test can see. The
// driver treats them as missing there. Distributions repair some of these kernels without a new number; on those the
// lesser way costs a little and loses nothing.
var broken = []defect{
	{
		check: uring.CheckRecvMultishot, from: release{6, 0}, below: release{6, 1},
		what: "completions that find the CQ full may change places, and with them the bytes of a stream; mended by " +
			"Linux commit aa1df3a360a0",
	},
	{
		check: uring.CheckAcceptMultishot, from: release{6, 2}, below: release{6, 8},
		what: "a connection whose completion finds the CQ full is lost; " +
			"https://github.com/axboe/liburing/issues/1062, mended by Linux commit a37ee9e117ef",
	},
}

// defect is a check that does not count, from one release up to another.
type defect struct {
	check       string
	from, below release
	what        string
}

// Distrust is something that the kernel has and the driver does not use, because it is broken on that kernel.
type Distrust struct {
	Check string // its name in package uring
	Below string // the first release in which it is mended
	Why   string // what goes wrong, with the source
}

// Distrusted returns what is broken on the kernel that a report calls system, or on the kernel that RINGO_MASK stands
// for.
func Distrusted(system string) (all []Distrust) {
	for _, check := range asked {
		if d := brokenOn(check, releaseOf(system, nil)); d != nil {
			all = append(all, Distrust{Check: check, Below: fmt.Sprintf("%d.%d", d.below.major, d.below.minor),
				Why: d.what})
		}
	}
	return all
}

// release is a kernel's major and minor number.
type release struct{ major, minor int }

func (r release) before(o release) bool {
	return r.major < o.major || r.major == o.major && r.minor < o.minor
}

// brokenOn returns the defect of a check on a kernel; nil if there is none.
func brokenOn(check string, r release) *defect {
	for i := range broken {
		if d := &broken[i]; d.check == check && !r.before(d.from) && r.before(d.below) {
			return d
		}
	}
	return nil
}

// releaseOf returns the kernel's release, or the one that a mask stands for; newest if it can't be parsed.
func releaseOf(system string, m *mask.Mask) release {
	if m == nil {
		m, _ = mask.Env()
	}
	for _, name := range m.Names() {
		if r, ok := strings.CutPrefix(name, "kernel="); ok {
			return parseRelease(r)
		}
	}
	if fields := strings.Fields(system); len(fields) > 1 {
		return parseRelease(fields[1])
	}
	return newest
}

var newest = release{major: 1 << 30}

func parseRelease(s string) (r release) {
	if n, _ := fmt.Sscanf(s, "%d.%d", &r.major, &r.minor); n != 2 {
		return newest
	}
	return r
}
