package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
)

// A row is a line in the form of the sum file.
type row struct {
	Suite, Version, Driver   string
	Control, Passed, Handles int
	Accepted, Differs        []string
	Reasons                  []string
	Unsteady                 []string
}

// report prints what differs, accepted or not, and adds the rows to the sum file. It fails if a difference is not
// accepted, or if Ringo was never asked for a socket.
func report(s *suite, lines []*line, sum string) error {
	var bad []error
	for _, l := range lines {
		r := row{Suite: l.suite, Version: l.version, Driver: l.driver, Control: l.control, Passed: l.passed,
			Handles: l.handles, Unsteady: l.unsteady}
		for _, test := range l.differs {
			reason, ok := accept(s.accepted, l.driver, test)
			if !ok {
				r.Differs = append(r.Differs, test)
				bad = append(bad, fmt.Errorf("%s: %s: %s differs", l.suite, l.driver, test))
				continue
			}
			r.Accepted = append(r.Accepted, test)
			r.Reasons = append(r.Reasons, reason)
		}
		if l.handles == 0 {
			bad = append(bad, fmt.Errorf("%s: %s: Ringo was never asked for a socket", l.suite, l.driver))
		}
		fmt.Printf("%s: %s: %d of %d tests, %d differ, %d of them accepted, %d unsteady, %d handles\n", l.suite,
			l.driver, l.passed, l.control, len(l.differs), len(r.Accepted), len(l.unsteady), l.handles)
		for _, test := range l.unsteady {
			fmt.Printf("\tunsteady: %s\n", test)
		}
		if sum != "" {
			if err := add(sum, r); err != nil {
				return err
			}
		}
	}
	for _, a := range s.accepted {
		if !a.used {
			fmt.Printf("%s: accepted, and did not differ: %s %s\n", s.name, a.variant, a.pattern)
		}
	}
	return errors.Join(bad...)
}

func add(sum string, r row) error {
	f, err := os.OpenFile(sum, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o666)
	if err != nil {
		return err
	}
	defer f.Close()
	return json.NewEncoder(f).Encode(r)
}

// tableCommand prints the rows as a table for the documentation.
func tableCommand(args []string) error {
	if len(args) != 1 {
		usage()
	}
	f, err := os.Open(args[0])
	if err != nil {
		return err
	}
	defer f.Close()
	fmt.Println("| suite | version | driver | passed on net | with Ringo | differs | why |")
	fmt.Println("|---|---|---|---:|---:|---|---|")
	in := bufio.NewScanner(f)
	in.Buffer(nil, 1<<20)
	for in.Scan() {
		var r row
		if err := json.Unmarshal(in.Bytes(), &r); err != nil {
			return err
		}
		var why []string
		seen := map[string]bool{}
		for _, reason := range r.Reasons {
			if !seen[reason] {
				why = append(why, reason)
			}
			seen[reason] = true
		}
		fmt.Printf("| %s | %s | %s | %d | %d | %s | %s |\n", r.Suite, r.Version, r.Driver, r.Control, r.Passed,
			quoted(append(r.Accepted, r.Differs...)), strings.Join(why, "; "))
	}
	return in.Err()
}

func quoted(names []string) string {
	if len(names) == 0 {
		return ""
	}
	return "`" + strings.Join(names, "`, `") + "`"
}
