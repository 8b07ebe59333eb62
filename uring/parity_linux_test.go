//go:build linux

package uring

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// A parityRow is a line of a list in testdata/parity, as far as the tables of tests know it.
type parityRow struct {
	name, since string
	here, tests []string
	played      bool // the kernel is the test's own
}

func (p *parityRow) add(here, test string) {
	if !slices.Contains(p.here, here) {
		p.here = append(p.here, here)
	}
	if !slices.Contains(p.tests, test) {
		p.tests = append(p.tests, test)
	}
}

// subtest names the test that a table runs f as: f's own name if it is a test, else that of the first row that has it.
func subtest(names map[uintptr]string, f func(*testing.T), name string) string {
	pc := reflect.ValueOf(f).Pointer()
	whole := runtime.FuncForPC(pc).Name()
	if own := whole[strings.LastIndex(whole, ".")+1:]; strings.HasPrefix(own, "Test") {
		return own
	}
	if names[pc] == "" {
		names[pc] = name
	}
	return names[pc]
}

func parityOfRegister() (rows []*parityRow) {
	names, byOp := map[uintptr]string{}, map[RegisterOp]*parityRow{}
	for _, row := range registerTests {
		p := byOp[row.op]
		if p == nil {
			p = &parityRow{name: strings.TrimPrefix(row.op.String(), "REGISTER_"), since: row.since}
			byOp[row.op] = p
			rows = append(rows, p)
		}
		p.add(row.method, subtest(names, row.run, "TestRegister/"+row.op.String()+"/"+row.method))
		p.played = p.played || row.played != ""
	}
	return rows
}

func parityOfSetup() (rows []*parityRow) {
	names := map[uintptr]string{}
	for _, row := range setupTests {
		p := &parityRow{name: row.flag.String(), since: row.since, played: row.played}
		p.tests = []string{subtest(names, row.run, "TestSetup/"+row.flag.String())}
		rows = append(rows, p)
	}
	return rows
}

func parityOfEnter() (rows []*parityRow) {
	for _, row := range enterTests {
		rows = append(rows, &parityRow{name: row.name, since: row.since, here: []string{row.method},
			tests: []string{"TestEnterFlags/" + row.name}})
	}
	return rows
}

// TestParity: the lists that docs/uring-parity.md is written from say what the tables of tests do.
func TestParity(t *testing.T) {
	for list, rows := range map[string][]*parityRow{
		"3-register.txt": parityOfRegister(), "4-setup.txt": parityOfSetup(), "5-enter.txt": parityOfEnter(),
	} {
		text, err := os.ReadFile(filepath.Join("testdata", "parity", list))
		if err != nil {
			t.Skip("the source is not here: ", err)
		}
		lines := map[string][]string{}
		for line := range strings.Lines(string(text)) {
			if cells := strings.Split(strings.TrimSpace(line), " | "); len(cells) == 5 {
				lines[cells[0]] = cells
			}
		}
		for _, p := range rows {
			cells := lines[p.name]
			if cells == nil {
				cells = []string{p.name, "", "", "", ""}
			}
			want := slices.Clone(cells)
			want[1], want[2], want[3] = p.since, with(cells[2], p.here), with(cells[3], p.tests)
			if !slices.Equal(cells, want) {
				t.Errorf("%s: want the line\n%s\ngot\n%s", list, strings.Join(want, " | "), strings.Join(cells, " | "))
			}
			if p.played && strings.HasPrefix(cells[4], "run") {
				t.Errorf("%s: %s is played by its test, and not run", list, p.name)
			}
			delete(lines, p.name)
		}
		delete(lines, "code")
		delete(lines, "flag")
		if len(lines) > 0 {
			t.Errorf("%s: lines that no test has: %s", list, fmt.Sprint(lines))
		}
	}
}

// with is a cell that lists all names: as it is if it does.
func with(cell string, names []string) string {
	var list []string
	if cell != "" {
		list = strings.Split(cell, "; ")
	}
	for _, name := range names {
		if !slices.Contains(list, name) {
			list = append(list, name)
		}
	}
	return strings.Join(list, "; ")
}
