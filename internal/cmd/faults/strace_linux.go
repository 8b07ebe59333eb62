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

// traced is what strace says of a program, for which it wraps the command. The program is this one's child, and not
// strace's, so that signals and its end are its own.
type traced struct {
	mu       sync.Mutex
	calls    map[string]map[string]int // by name and thread
	injected []string                  // calls that failed by it
	over     chan struct{}             // strace has ended
}

// trace wraps a command. args say what is traced; none: all calls.
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

// failed gives the calls that were made to fail so far.
func (t *traced) failed() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return append([]string(nil), t.injected...)
}

// most is the number of calls by the thread that made most of them, of each name.
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

// inject are the arguments with which strace has a thread's nth call fail.
func inject(call, errno string, nth int) []string {
	return []string{"--seccomp-bpf", "-e", "trace=" + call, "-e",
		fmt.Sprintf("inject=%s:error=%s:when=%d", call, errno, nth)}
}
