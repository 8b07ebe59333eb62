//go:build linux

// Disk compares what reads, writes and syncs cost in package file with what they cost in package os and in fio: a round
// is one run of each side, in a process of its own, the sides in turns; a line of the table is the median of the
// rounds' ratios, with its quartiles and what is asked of it.
//
//	cd bench && go run ./cmd/disk [-rounds 11] [-short] [NAME …]
//
// The files lie in the directory for temporary files. Exit code 1: a run failed.
package main

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"ringo/bench/internal/report"
)

func main() {
	rounds := flag.Int("rounds", 11, "how often each side runs")
	short := flag.Bool("short", false, "one round of a moment: shows that all runs and measures nothing")
	flag.Parse()
	if *short {
		*rounds = 1
	}
	if err := run(*rounds, *short, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "disk:", err)
		os.Exit(1)
	}
}

func run(rounds int, short bool, names []string) error {
	for _, name := range names {
		if !slices.ContainsFunc(matches, func(m match) bool { return m.name == name }) {
			return fmt.Errorf("%q is none of %s", name, strings.Join(matchNames(), ", "))
		}
	}
	dir, err := os.MkdirTemp("", "disk")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	w := &workshop{dir: dir, short: short}
	var results []*result
	_, noFio := exec.LookPath("fio")
	for _, m := range matches {
		switch {
		case len(names) > 0 && !slices.Contains(names, m.name):
		case m.base.row == "fio" && noFio != nil:
			fmt.Fprintf(os.Stderr, "left out: %s: %v\n", m.name, noFio)
		default:
			results = append(results, &result{match: m})
		}
	}
	for round := range rounds {
		for _, r := range results {
			fmt.Fprintf(os.Stderr, "round %d of %d, %s\n", round+1, rounds, r.match.name)
			if err := r.round(w, round); err != nil {
				return err
			}
		}
	}
	fmt.Print(table(results))
	return nil
}

func matchNames() (names []string) {
	for _, m := range matches {
		names = append(names, m.name)
	}
	return names
}

// workshop builds what runs, once.
type workshop struct {
	dir   string
	short bool
	built map[string]string
}

// build gives the path of a program of the module: the tests of a package, or the package if it is a command.
func (w *workshop) build(pkg string) (string, error) {
	if path := w.built[pkg]; path != "" {
		return path, nil
	}
	path := filepath.Join(w.dir, strings.ReplaceAll(pkg, "/", "-"))
	args := []string{"test", "-c", "-o", path, "./" + pkg}
	if strings.HasPrefix(pkg, "cmd/") {
		args = []string{"build", "-o", path, "./" + pkg}
	}
	cmd := exec.Command("go", args...)
	cmd.Dir = ".."
	if output, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go %s: %w\n%s", strings.Join(args, " "), err, output)
	}
	if w.built == nil {
		w.built = map[string]string{}
	}
	w.built[pkg] = path
	return path, nil
}

// side is one of those that are compared.
type side struct {
	pkg, bench, times string   // a benchmark, and -benchtime
	args              []string // or the arguments of ringo bench file
	row               string   // whose line of the table
}

// run gives the side's figures by their units.
func (s *side) run(w *workshop) (figures, error) {
	pkg, args := s.pkg, []string{"-test.run=^$", "-test.bench=" + s.bench, "-test.benchtime=" + s.times}
	if s.args != nil {
		pkg, args = "cmd/ringo", slices.Concat([]string{"bench", "file", "-quiet"}, s.args)
	}
	if w.short && s.args != nil {
		args = append(args, "-time", "100ms", "-size", "16M")
	} else if w.short {
		args[2] = "-test.benchtime=10x"
	}
	path, err := w.build(pkg)
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(path, args...)
	cmd.Dir = w.dir
	output, err := cmd.CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w\n%s", pkg, strings.Join(args, " "), err, output)
	}
	f := parseBench(string(output))
	if s.args != nil {
		f = report.Row(string(output), "path", s.row)
	}
	if len(f) == 0 {
		return nil, fmt.Errorf("%s %s: no figures in\n%s", pkg, strings.Join(args, " "), output)
	}
	return f, nil
}

type figures map[string]float64

// parseBench reads the one line of a benchmark.
func parseBench(output string) figures {
	for line := range strings.Lines(output) {
		words := strings.Fields(line)
		if len(words) < 4 || !strings.HasPrefix(words[0], "Benchmark") {
			continue
		}
		f := figures{}
		for i := 2; i+1 < len(words); i += 2 {
			var v float64
			if _, err := fmt.Sscan(words[i], &v); err == nil {
				f[words[i+1]] = v
			}
		}
		return f
	}
	return nil
}
