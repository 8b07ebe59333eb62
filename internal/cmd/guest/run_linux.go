//go:build linux

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// runPlan runs all steps, also after one has failed, and prints the counts.
func runPlan(args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("usage: guest run FILE")
	}
	text, err := os.ReadFile(args[0])
	if err != nil {
		return err
	}
	steps, err := parsePlan(string(text))
	if err != nil {
		return fmt.Errorf("%s: %w", args[0], err)
	}
	if aboutDrivers(steps) {
		steps = expand(steps, drivers())
	}
	var done, tests tally
	for _, s := range steps {
		r, ok := s.run()
		tests.add(r.tally)
		if ok {
			done.passed++
		} else {
			done.failed++
		}
	}
	fmt.Printf("tests: %d passed, %d failed, %d skipped\n", tests.passed, tests.failed, tests.skipped)
	fmt.Printf("guest: %d passed, %d failed\n", done.passed, done.failed)
	if done.failed > 0 {
		return fmt.Errorf("%d of %d steps failed", done.failed, len(steps))
	}
	return nil
}

// run runs one step and prints how it went.
func (s *step) run() (r *report, ok bool) {
	begin := time.Now()
	output, err := s.output()
	seconds := time.Since(begin).Seconds()
	r = parse(output)
	if err == nil {
		fmt.Printf("PASS %s %.1f s%s\n", s.name, seconds, r)
	} else {
		fmt.Printf("FAIL %s %.1f s%s: %v: %s\n", s.name, seconds, r, err, strings.Join(s.args, " "))
	}
	if err != nil || s.show {
		r.writeFailures(os.Stdout)
	}
	r.writeSkips(os.Stdout, s.name)
	for _, test := range r.slow {
		fmt.Printf("SLOW %s: %s\n", s.name, test)
	}
	return r, err == nil
}

// dumpGrace is how long a program that took too long gets to print its goroutines.
const dumpGrace = 5 * time.Second

// printed is what a command has printed. more gets a value when there is more. It has no other method than Write: with
// the ReadFrom of an embedded buffer, io.Copy would not call that.
type printed struct {
	text bytes.Buffer
	more chan bool
}

func (p *printed) Write(b []byte) (int, error) {
	select {
	case p.more <- true:
	default: // more is full already
	}
	return p.text.Write(b)
}

// output runs the command in a process group of its own. It ends the group once it has printed nothing for the limit,
// or has run for goesOn times the limit: on a busy machine a step is slow, but keeps printing.
func (s *step) output() ([]byte, error) {
	cmd := command(s.args)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	output := &printed{more: make(chan bool, 1)}
	cmd.Stdout, cmd.Stderr = output, output
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	var why error
	for silence, end := time.After(s.limit), time.After(goesOn*s.limit); why == nil; {
		select {
		case err := <-ended:
			return output.text.Bytes(), err
		case <-output.more:
			silence = time.After(s.limit)
		case <-silence:
			why = fmt.Errorf("printed nothing for %v", s.limit)
		case <-end:
			why = fmt.Errorf("took longer than %v", goesOn*s.limit)
		}
	}
	syscall.Kill(-cmd.Process.Pid, syscall.SIGQUIT) // makes Go programs print their goroutines
	select {
	case <-ended:
	case <-time.After(dumpGrace):
		syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		<-ended
	}
	return output.text.Bytes(), why
}

// command is exec.Command, in which the verbs of this program are commands, too.
func command(args []string) *exec.Cmd {
	args = resolve(args)
	return exec.Command(args[0], args[1:]...)
}

func resolve(args []string) []string {
	switch args[0] {
	case "with", "expect", "echo":
		return append([]string{self}, args...)
	}
	return args
}

// asked are the names of all drivers.
var asked = []string{"uring", "uring-poll", "epoll", "poll", "select"}

// drivers returns the drivers that run here, and prints why the others don't.
func drivers() (names []string) {
	for _, name := range asked {
		cmd := exec.Command("ringo", "probe", "-json")
		cmd.Env = append(os.Environ(), "RINGO_DRIVER="+name)
		output, err := cmd.Output() // the exit code adds nothing to the output
		var probed struct {
			Override struct{ Driver, Error string }
		}
		if jsonErr := json.Unmarshal(output, &probed); jsonErr != nil {
			fmt.Printf("driver %s: ringo probe: %v, %v: %s\n", name, err, jsonErr, output)
			continue
		}
		if probed.Override.Driver != name {
			fmt.Printf("driver %s is not to be had: %s\n", name, probed.Override.Error)
			continue
		}
		names = append(names, name)
	}
	fmt.Println("drivers to be had:", strings.Join(names, " "))
	return names
}
