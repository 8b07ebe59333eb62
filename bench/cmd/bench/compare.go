//go:build linux

package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"ringo/bench/internal/contest"
	"ringo/bench/internal/page"
	"ringo/bench/internal/report"
)

// comparison has compare's own flags.
type comparison struct {
	*options
	install     bool
	only, cells *regexp.Regexp
	html        string
}

// The defaults without -quick, and with it.
const (
	roundsFull, roundsQuick   = 9, 6
	secondsFull, secondsQuick = 0.3, 0.25
)

// parseCompare parses compare's command line.
func parseCompare(o *options) (*comparison, error) {
	c := &comparison{options: o}
	o.rounds, o.seconds, o.warmup, o.again, o.charges = roundsFull, secondsFull, 0.15, 2, true
	only := o.String("only", "", "measure the servers only whose names match this `expression`")
	cells := o.String("cells", "", "measure the cells only whose names match this `expression`, as echo/50x64$")
	o.BoolVar(&o.short, "quick", false, fmt.Sprintf("three minutes: fewer cells and servers, %d rounds of %v s",
		roundsQuick, secondsQuick))
	o.brief = map[string]any{"rounds": roundsQuick, "seconds": secondsQuick}
	o.BoolVar(&c.install, "install", false, "apt-get install what is missing first, as root")
	o.StringVar(&c.html, "html", filepath.Join(o.bench, "out", "report.html"), "write the page to this `file`")
	expression := func(flag string, text *string, to **regexp.Regexp) func() error {
		return func() (err error) {
			if *to, err = regexp.Compile(*text); err != nil {
				err = fmt.Errorf("-%s: %w", flag, err)
			}
			return err
		}
	}
	return c, o.parse(expression("only", only, &c.only), expression("cells", cells, &c.cells), o.none)
}

// compare measures Ringo beside Go's own net, other network libraries for Go, servers in C and well-known programs,
// and writes a page.
func compare(ctx context.Context, o *options) error {
	c, err := parseCompare(o)
	if err != nil {
		return err
	}
	if c.install {
		if err := install(ctx, missing(), o.stderr); err != nil {
			return err
		}
	}
	rec, err := o.measure(ctx, c.choose())
	if err != nil {
		return err
	}
	fmt.Fprint(o.stdout, verdicts(rec))
	if err := c.page(rec); err != nil {
		return err
	}
	fmt.Fprintln(o.stderr, "page:", c.html)
	return o.end(rec)
}

// install installs the packages of the servers that are missing, without starting their services.
func install(ctx context.Context, missing []contest.Server, stderr io.Writer) error {
	packages := packagesOf(missing)
	if len(packages) == 0 {
		return nil
	}
	if os.Geteuid() != 0 {
		return fmt.Errorf("-install is for root: sudo apt-get install %s", strings.Join(packages, " "))
	}
	args := append([]string{"install", "-y", "--no-install-recommends"}, packages...)
	cmd := exec.CommandContext(ctx, "apt-get", args...)
	// In runlevel 1, for maintenance, invoke-rc.d starts no services.
	cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive", "RUNLEVEL=1")
	cmd.Stdout, cmd.Stderr = stderr, stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("apt-get install %s: %w", strings.Join(packages, " "), err)
	}
	return nil
}

func packagesOf(missing []contest.Server) (packages []string) {
	for _, s := range missing {
		packages = append(packages, strings.Fields(s.Apt)...)
	}
	slices.Sort(packages)
	return slices.Compact(packages)
}

// choose returns the cells to measure.
func (c *comparison) choose() (cells []contest.Cell) {
	for _, cell := range contest.Cells() {
		if !c.cells.MatchString(cell.Name()) || c.short && !cell.Quick {
			continue
		}
		if c.short {
			cell.Shorten()
		}
		cell.Servers = slices.DeleteFunc(slices.Clone(cell.Servers), func(s string) bool {
			return !c.only.MatchString(s)
		})
		cells = append(cells, cell)
	}
	return cells
}

// page writes the page.
func (c *comparison) page(rec *contest.Record) error {
	var b bytes.Buffer
	if err := page.Write(&b, rec); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(c.html), 0o777); err != nil {
		return err
	}
	return os.WriteFile(c.html, b.Bytes(), 0o666)
}

// verdicts returns a table for each cell.
func verdicts(rec *contest.Record) string {
	var b strings.Builder
	for _, r := range rec.Results() {
		base := r.Cell.Match.Base
		rows := [][]string{{r.Cell.Name(), "rounds", "CPU us", "x " + base, "verdict", "p50 us", "p99 us", "req/s"}}
		for _, s := range r.Servers() {
			ratio, verdict := r.Judge(contest.CPU, s, base)
			row := []string{s, fmt.Sprint(r.Rounds(s)), fmt.Sprintf("%.3f", r.Median(s, contest.CPU.Of)),
				ratio.String(), verdict.String(), fmt.Sprintf("%.0f", r.Median(s, contest.P50.Of)),
				fmt.Sprintf("%.0f", r.Median(s, contest.P99.Of)), fmt.Sprintf("%.0f", r.Median(s, contest.PerSecond))}
			if s == base {
				row[3], row[4] = "", ""
			}
			rows = append(rows, row)
		}
		report.Table(&b, rows)
		for _, s := range r.Servers() {
			if n, why := r.Failed(s); n > 0 {
				fmt.Fprintf(&b, "FAILED  %s, %d times: %s\n", s, n, why)
			}
		}
		b.WriteByte('\n')
	}
	return b.String()
}
