package main

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// goesOn is how many times its limit a step may take in all, if it keeps printing.
const goesOn = 5

// A step is a line of a plan.
type step struct {
	name  string
	show  bool // print the output in any case
	limit time.Duration
	args  []string // the command first
}

// each is the placeholder in a plan for the name of a driver.
const each = "{driver}"

// parsePlan returns the steps of a plan. It ignores empty lines, and those that begin with #.
func parsePlan(text string) (steps []step, err error) {
	for i, line := range strings.Split(text, "\n") {
		fields, err := split(line)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", i+1, err)
		}
		if len(fields) == 0 || strings.HasPrefix(fields[0], "#") {
			continue
		}
		if len(fields) < 4 {
			return nil, fmt.Errorf("line %d has %d words, want a verb, a name, a limit and a command", i+1, len(fields))
		}
		s := step{name: fields[1], show: fields[0] == "show", args: fields[3:]}
		if !s.show && fields[0] != "run" {
			return nil, fmt.Errorf("line %d: the verb is %q, want run or show", i+1, fields[0])
		}
		if s.limit, err = time.ParseDuration(fields[2]); err != nil || s.limit <= 0 {
			return nil, fmt.Errorf("line %d: the limit is %q, want a time such as 20s", i+1, fields[2])
		}
		if slices.Contains(s.args, "-test.v") { // at its time-out a test prints where it hangs
			s.args = append(s.args, "-test.timeout="+(goesOn*s.limit).String())
		}
		steps = append(steps, s)
	}
	return steps, nil
}

// split returns the words of a line. Single quotes keep words together, and everything between them is literal.
func split(line string) (words []string, err error) {
	var word strings.Builder
	quoted, started := false, false
	for _, r := range line {
		switch {
		case r == '\'':
			quoted, started = !quoted, true
		case !quoted && (r == ' ' || r == '\t'):
			if started {
				words = append(words, word.String())
				word.Reset()
			}
			started = false
		default:
			word.WriteRune(r)
			started = true
		}
	}
	if quoted {
		return nil, fmt.Errorf("a quote has no end: %s", line)
	}
	if started {
		words = append(words, word.String())
	}
	return words, nil
}

func aboutDrivers(steps []step) bool {
	return slices.ContainsFunc(steps, func(s step) bool { return strings.Contains(s.name, "{") })
}

// expand repeats steps with {driver} in their names for each driver, and leaves out steps for a driver, such as
// {uring}, that is not among the drivers. Adjacent steps with {driver} are repeated as a group, so that all steps of
// one driver stand together.
func expand(steps []step, drivers []string) (all []step) {
	for len(steps) > 0 {
		n := 0
		for n < len(steps) && strings.Contains(steps[n].name, each) {
			n++
		}
		if n == 0 {
			if s, ok := steps[0].among(drivers); ok {
				all = append(all, s)
			}
			steps = steps[1:]
			continue
		}
		for _, d := range drivers {
			for _, s := range steps[:n] {
				all = append(all, s.forDriver(d))
			}
		}
		steps = steps[n:]
	}
	return all
}

// among returns the step without the braces around a driver's name, and whether that is one of the drivers.
func (s step) among(drivers []string) (_ step, ok bool) {
	before, rest, found := strings.Cut(s.name, "{")
	if !found {
		return s, true
	}
	name, after, _ := strings.Cut(rest, "}")
	s.name = before + name + after
	return s, slices.Contains(drivers, name)
}

func (s step) forDriver(name string) step {
	s.name = strings.ReplaceAll(s.name, each, name)
	args := make([]string, len(s.args))
	for i, arg := range s.args {
		args[i] = strings.ReplaceAll(arg, each, name)
	}
	s.args = args
	return s
}
