//go:build linux

package main

import (
	"bytes"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"ringo/cmd/ringo/internal/tooltest"
	"ringo/internal/test/patience"
	"ringo/internal/test/seccomptest"
	"ringo/internal/test/testmain"
)

// What the tests of single commands use, too.
var (
	needUring  = tooltest.NeedUring
	dial       = tooltest.Dial
	dialInTime = tooltest.DialInTime
	site       = tooltest.Site
	put        = tooltest.Put
	numbered   = tooltest.Numbered
	ask        = tooltest.Ask
	askAt      = tooltest.AskAt
	get        = tooltest.Get
	wantFile   = tooltest.WantFile
	readAnswer = tooltest.ReadAnswer
)

// anyPort is the address of most servers here.
const anyPort = "tcp://127.0.0.1:0"

// tool gives the built program with arguments, in an environment that chooses no driver.
func tool(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	return inNeutral(exec.CommandContext(t.Context(), toolPath, args...))
}

// words are the arguments of a command line; DIR in them is a folder, whose name may have blanks.
func words(line, dir string) []string {
	words := strings.Fields(line)
	for i, word := range words {
		words[i] = strings.ReplaceAll(word, "DIR", dir)
	}
	return words
}

// denied is tool under a seccomp policy.
func denied(t *testing.T, p seccomptest.Policy, args ...string) *exec.Cmd {
	t.Helper()
	return inNeutral(seccomptest.Command(t, p, append([]string{toolPath}, args...)...))
}

func inNeutral(cmd *exec.Cmd) *exec.Cmd {
	cmd.Env = slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "RINGO_") })
	return cmd
}

// A process is a running command.
type process struct {
	t    *testing.T
	cmd  *exec.Cmd
	log  output // its stderr
	done chan struct{}
}

// start starts a command, whose stderr it keeps unless that is said; it is killed when the test ends.
func start(t *testing.T, cmd *exec.Cmd) *process {
	t.Helper()
	p := &process{t: t, cmd: cmd, done: make(chan struct{})}
	if cmd.Stderr == nil {
		cmd.Stderr = &p.log
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { defer close(p.done); cmd.Wait() }()
	t.Cleanup(func() { cmd.Process.Kill(); <-p.done })
	return p
}

// line waits for a line on stderr that begins with prefix.
func (p *process) line(prefix string) string {
	p.t.Helper()
	line, ok := p.find(func(line string) bool { return strings.HasPrefix(line, prefix) })
	if !ok {
		_, stderr := p.wait()
		p.t.Fatalf("the process has ended, exit code %d, without a line %s..., stderr:\n%s",
			p.cmd.ProcessState.ExitCode(), prefix, stderr)
	}
	return line
}

// find waits for a line on stderr, or for the process's end without such a line.
func (p *process) find(want func(line string) bool) (line string, ok bool) {
	p.t.Helper()
	look := func() bool {
		ended := p.hasEnded()
		for line = range strings.Lines(p.log.text()) {
			var whole bool
			if line, whole = strings.CutSuffix(line, "\n"); whole && want(line) {
				ok = true
				return true
			}
		}
		line = ""
		return ended
	}
	if err := patience.Poll(nil, look); err != nil {
		p.t.Fatalf("no line of the wanted kind: %v, stderr:\n%s", err, p.log.text())
	}
	return line, ok
}

func (p *process) hasEnded() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

func (p *process) signal(s syscall.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatal(err)
	}
}

// wait waits for the end and returns exit code and stderr.
func (p *process) wait() (code int, stderr string) {
	p.t.Helper()
	if _, err := patience.Receive(p.done); err != nil {
		p.t.Fatalf("the process does not end: %v, stderr:\n%s", err, p.log.text())
	}
	return p.cmd.ProcessState.ExitCode(), p.log.text()
}

// finish ends a server by SIGTERM, which must be a success, and returns its stderr.
func (p *process) finish() string {
	p.t.Helper()
	p.signal(syscall.SIGTERM)
	code, stderr := p.wait()
	if code != 0 {
		p.t.Errorf("exit code %d after SIGTERM, want 0; stderr:\n%s", code, stderr)
	}
	if strings.Contains(stderr, "panic") { // of a handler, which a server survives
		p.t.Errorf("stderr:\n%s", stderr)
	}
	return stderr
}

// runTool runs a command to its end.
func runTool(t *testing.T, cmd *exec.Cmd) (stdout, stderr string, code int) {
	t.Helper()
	var out bytes.Buffer
	cmd.Stdout = &out
	p := start(t, cmd)
	code, stderr = p.wait()
	return out.String(), stderr, code
}

// output collects what a process writes.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(b)
}

// text is what there is that is about the program.
func (o *output) text() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return testmain.Uncrowded(o.buf.String())
}

// eachDriver runs a test on the drivers that testmain.EachDriver plays.
func eachDriver(t *testing.T, test func(t *testing.T, driver string)) {
	t.Parallel()
	testmain.EachDriver(t, tooltest.Available, func(t *testing.T, driver string) {
		t.Parallel()
		test(t, driver)
	})
}
