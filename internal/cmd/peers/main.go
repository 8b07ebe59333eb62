package main

import (
	"flag"
	"fmt"
	"os"
	"strings"
)

func main() {
	if len(os.Args) < 2 {
		usage()
	}
	var err error
	switch os.Args[1] {
	case "goroot":
		err = gorootCommand(os.Args[2:])
	case "run":
		err = runCommand(os.Args[2:])
	case "table":
		err = tableCommand(os.Args[2:])
	default:
		usage()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "peers:", err)
		os.Exit(1)
	}
}

func usage() {
	fmt.Fprintln(os.Stderr, "usage: peers goroot|run|table ..., see go doc ./internal/cmd/peers")
	os.Exit(2)
}

func gorootCommand(args []string) error {
	flags := flag.NewFlagSet("peers goroot", flag.ExitOnError)
	ringo := flags.String("ringo", ".", "`folder` with the source of Ringo")
	flags.Parse(args)
	if flags.NArg() != 1 {
		usage()
	}
	return makeGoroot(*ringo, flags.Arg(0))
}

func runCommand(args []string) error {
	flags := flag.NewFlagSet("peers run", flag.ExitOnError)
	s := &suite{}
	flags.StringVar(&s.name, "suite", "", "`name` of the suite in tables and in the file of accepted differences")
	flags.StringVar(&s.version, "version", "", "`version` of the suite, for the table")
	flags.StringVar(&s.root, "root", "", "`folder` that may be written to, with the packages")
	flags.StringVar(&s.dir, "dir", ".", "`folder` to build in")
	flags.BoolVar(&s.short, "short", false, "run the tests with -short")
	flags.BoolVar(&s.wrapped, "wrapped", false, "all tests are inside of one, so that those are what is run alone")
	flags.StringVar(&s.skip, "skip", "", "leave out the tests that match the `pattern`")
	helpers := flags.String("helpers", "", "`folders` below the root whose other files are rewritten like tests")
	files := flags.String("files", "",
		"`folders` below the root, all of whose files have package file in the place of os")
	drivers := flags.String("drivers", "uring,epoll",
		"the `drivers`; one that ends in /tasks has streams used in tasks")
	accepted := flags.String("accepted", "", "`file` with the differences that are accepted")
	sum := flags.String("sum", "", "`file` for the result, a line for each driver")
	flags.Parse(args)
	if flags.NArg() == 0 || s.name == "" || s.root == "" {
		usage()
	}
	s.drivers = strings.Split(*drivers, ",")
	if *helpers != "" {
		s.helpers = strings.Split(*helpers, ",")
	}
	if *files != "" {
		s.files = strings.Split(*files, ",")
	}
	var err error
	if s.accepted, err = readAccepted(*accepted, s.name); err != nil {
		return err
	}
	lines, err := s.run(flags.Args())
	if err != nil {
		return err
	}
	return report(s, lines, *sum)
}
