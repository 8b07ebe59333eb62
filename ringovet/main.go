package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/tools/go/analysis/unitchecker"

	"ringo/ringovet/check"
	"ringo/ringovet/internal/report"
)

func main() {
	if asked := os.Args[1:]; byVet(asked) {
		unitchecker.Main(check.Analyzer)
	}
	os.Exit(run())
}

// byVet reports whether go vet runs the program: it asks for the version and the flags, and passes a package as a .cfg
// file.
func byVet(args []string) bool {
	for _, a := range args {
		if a == "-V=full" || a == "-flags" || strings.HasSuffix(a, ".cfg") {
			return true
		}
	}
	return false
}

func run() int {
	dir := flag.String("C", "", "change to this directory before the packages are looked for")
	asJSON := flag.Bool("json", false, "write the findings as a JSON array")
	tests := flag.Bool("test", false, "look at files of tests, too")
	flag.Usage = func() {
		fmt.Fprintln(os.Stderr, "usage: ringovet [-C dir] [-json] [-test] packages")
		flag.PrintDefaults()
	}
	flag.Parse()
	if flag.NArg() == 0 {
		flag.Usage()
		return 2
	}
	at, err := filepath.Abs(*dir)
	if err != nil {
		return failed(err)
	}
	lines, err := check.Program(check.Options{Dir: at, Tests: *tests}, flag.Args()...)
	if err != nil {
		return failed(err)
	}
	if *asJSON {
		if err := report.JSON(os.Stdout, lines); err != nil {
			return failed(err)
		}
	} else {
		report.Print(os.Stdout, lines)
	}
	if len(lines) > 0 {
		return 1
	}
	return 0
}

func failed(err error) int {
	fmt.Fprintln(os.Stderr, "ringovet:", err)
	return 2
}
