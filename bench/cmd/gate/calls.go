//go:build linux

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// longestCount is how many times longer a count may become on a machine that is busy with other things.
const longestCount = 8

// countCalls counts a server's system calls while it serves a load, and says for how long.
func (b *bed) countCalls(ctx context.Context, driver string, c cell, window time.Duration) (counts map[string]int,
	requests int, took time.Duration, err error) {
	s, err := b.start(ctx, "ringo-"+driver+"-request")
	if err != nil {
		return nil, 0, 0, err
	}
	defer s.stop()
	dir, err := os.MkdirTemp("", "gate-")
	if err != nil {
		return nil, 0, 0, err
	}
	defer os.RemoveAll(dir)
	table := filepath.Join(dir, "calls")
	tracer := exec.CommandContext(ctx, "strace", "-c", "-f", "-p", strconv.Itoa(s.pid), "-o", table)
	tracer.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	stderr, err := tracer.StderrPipe()
	if err != nil {
		return nil, 0, 0, err
	}
	if err := tracer.Start(); err != nil {
		return nil, 0, 0, err
	}
	if err := untilAttached(stderr); err != nil {
		return nil, 0, 0, errors.Join(err, tracer.Wait())
	}
	begin := time.Now()
	m, err := b.load(ctx, s, c, 0, window)
	tracer.Process.Signal(os.Interrupt)
	tracer.Wait() // which ends by that signal
	took = time.Since(begin)
	if err != nil {
		return nil, 0, 0, err
	}
	text, err := os.ReadFile(table)
	if err != nil {
		return nil, 0, 0, err
	}
	counts, err = parseCalls(string(text))
	return counts, int(m.AllTime), took, err
}

// untilAttached waits for strace to say that it is there.
func untilAttached(stderr io.Reader) error {
	lines := bufio.NewScanner(stderr)
	for lines.Scan() {
		if strings.Contains(lines.Text(), "attached") {
			go io.Copy(io.Discard, stderr)
			return nil
		}
		if strings.Contains(lines.Text(), "Operation not permitted") {
			return fmt.Errorf("strace may not look: %s", lines.Text())
		}
	}
	return errors.New("strace ended before it was there")
}

// callsLine is "% time, seconds, usecs/call, calls, errors or nothing, name".
var callsLine = regexp.MustCompile(`^ *[0-9.]+ +[0-9.]+ +[0-9]+ +([0-9]+) +(?:[0-9]+ +)?([a-z_0-9]+)$`)

// parseCalls reads the table of strace -c.
func parseCalls(text string) (map[string]int, error) {
	counts := map[string]int{}
	for line := range strings.Lines(text) {
		m := callsLine.FindStringSubmatch(strings.TrimRight(line, "\n"))
		if m == nil || m[2] == "total" {
			continue
		}
		n, err := strconv.Atoi(m[1])
		if err != nil {
			return nil, err
		}
		counts[m[2]] += n
	}
	if len(counts) == 0 {
		return nil, fmt.Errorf("strace counted nothing: %q", text)
	}
	return counts, nil
}
