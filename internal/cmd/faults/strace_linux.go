//go:build linux

package main

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
)

// traced is what strace reports about a program. Strace wraps the command, but the program stays this process's child,
// so that signals reach it and its exit status is its own.
type traced struct {
	mu       sync.Mutex
	calls    map[string]map[string]int // number of calls by name and thread
	injected []string                  // calls that strace made fail
	over     chan struct{}             // closed when strace has ended
}

// trace wraps a command. args say what strace traces; none: all calls. The caller calls begin once the command has
// started.
func trace(cmd *exec.Cmd, args ...string) (begin func() *traced, err error) {
	strace, err := exec.LookPath("strace")
	if err != nil {
		return nil, err
	}
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	full := append([]string{"strace", "-D", "-f", "-qq", "-e", "signal=none", "-o", "/dev/fd/3"}, args...)
	cmd.Args = append(append(full, cmd.Path), cmd.Args[1:]...)
	cmd.Path = strace
	cmd.ExtraFiles = []*os.File{w}
	return func() *traced {
		w.Close()
		t := &traced{calls: map[string]map[string]int{}, over: make(chan struct{})}
		go t.read(r)
		return t
	}, nil
}

var call = regexp.MustCompile(`^(\d+) +(\w+)\(`)

func (t *traced) read(r *os.File) {
	defer close(t.over)
	defer r.Close()
	for lines := bufio.NewScanner(r); lines.Scan(); {
		line := lines.Text()
		t.mu.Lock()
		if m := call.FindStringSubmatch(line); m != nil {
			if t.calls[m[2]] == nil {
				t.calls[m[2]] = map[string]int{}
			}
			t.calls[m[2]][m[1]]++
		}
		if strings.HasSuffix(line, "(INJECTED)") {
			t.injected = append(t.injected, line)
		}
		t.mu.Unlock()
	}
}

// failed returns the calls that were made to fail so far.
func (t *traced) failed() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return append([]string(nil), t.injected...)
}

// most waits for strace to end and returns, for each call, the largest number of times that a single thread made it.
func (t *traced) most() map[string]int {
	<-t.over
	most := map[string]int{}
	for name, threads := range t.calls {
		for _, n := range threads {
			most[name] = max(most[name], n)
		}
	}
	return most
}

// inject returns the arguments of strace that make a thread's nth call fail.
func inject(call, errno string, nth int) []string {
	return []string{"--seccomp-bpf", "-e", "trace=" + call, "-e",
		fmt.Sprintf("inject=%s:error=%s:when=%d", call, errno, nth)}
}
