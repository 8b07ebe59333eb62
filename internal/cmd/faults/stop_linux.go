//go:build linux

package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"time"
)

func stopCases(o *options, _ *regexp.Regexp) (cases []*testCase, err error) {
	for _, driver := range drivers {
		for _, s := range servers {
			cases = append(cases, &testCase{"stop/" + s.name + "/" + driver, func(t *trial) error {
				return s.stopped(t, driver)
			}})
		}
		cases = append(cases, &testCase{"stop/keeper/" + driver, func(t *trial) error {
			return keepStopped(t, driver)
		}})
	}
	return cases, nil
}

// pauses stops and continues a process until over is closed, once for long.
func (p *process) pauses(over <-chan struct{}, short bool) {
	long := 3 * time.Second
	if short {
		long = time.Second
	}
	for i := 0; ; i++ {
		p.cmd.Process.Signal(syscall.SIGSTOP)
		wait := rand.N(50 * time.Millisecond)
		if i == 2 {
			wait = long
		}
		time.Sleep(wait)
		p.cmd.Process.Signal(syscall.SIGCONT)
		select {
		case <-over:
			return
		case <-time.After(rand.N(50 * time.Millisecond)):
		}
	}
}

// stopped runs a server that is stopped again and again: no peer may be cut, and no byte be wrong.
func (s *server) stopped(t *trial, driver string) error {
	cmd, err := s.command(t, driver)
	if err != nil {
		return err
	}
	p, err := t.start(cmd)
	if err != nil {
		return err
	}
	addr, err := p.find(s.where)
	if err != nil || addr == "" {
		return fmt.Errorf("the server did not begin: %w", err)
	}
	c := &crowd{server: s, addr: addr}
	defer c.leave()
	if err := c.lives(p); err != nil {
		return err
	}
	rounds, over, paused := 25, make(chan struct{}), make(chan struct{})
	if t.short {
		rounds = 8
	}
	go func() { defer close(paused); p.pauses(over, t.short) }()
	for range rounds {
		if _, err = c.round(); err != nil {
			break
		}
	}
	close(over)
	<-paused
	if err != nil {
		return err
	}
	if c.cuts > 0 {
		return fmt.Errorf("%d peers were cut: %w", c.cuts, c.last)
	}
	if err := c.drain(p); err != nil {
		return err
	}
	if p.code() != 0 {
		return fmt.Errorf("exit code %d", p.code())
	}
	return nil
}

func keepStopped(t *trial, driver string) error {
	k := newKept(t.dir + "/store")
	if err := os.Mkdir(k.dir, 0o755); err != nil {
		return err
	}
	const records = 400
	g, _, err := k.feed(t, t.command(driver, "keeper", k.dir), wrapper{}, 0, records)
	if err != nil {
		return err
	}
	over, paused := make(chan struct{}), make(chan struct{})
	go func() { defer close(paused); g.pauses(over, t.short) }()
	err = g.wait("the last record")
	close(over)
	<-paused
	if err != nil {
		return err
	}
	if g.code() != 0 || len(k.said) != records {
		return fmt.Errorf("exit code %d, %d of %d records kept", g.code(), len(k.said), records)
	}
	return k.verify(t, driver)
}

// uptime is 95 years, in seconds.
const uptime = "3000000000"

func clockCases(*options, *regexp.Regexp) (cases []*testCase, err error) {
	elsewhere := []string{"--time", "--monotonic", uptime, "--boottime", uptime}
	out, err := exec.Command("unshare", append(elsewhere, "cat", "/proc/uptime")...).CombinedOutput()
	if err != nil || !strings.HasPrefix(string(out), uptime[:5]) {
		cases = skipped("clock/uptime", "no time namespace can be made here: %v: %s", err,
			strings.TrimSpace(string(out)))
	} else {
		for _, driver := range drivers {
			for _, s := range servers {
				cases = append(cases, &testCase{"clock/uptime/" + s.name + "/" + driver, func(t *trial) error {
					return s.pressed(t, driver, 8, func(cmd *exec.Cmd) {
						cmd.Args = append(append(append([]string{"unshare"}, elsewhere...), cmd.Path), cmd.Args[1:]...)
						cmd.Path, _ = exec.LookPath("unshare")
					})
				}})
			}
		}
	}
	return append(cases, skipped("clock/jump",
		"the real clock is the machine's, which has other users, and no namespace has one of its own")...), nil
}

func killCases(o *options, _ *regexp.Regexp) (cases []*testCase, err error) {
	for _, driver := range append([]string{"both in turn"}, drivers...) {
		cases = append(cases, &testCase{"kill/keeper/" + driver, func(t *trial) error {
			return killKeepers(t, driver)
		}})
	}
	return cases, nil
}

// killKeepers kills keepers of one store at random moments, also while they start, and checks each time that the store
// has all that was said to be kept.
func killKeepers(t *trial, driver string) error {
	k := newKept(t.dir + "/store")
	if err := os.Mkdir(k.dir, 0o755); err != nil {
		return err
	}
	end := 60 * time.Second
	if t.short {
		end = 5 * time.Second
	}
	begin, kills, next := time.Now(), 0, 0
	for ; time.Since(begin) < end; kills++ {
		by := driver
		if by != drivers[0] && by != drivers[1] {
			by = drivers[kills%2]
		}
		const some = 2000
		g, _, err := k.feed(t, t.command(by, "keeper", k.dir), wrapper{}, next, some)
		if err != nil {
			return err
		}
		next += some
		time.Sleep(rand.N(80 * time.Millisecond)) // any moment will do
		g.excused = true
		g.kill()
		if err := g.wait("SIGKILL"); err != nil {
			return err
		}
		if err := g.sound(); err != nil || g.said.String() != "" {
			return fmt.Errorf("kill %d: the keeper said %q: %w", kills, g.said.String(), err)
		}
		if err := k.verify(t, by); err != nil {
			return fmt.Errorf("after kill %d: %w", kills, err)
		}
		t.processes = t.processes[:0] // all have ended
		if len(k.said) > 20_000 {     // verifying more would take all the time
			k = newKept(fmt.Sprintf("%s/store%d", t.dir, kills))
			if err := os.Mkdir(k.dir, 0o755); err != nil {
				return err
			}
		}
	}
	t.note("%d kills, %d records kept in the last store", kills, len(k.said))
	if len(k.said) == 0 {
		return fmt.Errorf("in %d runs nothing was kept: the case shows nothing", kills)
	}
	return nil
}
