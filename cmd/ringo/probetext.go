package main

import (
	"fmt"
	"strings"
)

// String is the finding for people: what concerns Ringo, then io_uring's report.
func (f *finding) String() string {
	var b strings.Builder
	line := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "%-13s %s\n", name, fmt.Sprintf(format, args...))
	}
	line("ringo", "%s, %s, %d CPUs, GOMAXPROCS %d", f.Ringo, f.Go, f.CPUs, f.GOMAXPROCS)
	line("driver", "%s", &f.Auto)
	if uses := f.Auto.uses(); uses != "" {
		line("  uses", "%s", uses)
	}
	if f.Override != nil {
		line(driverVariable, "%s", f.Override)
	}
	line("uring's ops", "%s", strings.Join(f.OpsUsed, " "))
	if len(f.OpsLacking) > 0 {
		line("  lacking", "%s", strings.Join(f.OpsLacking, " "))
	}
	for i, advice := range f.Advice {
		line([]string{"to change", ""}[min(i, 1)], "%s", advice)
	}
	if len(f.Advice) == 0 {
		line("to change", "nothing: this is the best driver, with all that it can use")
	}
	b.WriteByte('\n')
	b.WriteString(f.Uring.String())
	return b.String()
}

// String is the choice in one line.
func (c *choice) String() string {
	switch {
	case c.err != nil:
		return fmt.Sprintf("%s fails: %s", c.Asked, c.Error)
	case c.Asked != c.Driver:
		return fmt.Sprintf("%s takes %s: %s", c.Asked, c.Driver, c.Reason)
	}
	return fmt.Sprintf("%s: %s", c.Driver, c.Reason)
}

// uses lists what the driver uses of the kernel's offer.
func (c *choice) uses() string {
	words := c.Features
	if c.Entries > 0 {
		words = append([]string{fmt.Sprintf("%d SQ entries", c.Entries)}, words...)
	}
	return strings.Join(words, " ")
}
