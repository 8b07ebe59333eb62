// Package report has what programs that print tables of measurements share.
package report

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"
)

// Quantile returns the value below which a share q of the values lie, interpolated between two of them if necessary,
// or NaN if there are no values.
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

// Table writes rows that have as many cells as the first, with the first column aligned left and the others right.
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

// Markdown writes rows as a table of Markdown.
func Markdown(b *strings.Builder, rows [][]string) {
	for i, row := range rows {
		fmt.Fprintf(b, "| %s |\n", strings.Join(row, " | "))
		if i == 0 {
			b.WriteString(strings.Repeat("| --- ", len(row)) + "|\n")
		}
	}
}

var gap = regexp.MustCompile(`  +`)

// Row parses a table in the format of Table: it returns the numbers in the row with this name, by the heads of their
// columns. head is the head of the first column. Row returns nil if there is no such row.
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
