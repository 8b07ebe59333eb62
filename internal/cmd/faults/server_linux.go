//go:build linux

package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"sync"
	"syscall"
)

// server is a program that serves, and how to talk to it.
type server struct {
	name, program string
	args          func(t *trial) ([]string, error)
	where         *regexp.Regexp // matches its line with the address
	protocol      protocol
	end           syscall.Signal // signal that drains it
	early         bool           // it prints its address before it has all that it needs
	writes        string         // a file in the trial's folder that it writes to
}

var (
	listening = regexp.MustCompile(`(?m)^listening \w+://(\S+) driver=.*\n`)
	anyPort   = "127.0.0.1:0"
)

func fixed(args ...string) func(*trial) ([]string, error) {
	return func(*trial) ([]string, error) { return args, nil }
}

// servers are the servers of the tool and of the examples.
var servers = []*server{
	{name: "echo", program: "ringo", args: fixed("echo", "-listen", anyPort, "-loops", "2"), where: listening,
		protocol: echoes{}, end: syscall.SIGTERM},
	{name: "echo-conn", program: "ringo", args: fixed("echo", "-listen", anyPort, "-loops", "2", "-handler", "conn"),
		where: listening, protocol: echoes{}, end: syscall.SIGTERM},
	{name: "echo-goroutine", program: "ringo",
		args:  fixed("echo", "-listen", anyPort, "-loops", "2", "-handler", "goroutine"),
		where: listening, protocol: echoes{}, end: syscall.SIGTERM},
	{name: "proxy", program: "ringo", args: passOn("-to", "proxy", "-listen", anyPort, "-loops", "2"), where: listening,
		protocol: echoes{}, end: syscall.SIGTERM},
	{name: "serve", program: "ringo", args: serveSite, where: listening, protocol: pages{}, end: syscall.SIGTERM,
		writes: "log"},
	{name: "frames", program: "frames", args: fixed("-listen", anyPort),
		where: regexp.MustCompile(`(?m)^frames on (\S+)\n`), protocol: framed{}, end: syscall.SIGINT, early: true},
	{name: "example-proxy", program: "proxy", args: passOn("-backend", "-listen", anyPort),
		where: regexp.MustCompile(`(?m)^proxy from (\S+) to .*\n`), protocol: echoes{}, end: syscall.SIGINT,
		early: true},
}

func serverNamed(name string) *server {
	for _, s := range servers {
		if s.name == name {
			return s
		}
	}
	panic("faults: no server " + name)
}

func passOn(flag string, args ...string) func(*trial) ([]string, error) {
	return func(t *trial) ([]string, error) {
		addr, err := t.backend()
		return append(args[:len(args):len(args)], flag, addr), err
	}
}

// serveSite keeps few files open, and none for long, so that the server looks names up and opens files all the time.
func serveSite(t *trial) ([]string, error) {
	site := t.dir + "/site"
	if err := os.MkdirAll(site, 0o755); err != nil {
		return nil, err
	}
	return []string{"serve", "-listen", anyPort, "-loops", "2", "-files", "3", "-fresh", "1ms", "-log", t.dir + "/log",
		site}, makeSite(site)
}

// command returns the server's command, on a driver.
func (s *server) command(t *trial, driver string) (*exec.Cmd, error) {
	args, err := s.args(t)
	if err != nil {
		return nil, err
	}
	cmd := t.command(driver, s.program, args...)
	if s.early { // one loop: it serves nobody before it has all
		cmd.Env = append(cmd.Env, "GOMAXPROCS=1")
	}
	return cmd, nil
}

// crowd is the clients of a server.
type crowd struct {
	*server
	addr      string
	residents [2]*peer // clients that keep their connections
	seed      uint64
	cuts      int  // peers that were cut
	served    bool // at least one peer was served
	last      error
}

const (
	guests = 4 // clients of a round, each with a connection of its own
	asks   = 3 // questions of each
)

// round has the residents and the guests ask. clean reports whether all were served. An error is a wrong byte, or a
// hang.
func (w *crowd) round() (clean bool, err error) {
	var all sync.WaitGroup
	errs := make([]error, len(w.residents)+guests)
	for i := range errs {
		seed := w.seed
		w.seed += asks
		all.Go(func() {
			if i < len(w.residents) {
				errs[i] = w.resident(i, seed)
			} else {
				errs[i] = w.guest(seed)
			}
		})
	}
	all.Wait()
	clean = true
	var bad error
	for _, err := range errs {
		switch {
		case isCut(err):
			clean, w.last = false, err
			w.cuts++
		case err != nil:
			bad = errors.Join(bad, err)
		default:
			w.served = true
		}
	}
	return clean, bad
}

func (w *crowd) resident(i int, seed uint64) (err error) {
	if w.residents[i] == nil {
		if w.residents[i], err = dialPeer(w.addr); err != nil {
			w.residents[i] = nil
			return err
		}
	}
	if err = w.protocol.ask(w.residents[i], seed); err != nil {
		w.residents[i].Close()
		w.residents[i] = nil
	}
	return err
}

func (w *crowd) guest(seed uint64) error {
	c, err := dialPeer(w.addr)
	if err != nil {
		return err
	}
	defer c.Close()
	for i := range uint64(asks) {
		if err := w.protocol.ask(c, seed+i); err != nil {
			return err
		}
	}
	return w.protocol.end(c)
}

// leave closes the residents' connections.
func (w *crowd) leave() {
	for _, c := range w.residents {
		if c != nil {
			c.Close()
		}
	}
}

// lives checks that the server serves all in some rounds in a row, within a number of rounds.
func (w *crowd) lives(p *process) error {
	const inRow, most = 3, 60
	row := 0
	for range most {
		clean, err := w.round()
		if p.ended() {
			return nil // the caller judges the end
		}
		if err != nil {
			return err
		}
		if row++; !clean {
			row = 0
		}
		if row == inRow {
			return nil
		}
	}
	if p.endsSoon() {
		return nil
	}
	return fmt.Errorf("the server does not recover: peers are still cut after %d rounds: %w", most, w.last)
}

// drain ends a server by its signal and waits for the end. The residents leave, since not every server closes idle
// connections in a drain.
func (w *crowd) drain(p *process) error {
	if err := p.cmd.Process.Signal(w.end); err != nil && !p.ended() {
		return err
	}
	w.leave()
	return p.wait(w.end.String())
}
