//go:build linux

package main

import (
	"bufio"
	"context"
	"errors"
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
	signal      syscall.Signal
	master      bool // the process that was started gets it, which stays, and not the one that answers
}

var kinds = []kind{
	{"ringo-uring", "Ringo, io_uring", itself("ringo-uring"), syscall.SIGHUP, false},
	{"ringo-epoll", "Ringo, epoll", itself("ringo-epoll"), syscall.SIGHUP, false},
	{"tableflip", "tableflip and net/http", itself("tableflip"), syscall.SIGHUP, false},
	{"nginx", "nginx, HUP", nginx, syscall.SIGHUP, true},
	{"haproxy", "HAProxy, USR2", haproxy, syscall.SIGUSR2, true},
}

func names() (all []string) {
	for _, k := range kinds {
		all = append(all, k.name)
	}
	return all
}

func itself(name string) func(dir, addr string) []string {
	return func(_, addr string) []string { return []string{"/proc/self/exe", "-serve", name, "-listen", addr} }
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
	if err := s.start(ctx); err != nil {
		s.stop()
		return nil, err
	}
	return s, nil
}

func (s *server) start(ctx context.Context) (err error) {
	if s.dir, err = os.MkdirTemp("", "restarts"); err != nil {
		return err
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	s.addr = ln.Addr().String()
	ln.Close()
	argv := s.argv(s.dir, s.addr)
	s.cmd = exec.Command(argv[0], argv[1:]...)
	s.cmd.Dir, s.cmd.Stderr = s.dir, os.Stderr
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := s.cmd.Start(); err != nil {
		return err
	}
	go func() { s.ended <- s.cmd.Wait() }()
	return s.until(ctx, func(int) bool { return true })
}

// generation returns the number of the process that answers.
func (s *server) generation() (pid int, err error) {
	k, err := net.DialTimeout("tcp", s.addr, answerMax)
	if err != nil {
		return 0, err
	}
	defer k.Close()
	body, _, err := ask(k, bufio.NewReader(k), "Connection: close\r\n")
	if err == nil {
		_, err = fmt.Sscan(body, &pid)
	}
	return pid, err
}

// replaced has the server replaced so often, each time after a while, and waits until the successor answers.
func (s *server) replaced(ctx context.Context, often int, every time.Duration) error {
	for range often {
		if err := wait(ctx, every); err != nil {
			return err
		}
		before, err := s.generation()
		if err != nil {
			return err
		}
		to := before
		if s.master {
			to = s.cmd.Process.Pid
		}
		if err := syscall.Kill(to, s.signal); err != nil {
			return err
		}
		if err := s.until(ctx, func(pid int) bool { return pid != before }); err != nil {
			return err
		}
	}
	return nil
}

// until waits until a process answers that is right. An error in between is no matter: clients count it.
func (s *server) until(ctx context.Context, right func(pid int) bool) error {
	ctx, stop := context.WithTimeoutCause(ctx, answerMax, errors.New("no new process answers"))
	defer stop()
	for {
		if pid, err := s.generation(); err == nil && right(pid) {
			return nil
		}
		select {
		case why := <-s.ended:
			if s.ended <- why; s.master || why != nil { // else it was replaced
				return fmt.Errorf("it has ended: %w", why)
			}
		default:
		}
		if err := wait(ctx, 20*time.Millisecond); err != nil {
			return err
		}
	}
}

func wait(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(d):
		return nil
	}
}

// stop kills the server with all that it has started.
func (s *server) stop() {
	if s.cmd != nil && s.cmd.Process != nil {
		syscall.Kill(-s.cmd.Process.Pid, syscall.SIGKILL)
	}
	os.RemoveAll(s.dir)
}
