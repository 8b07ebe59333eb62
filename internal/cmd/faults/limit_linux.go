//go:build linux

package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
)

// bounded makes a shell set a limit by ulimit before it becomes the command.
func bounded(cmd *exec.Cmd, flag string, n int) {
	before(cmd, fmt.Sprintf("ulimit -%s %d", flag, n))
}

// before makes a shell run something and then become the command.
func before(cmd *exec.Cmd, what string) {
	cmd.Args = append([]string{"sh", "-c", what + ` && exec "$@"`, "sh", cmd.Path}, cmd.Args[1:]...)
	cmd.Path = "/bin/sh"
}

// The limits, in the units of ulimit.
var (
	descriptors   = []int{8, 12, 20, 40, 100}
	megabytesOfAS = []int{500, 650, 700, 800, 1000, 1500}
)

const blocksOfFile = 6000 // of 512 bytes

func limitCases(o *options, _ *regexp.Regexp) (cases []*testCase, err error) {
	add := func(name string, run func(t *trial) error) { cases = append(cases, &testCase{name, run}) }
	for _, driver := range drivers {
		for _, name := range []string{"echo", "echo-goroutine", "proxy", "serve"} {
			s := serverNamed(name)
			for _, n := range thinned(o, descriptors) {
				if name == "serve" && n == 20 { // with fewer it does not start
					cases = append(cases, skipped(fmt.Sprintf("limit/nofile/%s/%s/%d", name, driver, n),
						"ringo serve does not close kept files for want of descriptors, see docs/defects.md")...)
					continue
				}
				add(fmt.Sprintf("limit/nofile/%s/%s/%d", name, driver, n), func(t *trial) error {
					return s.pressed(t, driver, 2*n, func(cmd *exec.Cmd) { bounded(cmd, "n", n) },
						"too many open files")
				})
			}
			for _, n := range thinned(o, megabytesOfAS) {
				add(fmt.Sprintf("limit/as/%s/%s/%d", name, driver, n), func(t *trial) error {
					return s.pressed(t, driver, 64, func(cmd *exec.Cmd) { bounded(cmd, "v", n<<10) },
						"cannot allocate memory", "resource temporarily unavailable")
				})
			}
		}
		add("limit/fsize/keeper/"+driver, func(t *trial) error {
			return fillKeeper(t, driver, func(cmd *exec.Cmd) { bounded(cmd, "f", blocksOfFile) }, "file too large")
		})
		add("limit/fsize/serve/"+driver, func(t *trial) error {
			return serveWithLog(t, driver, func(cmd *exec.Cmd) { bounded(cmd, "f", 1) }, t.dir+"/log", "file too large")
		})
	}
	return cases, nil
}

// thinned returns all, or every second for -short.
func thinned[T any](o *options, all []T) (some []T) {
	for i, v := range all {
		if !o.short || i%2 == 1 {
			some = append(some, v)
		}
	}
	return some
}

// pressed runs a server under a limit, with so many peers at once. The server may fail to start, with a message, and
// may die if Go's runtime or the kernel says that there is no memory. Else each peer is served or cut, and the server
// lives on.
func (s *server) pressed(t *trial, driver string, peers int, limit func(*exec.Cmd), causes ...string) error {
	cmd, err := s.command(t, driver)
	if err != nil {
		return err
	}
	limit(cmd)
	p, err := t.start(cmd)
	if err != nil {
		return err
	}
	addr, err := p.find(s.where)
	if err != nil {
		return err
	}
	if addr == "" {
		return p.outOfMemory(causes)
	}
	c := &crowd{server: s, addr: addr}
	defer c.leave()
	if err := c.rush(peers); err != nil && !p.endsSoon() {
		return err
	}
	if !p.ended() {
		t.note("%d of %d peers were cut: %v", c.cuts, peers, c.last)
		if err := c.servesOne(p); err != nil {
			return err
		}
	}
	if p.ended() {
		return p.outOfMemory(causes)
	}
	if err := c.drain(p); err != nil {
		return err
	}
	if p.code() != 0 {
		return p.outOfMemory(causes)
	}
	return nil
}

// outOfMemory checks that a process has ended clearly: with a message about one of the causes, or by Go's runtime.
func (p *process) outOfMemory(causes []string) error {
	if p.runtimeEnd() {
		p.excused = true
		return nil
	}
	return p.clearEnd(causes...)
}

// servesOne checks that a server under a limit serves guests that come one at a time: it may have no room for more.
func (w *crowd) servesOne(p *process) error {
	const inRow, most = 3, 60
	for row, try := 0, 0; row < inRow; try++ {
		err := w.guest(w.seed)
		w.seed += asks
		switch {
		case p.endsSoonAfter(err):
			return nil // the caller judges the end
		case err == nil:
			row++
		case !isCut(err):
			return err
		case try == most:
			return fmt.Errorf("the server does not recover: a peer alone is still cut: %w", err)
		default:
			row = 0
		}
	}
	return nil
}

// rush plays many guests at once.
func (w *crowd) rush(peers int) error {
	var all sync.WaitGroup
	errs := make([]error, peers)
	for i := range errs {
		seed := w.seed
		w.seed += asks
		all.Go(func() { errs[i] = w.guest(seed) })
	}
	all.Wait()
	var bad error
	for _, err := range errs {
		if isCut(err) {
			w.last = err
			w.cuts++
		} else {
			bad = errors.Join(bad, err)
		}
	}
	return bad
}

// fillKeeper feeds a keeper more than there is room for. The keeper has to end with a message, and to have what it said
// it has kept.
func fillKeeper(t *trial, driver string, limit func(*exec.Cmd), causes ...string) error {
	k := newKept(t.dir + "/store")
	if err := os.Mkdir(k.dir, 0o755); err != nil {
		return err
	}
	return k.fill(t, driver, limit, causes...)
}

func (k *kept) fill(t *trial, driver string, limit func(*exec.Cmd), causes ...string) error {
	cmd := t.command(driver, "keeper", k.dir)
	limit(cmd)
	g, _, err := k.feed(t, cmd, wrapper{}, 0, 3000)
	if err != nil {
		return err
	}
	if err := g.wait("the last record"); err != nil {
		return err
	}
	t.note("exit code %d, %d records kept", g.code(), len(k.said))
	return errors.Join(g.clearEnd(causes...), k.verify(t, driver))
}

// serveWithLog runs a server of files whose log can't be written after a while. The server has to say so, and to serve
// on.
func serveWithLog(t *trial, driver string, limit func(*exec.Cmd), log, cause string) error {
	if err := makeSite(t.dir); err != nil {
		return err
	}
	s := serverNamed("serve")
	cmd := t.command(driver, s.program, "serve", "-listen", anyPort, "-log", log, t.dir)
	limit(cmd)
	p, err := t.start(cmd)
	if err != nil {
		return err
	}
	addr, err := p.find(s.where)
	if err != nil || addr == "" {
		return errors.Join(err, errors.New("the server did not begin"))
	}
	c := &crowd{server: s, addr: addr}
	defer c.leave()
	for range 3 {
		if err := c.lives(p); err != nil {
			return err
		}
	}
	if p.ended() {
		return fmt.Errorf("the server died, exit code %d", p.code())
	}
	if err := c.drain(p); err != nil {
		return err
	}
	said := p.said.String()
	if p.code() != 0 || !strings.Contains(said, "access log: ") || !strings.Contains(said, cause) {
		return fmt.Errorf("exit code %d, want 0 and a line on the log and %q", p.code(), cause)
	}
	return nil
}
