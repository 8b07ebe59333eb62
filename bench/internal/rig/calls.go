//go:build linux

package rig

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"ringo/bench/internal/contest"
	"ringo/bench/internal/sample"
)

// Calls counts the server's system calls by name, by strace, while the load generator runs. strace makes the server
// several times slower, so that more requests gather between its turns than usual.
func (s *Server) Calls(ctx context.Context, cell *contest.Cell) (map[string]int, *sample.Sample, error) {
	table := filepath.Join(s.rig.work, "calls")
	strace, err := s.rig.start(nil, &command{dir: s.rig.work,
		argv: []string{"strace", "-c", "-f", "-p", strconv.Itoa(s.pid()), "-o", table}})
	if err != nil {
		return nil, nil, err
	}
	var got *sample.Sample
	if err = strace.untilReady(ctx, "attached", ""); err == nil {
		got, err = s.Load(ctx, cell, 0)
	}
	strace.cmd.Process.Signal(os.Interrupt)
	<-strace.end
	if err != nil {
		return nil, nil, err
	}
	text, err := os.ReadFile(table)
	if err != nil {
		return nil, nil, err
	}
	counts, err := parseCalls(string(text))
	return counts, got, err
}

// AllCalls counts the server's system calls, without their names, by perf, while the load generator runs as a command
// of perf. That hardly affects the server.
func (s *Server) AllCalls(ctx context.Context, cell *contest.Cell) (int, *sample.Sample, error) {
	table := filepath.Join(s.rig.work, "perf")
	got, err := s.load(ctx, cell, 0, "perf", "stat", "-x,", "-e", "raw_syscalls:sys_enter", "-p", strconv.Itoa(s.pid()),
		"-o", table)
	if err != nil {
		return 0, nil, err
	}
	text, err := os.ReadFile(table)
	if err != nil {
		return 0, nil, err
	}
	n, err := parsePerf(string(text))
	return n, got, err
}

// callsLine is "% time, seconds, usecs/call, calls, errors or nothing, name".
var callsLine = regexp.MustCompile(`^ *[0-9.]+ +[0-9.]+ +[0-9]+ +([0-9]+) +(?:[0-9]+ +)?([a-z_0-9]+)$`)

// parseCalls parses the table of strace -c.
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

// parsePerf parses the line of perf stat -x, that has the event.
func parsePerf(text string) (int, error) {
	for line := range strings.Lines(text) {
		if count, _, _ := strings.Cut(line, ","); strings.Contains(line, "raw_syscalls") {
			return strconv.Atoi(count)
		}
	}
	return 0, fmt.Errorf("perf counted nothing: %q", text)
}
