//go:build linux

package main

import (
	"fmt"
	"maps"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// subject is a program in which calls are made to fail, on one driver.
type subject struct {
	name, driver string
	run          func(t *trial, driver string, wrap wrapper) error
	writes       string // a file in the trial's folder that it writes to; "": none
}

// fault is a thread's nth call, which fails with errno.
type fault struct {
	call, errno string
	nth         int
	file        string // count only calls on this file of the trial; "": all
}

// wrapper says how a program is traced.
type wrapper struct {
	fault *fault
	saw   func(*traced)
}

var (
	drivers = []string{"uring", "epoll"}
	nths    = []int{1, 2, 3, 10}
)

func subjects(o *options) (all []*subject) {
	for _, driver := range drivers {
		for _, s := range servers {
			if o.short && strings.Contains(s.name, "-") {
				continue
			}
			all = append(all, &subject{s.name, driver, s.withFault, s.writes})
		}
		all = append(all, &subject{"keeper", driver, keepWithFault, keeperSays})
	}
	return all
}

// injectCases runs each program once to find the calls that it makes, and returns the cases for those.
func injectCases(o *options, want *regexp.Regexp) ([]*testCase, error) {
	if err := probeStrace(); err != nil {
		return skipped("inject", "strace can't be used here: %v", err), nil
	}
	all := subjects(o)
	all = slices.DeleteFunc(all, func(s *subject) bool { // the pattern can match none of its cases
		return !strings.HasPrefix("inject/"+s.name+"/"+s.driver, literal(want)) &&
			!strings.HasPrefix(literal(want), "inject/"+s.name+"/"+s.driver)
	})
	found := make([]map[string]int, len(all))
	errs := make([]error, len(all))
	var wait sync.WaitGroup
	for i, s := range all {
		wait.Go(func() {
			var saw *traced
			c := &testCase{run: func(t *trial) error {
				return s.run(t, s.driver, wrapper{saw: func(t *traced) { saw = t }})
			}}
			t, err := c.try(o)
			if err != nil {
				errs[i] = fmt.Errorf("%s on %s, of which nothing fails: %w\n%s", s.name, s.driver, err,
					strings.Join(t.notes, "\n"))
				return
			}
			found[i] = saw.most()
		})
	}
	wait.Wait()
	var cases []*testCase
	for i, s := range all {
		if errs[i] != nil {
			return nil, errs[i]
		}
		more, err := s.cases(o, found[i])
		if err != nil {
			return nil, err
		}
		cases = append(cases, more...)
	}
	return cases, nil
}

// literal returns the text that a pattern begins with, without its anchor.
func literal(p *regexp.Regexp) string {
	text := strings.TrimPrefix(p.String(), "^")
	if at := strings.IndexAny(text, `\.+*?()|[]{}^$`); at >= 0 {
		text = text[:at]
		if strings.Contains(p.String(), "|") {
			return ""
		}
	}
	return text
}

// cases returns the cases of a program. calls says how often a thread makes each call, at most.
func (s *subject) cases(o *options, calls map[string]int) (cases []*testCase, err error) {
	for _, name := range slices.Sorted(maps.Keys(calls)) {
		r, ok := table[name]
		if !ok {
			return nil, fmt.Errorf("%s on %s makes a call %s that is not in the table: add it", s.name, s.driver, name)
		}
		if r.left != "" && r.left != nothing {
			cases = append(cases, skipped(fmt.Sprintf("inject/%s/%s/%s", s.name, s.driver, name), "%s: %s", name,
				r.left)...)
		}
		for _, errno := range r.all() {
			file := ""
			if name == "write" && errno != "EINTR" { // a write to an eventfd does not fail so, and a wake would be lost
				if file = s.writes; file == "" {
					continue
				}
			}
			for _, nth := range nths {
				if nth > calls[name] || o.short && (nth == 2 || nth > 3) {
					continue
				}
				f := &fault{name, errno, nth, file}
				cases = append(cases, &testCase{
					name: fmt.Sprintf("inject/%s/%s/%s/%s/%d", s.name, s.driver, name, errno, nth),
					run:  func(t *trial) error { return s.run(t, s.driver, wrapper{fault: f}) },
				})
			}
		}
	}
	return cases, nil
}

// withFault runs a server in which calls may fail.
func (s *server) withFault(t *trial, driver string, w wrapper) error {
	cmd, err := s.command(t, driver)
	if err != nil {
		return err
	}
	p, saw, err := t.startTraced(cmd, w)
	if err != nil {
		return err
	}
	addr, err := p.find(s.where)
	if err != nil {
		return err
	}
	if addr == "" {
		return w.judgeEnd(t, p, saw)
	}
	c := &crowd{server: s, addr: addr}
	defer c.leave()
	if err := c.talk(p, w, saw); err != nil {
		return err
	}
	if p.ended() {
		return c.judgeDeath(t, p, w, saw)
	}
	if err := c.drain(p); err != nil {
		return err
	}
	if p.code() != 0 {
		return w.judgeEnd(t, p, saw)
	}
	failed, err := w.reached(t, saw)
	if err == nil && c.cuts > failed {
		err = fmt.Errorf("%d calls failed, and %d peers were cut: %w", failed, c.cuts, c.last)
	}
	return err
}

// judgeDeath judges a server that has ended unasked. It may, in order, as long as it has served no client: some print
// their address before they have all that they need to serve.
func (c *crowd) judgeDeath(t *trial, p *process, w wrapper, saw *traced) error {
	err := w.judgeEnd(t, p, saw)
	if err == nil && c.served && !w.runtimeEnd(p) {
		err = fmt.Errorf("the server died, exit code %d", p.code())
	}
	return err
}

// talk plays rounds until the fault has happened, or most of them, then checks that the server lives.
func (c *crowd) talk(p *process, w wrapper, saw *traced) error {
	const least, most = 3, 12
	for i := range most {
		if _, err := c.round(); err != nil && !p.ended() {
			return err
		}
		if p.ended() || i+1 >= least && (w.fault == nil || len(saw.failed()) > 0) {
			break
		}
	}
	return c.lives(p)
}

// startTraced starts a command under strace.
func (t *trial) startTraced(cmd *exec.Cmd, w wrapper) (*process, *traced, error) {
	var args []string
	if f := w.fault; f != nil {
		args = inject(f.call, f.errno, f.nth)
		if f.file != "" {
			args = append(args, "-P", t.dir+"/"+f.file)
		}
	}
	name := cmd.Args[0]
	begin, err := trace(cmd, args...)
	if err != nil {
		return nil, nil, err
	}
	p, err := t.start(cmd)
	saw := begin()
	if err != nil {
		return nil, nil, err
	}
	p.name = name
	if w.saw != nil {
		w.saw(saw)
	}
	return p, saw, nil
}

// reached returns how many calls were made to fail; it skips the case if there were none this time.
func (w *wrapper) reached(t *trial, saw *traced) (failed int, err error) {
	if w.fault == nil {
		return 0, nil
	}
	lines := saw.failed()
	for _, line := range lines[:min(len(lines), 8)] {
		t.note("%s", line)
	}
	if len(lines) == 0 {
		return 0, skip("no thread made the call so often this time")
	}
	return len(lines), nil
}

// runtimeEnd reports whether Go's runtime ended the process because of the fault, as it may for calls that it needs
// itself.
func (w *wrapper) runtimeEnd(p *process) bool {
	p.excused = w.fault != nil && table[w.fault.call].runtime && p.runtimeEnd()
	return p.excused
}

// judgeEnd judges a process that has ended with an error.
func (w *wrapper) judgeEnd(t *trial, p *process, saw *traced) error {
	if w.fault == nil {
		return fmt.Errorf("exit code %d", p.code())
	}
	<-saw.over
	w.reached(t, saw)
	if w.runtimeEnd(p) {
		return nil
	}
	return p.clearEnd(words(w.fault.errno))
}

// probeStrace checks that strace can do here what the cases need.
func probeStrace() error {
	c := &testCase{run: func(t *trial) error {
		p, _, err := t.startTraced(exec.Command("true"), wrapper{fault: &fault{call: "exit", errno: "ENOMEM", nth: 10}})
		if err == nil {
			err = p.wait("its start")
		}
		if err == nil && p.code() != 0 {
			err = fmt.Errorf("exit code %d: %s", p.code(), p.said.String())
		}
		return err
	}}
	_, err := c.try(&options{})
	return err
}
