package main

import (
	"bufio"
	"fmt"
	"os"
	"slices"
	"strings"
)

type mutant struct {
	name, file string
	test       []string // package, pattern, then environment variables and flags for the test
	places     []place
	all        bool // report every test that finds it, not only the first
	number     int  // in a fold; 0 if it is in none
}

// place is a run of lines in the source, and the lines that replace it.
type place struct{ from, to []string }

// read reads a table.
func read(name string) (rows []*mutant, err error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for n := 1; lines.Scan(); n++ {
		key, rest, _ := strings.Cut(strings.TrimSpace(lines.Text()), " ")
		if key == "" || strings.HasPrefix(key, "#") {
			continue
		}
		if key == "==" {
			rows = append(rows, &mutant{name: rest})
			continue
		}
		if len(rows) == 0 {
			return nil, fmt.Errorf("%s:%d: no entry yet", name, n)
		}
		switch m := rows[len(rows)-1]; key {
		case "file":
			m.file = rest
		case "test":
			m.test = strings.Fields(rest)
			for i, word := range m.test {
				if i > 1 && !strings.HasPrefix(word, "-") && !strings.Contains(word, "=") {
					return nil, fmt.Errorf("%s:%d: %q is neither NAME=value nor a flag", name, n, word)
				}
			}
		case "-":
			if len(m.places) == 0 || m.last().to != nil {
				m.places = append(m.places, place{})
			}
			m.last().from = append(m.last().from, strings.TrimSpace(rest))
		case "+":
			if len(m.places) == 0 {
				return nil, fmt.Errorf("%s:%d: no line yet that is replaced", name, n)
			}
			m.last().to = append(m.last().to, rest)
		default:
			return nil, fmt.Errorf("%s:%d: %q is no line of a table", name, n, lines.Text())
		}
	}
	return rows, lines.Err()
}

// last returns the place that is being read.
func (m *mutant) last() *place { return &m.places[len(m.places)-1] }

// plant replaces the lines of all places.
func (m *mutant) plant(lines []string) (planted []string, err error) {
	for i := range m.places {
		if lines, err = m.places[i].plant(lines); err != nil {
			return nil, fmt.Errorf("%s has %w", m.file, err)
		}
	}
	return lines, nil
}

func (p *place) plant(lines []string) ([]string, error) {
	at := -1
	for i := range lines {
		if i+len(p.from) > len(lines) || !same(lines[i:i+len(p.from)], p.from) {
			continue
		}
		if at >= 0 {
			return nil, fmt.Errorf("the lines more than once: %q", p.from)
		}
		at = i
	}
	if at < 0 {
		return nil, fmt.Errorf("no such lines: %q", p.from)
	}
	return slices.Concat(lines[:at], p.to, lines[at+len(p.from):]), nil
}

func same(lines, text []string) bool {
	for i := range text {
		if strings.TrimSpace(lines[i]) != text[i] {
			return false
		}
	}
	return true
}
