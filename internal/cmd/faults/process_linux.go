//go:build linux

package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"time"
)

// process is a running program.
type process struct {
	name    string
	cmd     *exec.Cmd
	said    output // its stdout and stderr
	done    chan struct{}
	excused bool // its end was judged already, or the trial killed it
}

// command returns the command for a program of the folder, on a driver; "": the program chooses.
func (t *trial) command(driver, program string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(t.options.dir, program), args...)
	cmd.Env = os.Environ()
	if driver != "" {
		cmd.Env = append(cmd.Env, "RINGO_DRIVER="+driver)
	}
	cmd.Dir = t.dir
	return cmd
}

// start starts a command, which is killed when the trial is over. Its output is kept, unless the command has a stdout
// or a stderr of its own.
func (t *trial) start(cmd *exec.Cmd) (*process, error) {
	p := &process{name: filepath.Base(cmd.Path), cmd: cmd, said: output{more: make(chan struct{})},
		done: make(chan struct{})}
	if cmd.Stdout == nil {
		cmd.Stdout = &p.said
	}
	if cmd.Stderr == nil {
		cmd.Stderr = &p.said
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	t.processes = append(t.processes, p)
	go func() { defer close(p.done); cmd.Wait() }()
	return p, nil
}

func (p *process) kill() {
	p.cmd.Process.Kill()
	<-p.done
}

func (p *process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// endsSoon is ended for callers that have seen a sign of the end: it waits a second.
func (p *process) endsSoon() bool {
	select {
	case <-p.done:
		return true
	case <-time.After(time.Second):
		return false
	}
}

// endsSoonAfter is ended, or endsSoon if err may be a sign of the end.
func (p *process) endsSoonAfter(err error) bool { return p.ended() || err != nil && p.endsSoon() }

// find waits until the output matches the pattern, and returns the last group; "" if the process ended without that.
func (p *process) find(pattern *regexp.Regexp) (string, error) {
	limit := time.After(patience)
	for ended := false; ; {
		text, more := p.said.text()
		if m := pattern.FindStringSubmatch(text); m != nil {
			return m[len(m)-1], nil
		}
		if ended {
			return "", nil
		}
		select {
		case <-more:
		case <-p.done:
			ended = true
		case <-limit:
			return "", fmt.Errorf("hangs: in %v it neither ended nor said %v", patience, pattern)
		}
	}
}

// wait waits for the end. after says, for the error, what was done to cause it.
func (p *process) wait(after string) error {
	select {
	case <-p.done:
		return nil
	case <-time.After(patience):
		p.cmd.Process.Signal(syscall.SIGQUIT) // prints where it hangs
		select {
		case <-p.done:
		case <-time.After(patience):
		}
		return fmt.Errorf("hangs: no end in %v after %s", patience, after)
	}
}

// unsound matches the output of a program that died of a bug.
var unsound = regexp.MustCompile(`(?m)^(panic: |fatal error: |unexpected fault|WARNING: DATA RACE|\[signal SIG)`)

// sound returns an error if the output shows a bug.
func (p *process) sound() error {
	if m := unsound.FindString(p.said.String()); m != "" {
		return fmt.Errorf("%s died of a mistake: %q", p.name, m)
	}
	return nil
}

// code returns the exit code, or 128 plus the signal's number.
func (p *process) code() int {
	status := p.cmd.ProcessState.Sys().(syscall.WaitStatus)
	if status.Signaled() {
		return 128 + int(status.Signal())
	}
	return status.ExitStatus()
}

// clearEnd checks that the process ended with exit code 1 and a message: the program, the step, and one of the causes,
// in the words of an errno.
func (p *process) clearEnd(causes ...string) error {
	p.excused = true
	if err := p.sound(); err != nil {
		return err
	}
	if code := p.code(); code != 1 {
		return fmt.Errorf("exit code %d, want 1 and a message, or 0", code)
	}
	for line := range strings.Lines(p.said.String()) {
		for _, cause := range causes {
			if at := strings.Index(line, cause); at > 0 && strings.Count(line[:at], ": ") >= 2 ||
				at > 0 && stamped.MatchString(line) {
				return nil
			}
		}
	}
	return fmt.Errorf("exit code 1 without a line that has a step and then %q", causes)
}

// stamped matches a line of package log that has a step before the cause.
var stamped = regexp.MustCompile(`^\d{4}/\d\d/\d\d \d\d:\d\d:\d\d .*: `)

// runtimeEnd reports whether Go's runtime ended the process and said why: no program can prevent that.
func (p *process) runtimeEnd() bool {
	text := p.said.String()
	return p.code() == 2 && runtimeSays.MatchString(text) && !strings.Contains(text, "panic:")
}

var runtimeSays = regexp.MustCompile(`(?m)^(fatal error: |runtime: |runtime/cgo: |failed to )`)

// output collects what a process prints. more is closed when there is more.
type output struct {
	mu   sync.Mutex
	buf  bytes.Buffer
	more chan struct{}
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	close(o.more)
	o.more = make(chan struct{})
	return o.buf.Write(b)
}

func (o *output) text() (string, <-chan struct{}) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String(), o.more
}

func (o *output) String() string {
	text, _ := o.text()
	return text
}
