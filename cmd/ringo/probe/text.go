package probe

import (
	"fmt"
	"slices"
	"strings"
)

// String returns the finding as text: what concerns Ringo, then the report on io_uring.
func (f *Finding) String() string {
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
	if f.Mask != "" {
		line(maskVariable, "%s: what follows is not all that there is here", f.Mask)
	}
	for i, advice := range f.Advice {
		line([]string{"to change", ""}[min(i, 1)], "%s", advice)
	}
	if len(f.Advice) == 0 {
		line("to change", "nothing: this is the best driver, with all that it can use")
	}
	b.WriteString("\ndrivers, the better ones first\n")
	for i := range f.Ladder {
		line("  "+f.Ladder[i].Asked, "%s", f.rung(&f.Ladder[i]))
	}
	if len(f.Broken) > 0 {
		b.WriteString("\nhere, and not used\n")
	}
	for _, d := range f.Broken {
		line("  "+d.Check, "broken before Linux %s: %s", d.Until, d.Why)
	}
	f.writePlaces(&b, line)
	b.WriteString("\nfiles without a ring\n")
	line("  native AIO", "%s", f.nativeAIO())
	line("  workers", "yes: threads, for what blocks")
	f.writeWays(&b)
	b.WriteByte('\n')
	b.WriteString(f.Uring.String())
	return b.String()
}

// writePlaces writes how many loops there are by default, and which CPUs they get by each Config.Place.
func (f *Finding) writePlaces(b *strings.Builder, line func(name, format string, args ...any)) {
	p := f.Places
	quota := "none"
	if p.Quota > 0 {
		quota = fmt.Sprintf("%.4g CPUs", p.Quota)
	}
	b.WriteString("\nloops\n")
	if p.Cores > 0 {
		line("  may use", "CPUs %s; cores: %d; nodes of memory: %d; quota: %s", p.CPUs, p.Cores, p.Nodes, quota)
	} else {
		line("  may use", "CPUs that this system does not tell; quota: %s", quota)
	}
	for _, plan := range p.Plans {
		switch {
		case plan.Error != "":
			line("  "+plan.Place, "no: %s", plan.Error)
		case plan.CPUs == nil:
			line("  "+plan.Place, "%s", plan.Why)
		default:
			line("  "+plan.Place, "%s; on CPUs %s", plan.Why, strings.Join(slices.Compact(plan.CPUs), " | "))
		}
	}
}

// String returns the choice in one line.
func (c *choice) String() string {
	switch {
	case c.err != nil:
		return fmt.Sprintf("%s fails: %s", c.Asked, c.Error)
	case c.Asked != c.Driver:
		return fmt.Sprintf("%s takes %s: %s", c.Asked, c.Driver, c.Reason)
	}
	return fmt.Sprintf("%s: %s", c.Driver, c.Reason)
}

// rung returns what the list of drivers says of one.
func (f *Finding) rung(c *choice) string {
	switch {
	case c.err != nil:
		return "no: " + c.Error
	case c.Asked == "uring" && f.Auto.err == nil && f.Auto.Driver != c.Driver:
		return "yes, when asked for: costs more than epoll here"
	case c.Asked == "uring-poll":
		return "yes, when asked for"
	}
	return "yes"
}

// nativeAIO returns what the list says of native AIO, for files that are open with O_DIRECT.
func (f *Finding) nativeAIO() string {
	if f.AIO != "" {
		return "no: " + f.AIO
	}
	return "yes, for those that are open with O_DIRECT"
}

// writeWays lists how a ring runs each operation. Drivers without a ring have one way for all: they make the system
// call and, if it would block, wait for readiness and make it again.
func (f *Finding) writeWays(b *strings.Builder) {
	for i := range f.Ladder {
		ways := f.Ladder[i].Ways
		if len(ways) == 0 {
			continue
		}
		fmt.Fprintf(b, "\nhow %s runs each operation\n", f.Ladder[i].Asked)
		wide := 0
		for _, w := range ways {
			wide = max(wide, len(w.Op))
		}
		for _, w := range ways {
			fmt.Fprintf(b, "  %-*s  %s", wide, w.Op, w.Way)
			if w.Lacks != "" {
				fmt.Fprintf(b, ", for want of %s", w.Lacks)
			}
			b.WriteByte('\n')
		}
	}
}

// uses lists what the driver uses of the features that the kernel has.
func (c *choice) uses() string {
	words := c.Features
	if c.Entries > 0 {
		words = append([]string{fmt.Sprintf("%d SQ entries", c.Entries)}, words...)
	}
	return strings.Join(words, " ")
}
