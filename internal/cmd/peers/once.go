package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

const pass = "pass"

// limit bounds a run of a binary. If it is over, package testing ends the run and names the test that hangs.
const limit = 10 * time.Minute

// slower bounds a run with Ringo, as a multiple of the control's time, least as a time that each run may take.
const slower, least = 4, 90 * time.Second

// aloneLimit bounds a run of one test.
const aloneLimit = time.Minute

// results are the results of tests: pass, fail or skip, as in test2json.
type results map[string]string

// once is the result of one run of a binary.
type once struct {
	results results
	started map[string]bool
	said    map[string]string
	tail    string // the last lines of the output
}

// differ returns the tests that passed here and not there.
func (o *once) differ(there *once) (names []string) {
	for name, s := range o.results {
		if s == pass && there.results[name] != pass {
			names = append(names, name)
		}
	}
	return names
}

// whole runs all tests of the package. If one ends the process, it runs those that had not started yet, until all have.
func (p *pkg) whole(driver string) (results, int, error) {
	all, handles := results{}, 0
	left := p.tests
	for len(left) > 0 {
		var names []string
		if len(left) < len(p.tests) {
			names = left
		}
		o, n, err := p.runs(driver, names)
		if err != nil {
			return nil, 0, err
		}
		handles += n
		for name, s := range o.results {
			all[name] = s
		}
		var rest []string
		for _, name := range left {
			if !o.started[name] && o.results[name] == "" {
				rest = append(rest, name)
			}
		}
		if len(rest) == len(left) {
			break // nothing ran: -skip leaves them out, or the process can't start
		}
		left = rest
	}
	return all, handles, nil
}

// run runs the named tests, or all if names is nil.
func (p *pkg) run(driver string, names []string) (*once, int, error) {
	most := limit
	if len(names) == 1 {
		most = aloneLimit
	} else if driver != "" {
		most = max(slower*p.took, least)
	}
	args := []string{"tool", "test2json", "-p", p.path, p.binary, "-test.v=test2json", "-test.paniconexit0",
		"-test.timeout=" + most.String()}
	if p.short {
		args = append(args, "-test.short")
	}
	if p.skip != "" {
		args = append(args, "-test.skip="+p.skip)
	}
	if names != nil {
		args = append(args, "-test.run="+pattern(names))
	}
	cmd := exec.Command("go", args...)
	cmd.Dir = p.dir
	cmd.Env = append(os.Environ(), "PWD="+p.dir)
	made := filepath.Join(filepath.Dir(p.binary), "made")
	if driver != "" {
		name, _, _ := strings.Cut(driver, "/")
		cmd.Env = append(cmd.Env, "RINGO_PEERS="+callersOf(driver), "RINGO_DRIVER="+name, "RINGO_PEERS_MADE="+made)
	}
	cmd.WaitDelay = time.Minute // a test may leave children that hold the pipe
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, 0, err
	}
	if err := cmd.Start(); err != nil {
		return nil, 0, err
	}
	o, err := read(out)
	if err != nil {
		return nil, 0, err
	}
	var exit *exec.ExitError
	if err := cmd.Wait(); err != nil && !errors.As(err, &exit) {
		return nil, 0, err
	}
	count, err := os.ReadFile(made)
	if err != nil && !os.IsNotExist(err) {
		return nil, 0, err
	}
	os.Remove(made)
	return o, len(count), nil
}

// pattern returns the pattern for -test.run that matches these tests, with their subtests.
func pattern(names []string) string {
	var b strings.Builder
	for i, name := range names {
		if i > 0 {
			b.WriteByte('|')
		}
		for j, part := range strings.Split(name, "/") {
			if j > 0 {
				b.WriteByte('/')
			}
			b.WriteString("^" + regexp.QuoteMeta(part) + "$")
		}
	}
	return b.String()
}

// event is one line of test2json.
type event struct{ Action, Test, Output string }

// keep is how many of the last lines are kept.
const keep = 60

// read parses the output of test2json.
func read(r io.Reader) (*once, error) {
	o := &once{results: results{}, started: map[string]bool{}, said: map[string]string{}}
	var last []string
	lines := bufio.NewReader(r)
	for {
		text, err := lines.ReadBytes('\n')
		if err == io.EOF {
			o.tail = strings.Join(last, "")
			return o, nil
		}
		if err != nil {
			return nil, err
		}
		var e event
		if err := json.Unmarshal(bytes.TrimSpace(text), &e); err != nil {
			return nil, fmt.Errorf("test2json says %q: %w", text, err)
		}
		switch e.Action {
		case "run":
			o.started[e.Test] = true
		case pass, "fail", "skip":
			if e.Test != "" {
				o.results[e.Test] = e.Action
			}
		case "output":
			if e.Test != "" && !strings.HasPrefix(e.Output, "=== ") && len(o.said[e.Test]) < 4000 {
				o.said[e.Test] += e.Output
			}
			if last = append(last, e.Output); len(last) > keep {
				last = last[1:]
			}
		}
	}
}
