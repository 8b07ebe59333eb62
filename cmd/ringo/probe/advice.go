package probe

import (
	"errors"
	"fmt"
	"strings"

	"ringo/internal/posix"
	"ringo/uring"
)

// wanted are the setup flags and checks, by their names in the report, that the uring driver uses if the kernel has
// them.
var wanted = []string{
	"SUBMIT_ALL", "COOP_TASKRUN", "SINGLE_ISSUER", "DEFER_TASKRUN", "NO_SQARRAY",
	uring.CheckExtArg, uring.CheckRingFD, uring.CheckPollMultishot, uring.CheckAcceptMultishot, uring.CheckBufRing,
	uring.CheckRecvMultishot,
}

// advise returns what to change to get a better driver. The result is never nil, so that JSON has an empty list.
func (f *Finding) advise() []string {
	advice := []string{}
	if o := f.Override; o != nil && o.Asked != autoDriver && (o.err != nil || o.Driver != f.Auto.Driver) &&
		f.Auto.err == nil {
		advice = append(advice, fmt.Sprintf("unset %s: auto takes %s", driverVariable, f.Auto.Driver))
	}
	if r := f.Uring.Refusal; r != nil {
		if errors.Is(r.Err(), posix.ErrSystem) {
			return advice // this is not Linux
		}
		if len(r.Advice) == 0 {
			return append(advice, "Linux 6.1 or newer")
		}
		return append(advice, r.Advice...)
	}
	if errors.Is(f.Auto.err, posix.EMFILE) {
		// The driver that failed for lack of descriptors may work here otherwise.
		return append(advice, "raise RLIMIT_NOFILE (ulimit -n)")
	}
	for _, d := range f.Broken {
		advice = append(advice, fmt.Sprintf("Linux %s or newer: before it %s is broken and not used", d.Until, d.Check))
	}
	if since, names := lacking(f.Uring); len(names) > 0 {
		advice = append(advice, fmt.Sprintf("Linux %s or newer: it has %s", since, strings.Join(names, ", ")))
	}
	return advice
}

// lacking returns the names in wanted that the kernel does not have, and the first release that has them all.
func lacking(r *uring.Report) (since string, names []string) {
	offers := map[string]uring.Offer{}
	for _, list := range [][]uring.Offer{r.SetupFlags, r.Checks} {
		for _, o := range list {
			offers[o.Name] = o
		}
	}
	for _, name := range wanted {
		o := offers[name]
		if o.OK {
			continue
		}
		names = append(names, name)
		if since == "" || newer(o.Since, since) {
			since = o.Since
		}
	}
	return since, names
}

// newer reports whether kernel release a is newer than b, such as 6.10 than 6.1.
func newer(a, b string) bool {
	var aMajor, aMinor, bMajor, bMinor int
	fmt.Sscanf(a, "%d.%d", &aMajor, &aMinor)
	fmt.Sscanf(b, "%d.%d", &bMajor, &bMinor)
	return aMajor > bMajor || aMajor == bMajor && aMinor > bMinor
}
