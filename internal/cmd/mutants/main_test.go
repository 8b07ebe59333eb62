package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// A change of names or lines that a table's mistakes are written in changes the table, too.
func TestTablesApply(t *testing.T) {
	const root = "../../.."
	var tables []string
	err := filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
		if strings.HasSuffix(path, "/testdata/mutants") {
			tables = append(tables, path)
		}
		return err
	})
	if err != nil || len(tables) == 0 {
		t.Fatal("no tables:", err)
	}
	for _, table := range tables {
		rows, err := read(table)
		if err != nil {
			t.Error(err)
		}
		for i := range rows {
			m := rows[i]
			text, err := os.ReadFile(filepath.Join(root, m.file))
			if err != nil {
				t.Errorf("%s: %v", m.name, err)
				continue
			}
			if _, err := m.plant(strings.Split(string(text), "\n")); err != nil {
				t.Errorf("%s: %v", m.name, err)
			}
			for _, test := range strings.Split(m.test[1], "|") {
				if !hasTest(t, filepath.Join(root, m.test[0]), test) {
					t.Errorf("%s: %s has no %s", m.name, m.test[0], test)
				}
			}
		}
	}
}

// hasTest reports whether a package has a test, given its name or how it begins.
func hasTest(t *testing.T, dir, name string) bool {
	name, _, _ = strings.Cut(name, "/")
	files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		begins, open := strings.CutSuffix(name, ".*")
		if !open {
			begins = name + "("
		}
		if strings.Contains(string(text), "\nfunc "+begins) {
			return true
		}
	}
	return false
}

func TestJudge(t *testing.T) {
	kept := filepath.Join(t.TempDir(), "kept")
	text := `killed   ./a .*: one                                by --- FAIL: TestA --- FAIL: TestB, 3s
SURVIVED ./b TestC: one                             for 2s: TestC passes
SURVIVED ./a .*: two: with a colon                  for 1s: .* passes
killed   ./b TestC: two: with a colon              by --- FAIL: TestC, 2s
killed   ./a .*: three                              by --- FAIL: TestA, 1s
killed   ./b TestC: four                            by , 1s
`
	if err := os.WriteFile(kept, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := judge(&out, kept); err != nil {
		t.Fatal(err)
	}
	var got [][]string
	for line := range strings.Lines(out.String()) {
		got = append(got, strings.Fields(line))
	}
	want := [][]string{{"test", "finds", "alone"},
		{"./a", "TestA", "2", "1"}, {"./a", "TestB", "1", "0"}, {"./b", "TestC", "1", "1"},
		{"./b", "panic", "1", "1"}, {},
		{"suite", "finds", "alone"}, {"./a", "2", "2"}, {"./b", "2", "2"}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("judged %q, want %q", got, want)
	}
}

// A suite is tried on mistakes in the packages that its tests are built of, and in files that are no package's.
func TestOnTrial(t *testing.T) {
	suites := filepath.Join(t.TempDir(), "suites")
	err := os.WriteFile(suites, []byte("./internal/timer Test.*\n./internal/cmd/mutants TestA A=1\n"), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir("../../..")
	all, err := onTrial([]*mutant{{name: "one", file: "internal/timer/timer.go"},
		{name: "two", file: "sock/conn.go"}, {name: "three", file: "docs/testing.md"}}, suites)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, m := range all {
		got = append(got, m.name+" "+strings.Join(m.test, " "))
	}
	want := []string{"./internal/timer Test.*: one ./internal/timer Test.*",
		"./internal/timer Test.*: three ./internal/timer Test.*",
		"./internal/cmd/mutants TestA: three ./internal/cmd/mutants TestA A=1"}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if _, err := onTrial(nil, suites+"none"); err == nil {
		t.Error("a file that is missing is no error")
	}
}

// A test that is skipped has not missed the mistake: whoever runs the table reads that it says nothing here.
func TestSkips(t *testing.T) {
	for _, row := range []struct {
		test, out string
		want      bool
	}{
		{"TestA", "=== RUN   TestA\n--- PASS: TestA (0.00s)\nPASS\n", false},
		{"TestA", "=== RUN   TestA\n    a_test.go:7: no kernel\n--- SKIP: TestA (0.00s)\nPASS\n", true},
		{"TestA", "\n--- PASS: TestA (0.00s)\n    --- SKIP: TestA/epoll (0.00s)\nPASS\n", false},
		{"TestA/epoll", "\n--- PASS: TestA (0.00s)\n    --- SKIP: TestA/epoll (0.00s)\nPASS\n", true},
		{"TestA|TestB", "\n--- SKIP: TestA (0.00s)\n--- PASS: TestB (0.00s)\nPASS\n", false},
	} {
		if got := skips(row.out, row.test); got != row.want {
			t.Errorf("%s: skips is %t for %q", row.test, got, row.out)
		}
	}
}
