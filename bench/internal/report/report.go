// Package report is what the programs that print tables of measurements share.
package report

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"
)

// Quantile is the value that a share q of the others lie below, between two of them if need be; NaN for no values.
func Quantile(v []float64, q float64) float64 {
	if len(v) == 0 {
		return math.NaN()
	}
	v = slices.Sorted(slices.Values(v))
	at := q * float64(len(v)-1)
	low := int(at)
	high := min(low+1, len(v)-1)
	return v[low] + (v[high]-v[low])*(at-float64(low))
}

// Table writes rows of as many cells as the first has: the first column to the left, the others to the right.
func Table(b *strings.Builder, rows [][]string) {
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, text := range row {
			widths[i] = max(widths[i], len([]rune(text)))
		}
	}
	for _, row := range rows {
		fmt.Fprintf(b, "%-*s", widths[0], row[0])
		for i := 1; i < len(row); i++ {
			fmt.Fprintf(b, "  %*s", widths[i], row[i])
		}
		b.WriteByte('\n')
	}
}

// Markdown writes rows as documentation has them.
func Markdown(b *strings.Builder, rows [][]string) {
	for i, row := range rows {
		fmt.Fprintf(b, "| %s |\n", strings.Join(row, " | "))
		if i == 0 {
			b.WriteString(strings.Repeat("| --- ", len(row)) + "|\n")
		}
	}
}

var gap = regexp.MustCompile(`  +`)

// Row reads a line of a table as Table writes them: the numbers in the row of that name by the heads of their columns,
// the first of which is given. It is nil if there is no such row.
func Row(table, head, name string) map[string]float64 {
	var heads []string
	for line := range strings.Lines(table) {
		cells := gap.Split(strings.TrimSpace(line), -1)
		switch {
		case cells[0] == head:
			heads = cells
		case cells[0] == name && len(cells) == len(heads):
			row := map[string]float64{}
			for i, cell := range cells[1:] {
				var v float64
				if _, err := fmt.Sscan(cell, &v); err == nil {
					row[heads[i+1]] = v
				}
			}
			return row
		}
	}
	return nil
}
