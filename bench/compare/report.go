//go:build linux

package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"

	"ringo/bench/internal/contest"
	"ringo/bench/internal/page"
	"ringo/bench/internal/report"
)

// report writes tables and the page from a record.
func (o *options) report(stdout, stderr io.Writer) (ok bool, err error) {
	f, err := os.Open(o.from)
	if err != nil {
		return false, err
	}
	defer f.Close()
	rec, err := contest.Read(f)
	if err != nil {
		return false, fmt.Errorf("%s: %w", o.from, err)
	}
	if len(rec.Samples) == 0 {
		return false, fmt.Errorf("%s: nothing was measured", o.from)
	}
	fmt.Fprint(stdout, tables(rec))
	if err := o.page(rec); err != nil {
		return false, err
	}
	fmt.Fprintln(stderr, "page:", o.html)
	_, failed := rec.Disturbed()
	return failed == 0, nil
}

// page writes the page.
func (o *options) page(rec *contest.Record) error {
	var b bytes.Buffer
	if err := page.Write(&b, rec); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(o.html), 0o777); err != nil {
		return err
	}
	return os.WriteFile(o.html, b.Bytes(), 0o666)
}

// tables are a table for each cell.
func tables(rec *contest.Record) string {
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

// list is who competes under what.
func list(w io.Writer) error {
	for _, c := range contest.Cells() {
		if _, err := fmt.Fprintf(w, "%-16s %s\n", c.Name(), strings.Join(c.Servers, " ")); err != nil {
			return err
		}
	}
	return nil
}

// moduleVersions are those of the libraries that are compared, by their names.
func moduleVersions() map[string]string {
	versions := map[string]string{}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return versions
	}
	for _, m := range info.Deps {
		versions[m.Path] = m.Version
	}
	return versions
}
