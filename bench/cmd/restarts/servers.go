//go:build linux

package main

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// A kind of server: how it is started, and told to make way for its successor. Each answers a request with the number
// of the process that does, so that one sees who serves.
type kind struct {
	name, title string
	argv        func(dir, addr string) []string
	replace     func(dir string, first *os.Process) error
}

var kinds = []kind{
	{"ringo-uring", "Ringo, io_uring", itself("ringo-uring"), byPIDFile},
	{"ringo-epoll", "Ringo, epoll", itself("ringo-epoll"), byPIDFile},
	{"tableflip", "tableflip and net/http", itself("tableflip"), byPIDFile},
	{"nginx", "nginx, HUP", nginx, func(_ string, p *os.Process) error { return p.Signal(syscall.SIGHUP) }},
	{"haproxy", "HAProxy, USR2", haproxy, func(_ string, p *os.Process) error { return p.Signal(syscall.SIGUSR2) }},
}

func names() (all []string) {
	for _, k := range kinds {
		all = append(all, k.name)
	}
	return all
}

// pidFile is where servers of this program say which process serves.
const pidFile = "pid"

func itself(name string) func(dir, addr string) []string {
	return func(_, addr string) []string { return []string{"/proc/self/exe", "-serve", name, "-listen", addr} }
}

// byPIDFile sends SIGHUP to the process that serves.
func byPIDFile(dir string, _ *os.Process) error {
	text, err := os.ReadFile(filepath.Join(dir, pidFile))
	if err != nil {
		return err
	}
	var pid int
	if _, err := fmt.Sscan(string(text), &pid); err != nil {
		return err
	}
	return syscall.Kill(pid, syscall.SIGHUP)
}

func nginx(dir, addr string) []string {
	const config = `
worker_processes 1;
pid %[1]s/nginx.pid;
events { worker_connections 4096; }
http {
	access_log off;
	keepalive_requests 1000000;
	server {
		listen %[2]s backlog=4096;
		location / { return 200 $pid; }
	}
}
`
	return configured(dir, "nginx.conf", fmt.Sprintf(config, dir, addr),
		"nginx", "-g", "daemon off;", "-e", "stderr", "-c")
}

func haproxy(dir, addr string) []string {
	const config = `
global
	maxconn 4096
defaults
	mode http
	timeout client 60s
	timeout http-keep-alive 60s
frontend f
	bind %s backlog 4096
	http-request return status 200 content-type text/plain lf-string %%pid
`
	return configured(dir, "haproxy.cfg", fmt.Sprintf(config, addr), "haproxy", "-W", "-f")
}

func configured(dir, name, text string, argv ...string) []string {
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		panic(err) // of a directory that was just made
	}
	return append(argv, path)
}

// server is one that runs.
type server struct {
	kind
	dir, addr string
	cmd       *exec.Cmd
	ended     chan error
}

// start starts a server, and waits until it answers.
func start(ctx context.Context, name string) (s *server, err error) {
	i := slices.IndexFunc(kinds, func(k kind) bool { return k.name == name })
	if i < 0 {
		return nil, fmt.Errorf("no such server: want some of %s", strings.Join(names(), ", "))
	}
	s = &server{kind: kinds[i], ended: make(chan error, 1)}
	if s.dir, err = os.MkdirTemp("", "restarts"); err != nil {
		return nil, err
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s.addr = ln.Addr().String()
	ln.Close()
	argv := s.argv(s.dir, s.addr)
	s.cmd = exec.Command(argv[0], argv[1:]...)
	s.cmd.Dir, s.cmd.Stderr = s.dir, os.Stderr
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	go func() { s.ended <- s.cmd.Wait() }() // the first process of some ends when it is replaced
	for {
		if _, err = s.generation(); err == nil {
			return s, nil
		}
		select {
		case <-ctx.Done():
			s.stop()
			return nil, ctx.Err()
		case why := <-s.ended:
			s.stop()
			return nil, fmt.Errorf("it ended before it served: %w", why)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// generation returns the number of the process that answers.
func (s *server) generation() (string, error) {
	k, err := net.Dial("tcp", s.addr)
	if err != nil {
		return "", err
	}
	defer k.Close()
	body, _, err := ask(k, bufio.NewReader(k), "Connection: close\r\n")
	return strings.TrimSpace(body), err
}

// replaced has the server replaced so often, each time after a while, and waits until the successor answers.
func (s *server) replaced(ctx context.Context, often int, every time.Duration) error {
	for range often {
		time.Sleep(every)
		before, err := s.generation()
		if err != nil {
			return err
		}
		if err := s.replace(s.dir, s.cmd.Process); err != nil {
			return err
		}
		for now := before; now == before; {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			time.Sleep(20 * time.Millisecond)
			if got, err := s.generation(); err == nil { // clients count one that is refused
				now = got
			}
		}
	}
	return nil
}

// stop kills the server with all that it has started.
func (s *server) stop() {
	syscall.Kill(-s.cmd.Process.Pid, syscall.SIGKILL)
	os.RemoveAll(s.dir)
}
