//go:build linux

package rig

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Calls counts the server's system calls by strace, by name, while it is loaded. That slows the server several times
// over, so that more requests gather between its turns than in real life.
func (s *Server) Calls(ctx context.Context, load func() error) (map[string]int, error) {
	table := filepath.Join(s.rig.work, "calls")
	err := s.traced(ctx, []string{"strace", "-c", "-f", "-p", strconv.Itoa(s.pid()), "-o", table},
		func(strace *process) error { return strace.untilReady(ctx, "attached", "") }, load)
	if err != nil {
		return nil, err
	}
	text, err := os.ReadFile(table)
	if err != nil {
		return nil, err
	}
	return parseCalls(string(text))
}

// AllCalls counts the server's system calls by perf, all together, while it is loaded. That leaves it as it is.
func (s *Server) AllCalls(ctx context.Context, load func() error) (int, error) {
	table := filepath.Join(s.rig.work, "perf")
	control, ack := table+".control", table+".ack"
	var pipes [2]*os.File
	for i, name := range []string{control, ack} {
		os.Remove(name) // of an earlier count
		if err := unix.Mkfifo(name, 0o600); err != nil {
			return 0, &os.PathError{Op: "mkfifo", Path: name, Err: err}
		}
		var err error
		if pipes[i], err = os.OpenFile(name, os.O_RDWR|unix.O_NONBLOCK, 0); err != nil {
			return 0, err
		}
		defer pipes[i].Close()
	}
	begins := func(*process) error { // perf counts when it has been told to, and says so
		pipes[1].SetReadDeadline(time.Now().Add(startMax))
		_, err := pipes[0].WriteString("enable\n")
		if err == nil {
			_, err = pipes[1].Read(make([]byte, 16))
		}
		return err
	}
	err := s.traced(ctx, []string{"perf", "stat", "-x,", "-D", "-1", "--control", "fifo:" + control + "," + ack, "-e",
		"raw_syscalls:sys_enter", "-p", strconv.Itoa(s.pid()), "-o", table}, begins, load)
	if err != nil {
		return 0, err
	}
	text, err := os.ReadFile(table)
	if err != nil {
		return 0, err
	}
	return parsePerf(string(text))
}

// traced loads the server while a tracer looks that has begun.
func (s *Server) traced(ctx context.Context, argv []string, begins func(*process) error, load func() error) error {
	tracer, err := s.rig.start(nil, &command{argv: argv, dir: s.rig.work})
	if err != nil {
		return err
	}
	if err = begins(tracer); err == nil {
		err = load()
	}
	tracer.cmd.Process.Signal(os.Interrupt)
	return errors.Join(err, tracer.interrupted(ctx))
}

// interrupted waits for a process that ends by the signal that it has got.
func (p *process) interrupted(ctx context.Context) error {
	p.wait(ctx)
	return ctx.Err()
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

// parsePerf reads the line of perf stat -x, that has the event.
func parsePerf(text string) (int, error) {
	for line := range strings.Lines(text) {
		if count, _, _ := strings.Cut(line, ","); strings.Contains(line, "raw_syscalls") {
			return strconv.Atoi(count)
		}
	}
	return 0, fmt.Errorf("perf counted nothing: %q", text)
}
