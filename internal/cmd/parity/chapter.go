package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

const (
	page  = "docs/uring-parity.md"
	lists = "uring/testdata/parity"
)

// A chapter is one list.
type chapter struct {
	title   string
	text    []string
	columns []string
	rows    [][]string
}

// read returns the lists, in the order of their names.
func read(root string) ([]*chapter, error) {
	names, err := filepath.Glob(filepath.Join(root, lists, "*.txt"))
	if err != nil || len(names) == 0 {
		return nil, fmt.Errorf("no lists in %s: %v", lists, err)
	}
	var chapters []*chapter
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		c, err := parse(string(text))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", filepath.Base(name), err)
		}
		chapters = append(chapters, c)
	}
	return chapters, nil
}

func parse(text string) (*chapter, error) {
	c := &chapter{}
	for i, line := range strings.Split(strings.TrimSpace(text), "\n") {
		switch {
		case i == 0:
			title, ok := strings.CutPrefix(line, "# ")
			if !ok {
				return nil, fmt.Errorf("line 1: want # and a title, got %q", line)
			}
			c.title = title
		case !strings.Contains(line, " | ") && c.columns == nil:
			c.text = append(c.text, line)
		case strings.TrimSpace(line) == "":
		default:
			cells := strings.Split(line, " | ")
			for j := range cells {
				cells[j] = strings.TrimSpace(cells[j])
			}
			switch {
			case c.columns == nil:
				c.columns = cells
			case len(cells) != len(c.columns):
				return nil, fmt.Errorf("line %d: %d cells, want %d: %q", i+1, len(cells), len(c.columns), line)
			default:
				c.rows = append(c.rows, cells)
			}
		}
	}
	if len(c.rows) == 0 {
		return nil, fmt.Errorf("%q has no rows", c.title)
	}
	return c, nil
}

// column returns the cells of a column, by row; nil if there is no such column.
func (c *chapter) column(name string) (cells []string) {
	i := slices.Index(c.columns, name)
	if i < 0 {
		return nil
	}
	for _, r := range c.rows {
		cells = append(cells, r[i])
	}
	return cells
}

// none reports whether a cell says why there is nothing.
func none(cell string) bool { return strings.HasPrefix(cell, "-") }

// items returns the names in a cell.
func items(cell string) []string {
	if none(cell) {
		return nil
	}
	return strings.Split(cell, "; ")
}

// counted returns how many rows have something in a column.
func (c *chapter) counted(name string) (n int) {
	for _, cell := range c.column(name) {
		if !none(cell) {
			n++
		}
	}
	return n
}

// runs are the words that cells of the column "run" begin with.
var runs = []string{"run", "guests", "probed", "scripted"}

// kinds explains them.
func kinds() string {
	return "Where a test has seen what it tests:\n\n" +
		"- run: on Linux 6.18, by the kernel;\n" +
		"- guests: on another kernel or with a device of a virtual machine's, by `.ci/kernels`;\n" +
		"- probed: the kernel is asked, and refuses, for there is no such device;\n" +
		"- scripted: a kernel that the test plays checks what it is told and answers.\n\n"
}

// ran returns, for each of these words, how many rows have it; dashes if the chapter has no such column.
func (c *chapter) ran() []string {
	counts := make([]string, len(runs))
	cells := c.column("run")
	for i, word := range runs {
		counts[i] = "—"
		if cells != nil {
			n := 0
			for _, cell := range cells {
				if firstWord(cell) == word {
					n++
				}
			}
			counts[i] = fmt.Sprint(n)
		}
	}
	return counts
}

// firstWord returns the text before a colon, a semicolon or the end.
func firstWord(cell string) string {
	if i := strings.IndexAny(cell, ":;"); i >= 0 {
		cell = cell[:i]
	}
	return cell
}

func render(chapters []*chapter) string {
	var b strings.Builder
	b.WriteString("# liburing and package uring\n\n" +
		"Written by `go run ./internal/cmd/parity` from `" + lists + "`; do not edit.\n\n" +
		kinds() +
		"| | rows | here | tested | " + strings.Join(runs, " | ") + " |\n" +
		strings.Repeat("|---", 4+len(runs)) + "|\n")
	for _, c := range chapters {
		here := "—"
		if c.column("here") != nil {
			here = fmt.Sprint(c.counted("here"))
		}
		fmt.Fprintf(&b, "| [%s](#%s) | %d | %s | %d | %s |\n", c.title, anchor(c.title), len(c.rows), here,
			c.counted("tests"), strings.Join(c.ran(), " | "))
	}
	for _, c := range chapters {
		fmt.Fprintf(&b, "\n## %s\n\n%s\n\n", c.title, strings.TrimSpace(strings.Join(c.text, "\n")))
		fmt.Fprintf(&b, "| %s |\n|%s\n", strings.Join(c.columns, " | "), strings.Repeat("---|", len(c.columns)))
		for _, r := range c.rows {
			b.WriteString("|")
			for i, cell := range r {
				b.WriteString(" " + show(c.columns[i], cell) + " |")
			}
			b.WriteString("\n")
		}
	}
	return b.String()
}

// show returns a cell with its names as code.
func show(column, cell string) string {
	switch {
	case none(cell):
		return strings.TrimSpace(strings.TrimPrefix(cell, "-"))
	case column == "here" || column == "tests":
		list := items(cell)
		for i, name := range list {
			list[i] = "`" + name + "`"
		}
		return strings.Join(list, ", ")
	}
	return cell
}

func anchor(title string) string {
	return strings.ReplaceAll(strings.ToLower(title), " ", "-")
}
