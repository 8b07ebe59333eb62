// Summary reads samples, a line of JSON each, and prints a table per cell: the median over the rounds of what load
// measured, and the median of the ratios to the base servers. A ratio is taken within a round, because absolute figures
// drift over minutes and between machines; it compares requests per second of server CPU time, so more is better.
//
// Exit code 1 says that a server failed or that a reply was wrong.
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"

	"ringo/bench/internal/sample"
)

func main() {
	base := flag.String("base", "c-uring,gonet", "comma-separated `servers` that the others are compared with")
	tsv := flag.String("tsv", "", "also write all samples as tab-separated values to this `file`")
	pairs := flag.String("pairs", "", "also judge the pairs in this `file`, of the form of bench/pairs")
	markdown := flag.Bool("markdown", false, "print tables as documentation has them")
	flag.Parse()
	if flag.NArg() > 1 {
		flag.Usage()
		os.Exit(2)
	}
	form := format
	if *markdown {
		form = formatMarkdown
	}
	ok, err := run(flag.Arg(0), strings.FieldsFunc(*base, func(r rune) bool { return r == ',' }), *tsv, *pairs, form)
	if err != nil {
		fmt.Fprintln(os.Stderr, "summary:", err)
	}
	if err != nil || !ok {
		os.Exit(1)
	}
}

func run(name string, base []string, tsv, pairs string, form func([]*cell, []string) string) (ok bool, err error) {
	in := os.Stdin
	if name != "" {
		if in, err = os.Open(name); err != nil {
			return false, err
		}
		defer in.Close()
	}
	samples, err := read(in)
	if err != nil {
		return false, err
	}
	if tsv != "" {
		if err := os.WriteFile(tsv, []byte(formatTSV(samples)), 0o666); err != nil {
			return false, err
		}
	}
	cells := group(samples)
	fmt.Print(form(cells, base))
	if pairs != "" {
		if err := judge(pairs, cells); err != nil {
			return false, err
		}
	}
	for _, s := range samples {
		if s.Failed != "" || s.Errors > 0 || s.Mismatches > 0 {
			return false, nil
		}
	}
	return true, nil
}

func read(r io.Reader) ([]sample.Sample, error) {
	var all []sample.Sample
	lines := bufio.NewScanner(r)
	for n := 1; lines.Scan(); n++ {
		var s sample.Sample
		if err := json.Unmarshal(lines.Bytes(), &s); err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		all = append(all, s)
	}
	return all, lines.Err()
}

func judge(name string, cells []*cell) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	pairs, err := readPairs(f)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	fmt.Print(formatPairs(pairs, cells))
	return nil
}
