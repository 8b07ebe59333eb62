package bench

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"unicode/utf8"
)

const (
	textColumns = 100
	othersMany  = 0.2 // CPUs used by other programs from which on the report mentions them
)

// text writes the report as text.
func (r *Report) text(w io.Writer) error {
	var b bytes.Buffer
	fmt.Fprintf(&b, "ringo %s, %s, %s, %d CPUs (%s)\n", r.Ringo, r.Go, r.System, r.CPUs, r.CPU)
	fmt.Fprintf(&b, "%s\n", r.charges())
	wrap(&b, "", r.length())
	for _, c := range r.Cells {
		c.table(&b)
	}
	if len(r.Out) > 0 {
		b.WriteString("\nleft out\n")
		for _, text := range r.Out {
			wrap(&b, "  ", text)
		}
	}
	if len(r.Advice) > 0 {
		b.WriteString("\nadvice\n")
	}
	for _, a := range r.Advice {
		wrap(&b, "  ", a.Topic+": "+a.Advice)
		wrap(&b, "      ", a.Reason)
	}
	_, err := w.Write(b.Bytes())
	return err
}

// charges returns what the host takes for going into the kernel, in one line.
func (r *Report) charges() string {
	list := []string{"a system call " + r.Charges.Call.short() + " µs"}
	if r.Charges.Enter != nil {
		list = append(list, "an enter of a ring with one entry "+r.Charges.Enter.short())
	}
	if r.Charges.Wake != nil {
		list = append(list, "a wake of a sleeping loop "+r.Charges.Wake.short())
	}
	return "the host charges: " + strings.Join(list, ", ")
}

// length says how many rounds, and how much time, the figures rest on.
func (r *Report) length() string {
	text := fmt.Sprintf("%d rounds of windows of %.0f ms, in %.0f s; medians, and ratios taken within a round",
		r.Rounds,
		1000*r.Window, r.Seconds)
	if r.Others >= othersMany {
		text += fmt.Sprintf("; other programs used %.1f CPUs meanwhile, which widens the intervals", r.Others)
	}
	if r.Stopped {
		text += "; stopped by a signal before all were done"
	}
	return text
}

// short returns the median with as many digits as it is good for.
func (f *Figure) short() string {
	switch {
	case f == nil:
		return "-"
	case f.Median >= 99.5:
		return fmt.Sprintf("%.0f", f.Median)
	case f.Median >= 9.95:
		return fmt.Sprintf("%.1f", f.Median)
	}
	return fmt.Sprintf("%.2f", f.Median)
}

// short returns the ratio for a table.
func (r *Ratio) short() string {
	switch {
	case r == nil:
		return ""
	case !r.Seen:
		return "no difference seen"
	}
	return fmt.Sprintf("%.2f (%.2f-%.2f)", r.Median, r.Low, r.High)
}

// spread returns half of the interval, in percent of the median.
func (f *Figure) spread() string {
	if f == nil || f.Median == 0 {
		return ""
	}
	return fmt.Sprintf("±%.0f%%", 100*(f.High-f.Low)/2/f.Median)
}

// table writes a cell and its rows.
func (c *Cell) table(w io.Writer) {
	fmt.Fprintf(w, "\n%s\n", c.Title)
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprintf(t, "  \tCPU µs/%s\t\tfor the CPU, x %s\t%ss/s\tx %s\tp50 µs\tp99 µs\t\n", c.Unit, c.Base, c.Unit,
		c.Base)
	for _, row := range c.Rows {
		if row.CPU == nil {
			fmt.Fprintf(t, "  %s\t-\t\t\t\t\t\t\t%s\n", row.Name, row.About)
			continue
		}
		thrift, speed := row.Thrift.short(), row.Speed.short()
		if row.Name == c.Base {
			thrift, speed = "1", "1"
		}
		fmt.Fprintf(t, "  %s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", row.Name, row.CPU.short(), row.CPU.spread(), thrift,
			row.PerSecond.short(), speed, row.P50.short(), row.P99.short(), row.About)
	}
	t.Flush()
}

// wrap writes text in lines of textColumns at most.
func wrap(w io.Writer, indent, text string) {
	line := indent
	for word := range strings.FieldsSeq(text) {
		if utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > textColumns && line != indent {
			fmt.Fprintln(w, line)
			line = indent
		}
		if line != indent {
			line += " "
		}
		line += word
	}
	fmt.Fprintln(w, line)
}
