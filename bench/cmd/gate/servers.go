//go:build linux

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"ringo/bench/internal/sample"
)

// bed is where servers and load run.
type bed struct {
	bin                string // has ringo, gonet-echo, uring_echo, epoll_echo and load
	serverCPU, loadCPU int
}

const cpusMax = 1024 // that a CPUSet has a bit for

// newBed takes the first two CPUs that the process may use, or the only one for both.
func newBed(bin string) (*bed, error) {
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil {
		return nil, os.NewSyscallError("sched_getaffinity", err)
	}
	var cpus []int
	for i := 0; len(cpus) < 2 && i < cpusMax; i++ {
		if set.IsSet(i) {
			cpus = append(cpus, i)
		}
	}
	if len(cpus) == 0 {
		return nil, errors.New("no CPU may be used")
	}
	return &bed{bin, cpus[0], cpus[len(cpus)-1]}, nil
}

// server is a running echo server.
type server struct {
	name, addr string
	pid        int
	cmd        *exec.Cmd
}

const netName = "net"

// command gives a server's words, and the driver that it is to name.
func (b *bed) command(name string) (words []string, driver string, err error) {
	if name == netName {
		return []string{filepath.Join(b.bin, "gonet-echo"), "-listen", "127.0.0.1:0"}, "gonet", nil
	}
	if kind, found := strings.CutPrefix(name, "c-"); found {
		port, err := freePort()
		return []string{filepath.Join(b.bin, kind+"_echo"), port}, name, err
	}
	part := strings.SplitN(name, "-", 3)
	return []string{filepath.Join(b.bin, "ringo"), "echo", "-listen", "tcp://127.0.0.1:0", "-loops", "1", "-driver",
		part[1], "-handler", part[2]}, part[1], nil
}

// freePort is one that nobody listens on at the moment: the servers in C don't choose one themselves.
func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return strconv.Itoa(l.Addr().(*net.TCPAddr).Port), nil
}

// pinned is a command on one CPU.
func pinned(ctx context.Context, cpu int, words ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "taskset", append([]string{"-c", strconv.Itoa(cpu)}, words...)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return cmd
}

// start starts a server and waits until it listens.
func (b *bed) start(ctx context.Context, name string) (*server, error) {
	words, driver, err := b.command(name)
	if err != nil {
		return nil, err
	}
	s := &server{name: name, cmd: pinned(ctx, b.serverCPU, words...)}
	stderr, err := s.cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	s.pid = s.cmd.Process.Pid // taskset becomes the server
	lines := bufio.NewScanner(stderr)
	var said []string
	for s.addr == "" && lines.Scan() {
		said = append(said, lines.Text())
		if word, rest, _ := strings.Cut(lines.Text(), " tcp://"); word == "listening" {
			s.addr, rest, _ = strings.Cut(rest, " ")
			if !strings.HasPrefix(rest+" ", "driver="+driver+" ") {
				s.stop()
				return nil, fmt.Errorf("%s runs on another driver: %s", name, lines.Text())
			}
		}
	}
	if s.addr == "" {
		s.stop()
		return nil, fmt.Errorf("%s did not start: %s", name, strings.Join(said, "; "))
	}
	go func() { // what else it has to say, so that it need not wait for a reader
		for lines.Scan() {
			if !strings.HasPrefix(lines.Text(), "driver "+driver+": ") { // why it is not uring
				fmt.Fprintf(os.Stderr, "%s: %s\n", name, lines.Text())
			}
		}
	}()
	return s, nil
}

func (s *server) stop() {
	s.cmd.Process.Kill()
	s.cmd.Wait()
}

// load runs the load generator on a server, which has every byte verified.
func (b *bed) load(ctx context.Context, s *server, c cell, warmup, window time.Duration) (sample.Sample, error) {
	cmd := pinned(ctx, b.loadCPU, filepath.Join(b.bin, "load"), "-addr", s.addr, "-pid", strconv.Itoa(s.pid),
		"-conns", strconv.Itoa(c.conns), "-size", strconv.Itoa(c.size), "-depth", strconv.Itoa(c.depth), "-json",
		"-warmup", fmt.Sprint(warmup.Seconds()), "-seconds", fmt.Sprint(window.Seconds()))
	var words strings.Builder
	cmd.Stderr = &words
	out, err := cmd.Output()
	if err != nil {
		return sample.Sample{}, fmt.Errorf("load of %s: %w: %s", s.name, err, strings.TrimSpace(words.String()))
	}
	var m sample.Sample
	if err := json.Unmarshal(out, &m); err != nil {
		return m, fmt.Errorf("load of %s: %w", s.name, err)
	}
	return m, nil
}
