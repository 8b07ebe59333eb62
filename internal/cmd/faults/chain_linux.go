//go:build linux

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// chain is a server with -config that is restarted again and again by SIGHUP: its processes, one after the other.
type chain struct {
	name   string
	stays  bool // it is never restarted
	secure bool // clients speak TLS
	manner *manner

	file, site string
	first      *process      // its output has that of all processes
	r          *os.File      // the pipe with their stderr
	all        []incarnation // the last one serves
	addr       string
	console    string
	start      gauges   // at rest, before the first client
	holds      []string // files behind its descriptors at the last look
	memory     []int    // KiB, at rest after each round
}

// newChains returns all servers: for each manner one on uring, one on epoll, and one that is not restarted.
func newChains(t *trial, of []*manner) (chains []*chain, err error) {
	site := filepath.Join(t.dir, "site")
	if err := errors.Join(os.Mkdir(site, 0o755), makeSite(site), makeCertificate(t.dir)); err != nil {
		return nil, err
	}
	for _, m := range of {
		text, err := m.config(t, site)
		if err != nil {
			return nil, err
		}
		for _, as := range []string{"uring", "epoll", "stays"} {
			c := &chain{name: m.name + "/" + as, stays: as == "stays", secure: as == "epoll", manner: m,
				site: site}
			c.file = filepath.Join(t.dir, m.name+"-"+as+".toml")
			text := fmt.Sprintf("listen = %q\ndebug = '0'\nlog = %q\n", anyPort, c.file+".log") + text
			if !c.stays {
				text += fmt.Sprintf("driver = %q\n", as)
			}
			if c.secure {
				text += fmt.Sprintf("cert = %q\nkey = %q\n", t.dir+"/cert", t.dir+"/key")
			}
			if err := os.WriteFile(c.file, []byte(text), 0o600); err != nil {
				return nil, err
			}
			chains = append(chains, c)
		}
	}
	return chains, nil
}

var consoleAt = regexp.MustCompile(`(?m)^console (http://\S+/)\n`)

// begin starts the server and notes what it has at rest. A server that will be restarted is so once before that, since
// a successor has other descriptors and goroutines than the first process.
func (c *chain) begin(t *trial, w *churn) (err error) {
	cmd := t.command("", "ringo", c.manner.command, "-config", c.file)
	r, said, err := os.Pipe() // not the process's own pipe: successors write to it, too
	if err != nil {
		return err
	}
	defer said.Close()
	c.r, cmd.Stderr = r, said
	if c.first, err = t.start(cmd); err != nil {
		return err
	}
	go io.Copy(&c.first.said, r)
	c.all = []incarnation{incarnationOf(cmd.Process.Pid)}
	if c.console, err = c.first.find(consoleAt); err == nil {
		c.addr, err = c.first.find(listening)
	}
	if err == nil && c.addr == "" {
		err = errors.New("it does not start")
	}
	if err != nil || c.stays {
		return errors.Join(err, c.learn())
	}
	if err := c.restart(w); err != nil {
		return err
	}
	return errors.Join(c.waitForOld(w), c.learn())
}

// learn notes what the server has at rest.
func (c *chain) learn() (err error) {
	c.start, err = c.look()
	return err
}

// restart sends SIGHUP and waits until a successor has taken over.
func (c *chain) restart(w *churn) error {
	if err := syscall.Kill(c.pid(), syscall.SIGHUP); err != nil {
		return err
	}
	said := regexp.MustCompile(fmt.Sprintf(`(?:(?s:.*?)replaced, and drains" by=(\d+)\n){%d}`, len(c.all)))
	by, err := c.first.find(said)
	if err != nil {
		return err
	}
	pid, err := strconv.Atoi(by)
	if err != nil {
		return fmt.Errorf("there is no successor: %w", err)
	}
	c.all = append(c.all, incarnationOf(pid))
	w.restarts.Add(1)
	return nil
}

// pid returns the process that serves now.
func (c *chain) pid() int { return c.all[len(c.all)-1].pid }

// waitForOld waits for the processes that were replaced to end.
func (c *chain) waitForOld(w *churn) error {
	return w.settles(func() error { return ended(c.all[:len(c.all)-1]) })
}

// ended returns an error that names a process that still lives; nil if there is none.
func ended(all []incarnation) error {
	for _, i := range all {
		if i.lives() {
			return fmt.Errorf("process %d still lives, which was to end", i.pid)
		}
	}
	return nil
}

// lookAtRest checks, after the clients have gone, that the server has no more than at the start.
func (c *chain) lookAtRest(w *churn) {
	if err := c.waitForOld(w); err != nil {
		w.leaks(c.name, err)
	}
	if err := w.settles(c.more); err != nil {
		w.leaks(c.name, fmt.Errorf("%w; its descriptors: %q", err, c.holds))
	}
	size, err := memoryOf(c.pid())
	if err != nil {
		w.fails(c.name, err)
		return
	}
	c.memory = append(c.memory, size)
	if err := grown(c.memory); err != nil {
		w.leaks(c.name, err)
	}
}

// more returns an error that says what the server has more than at the start.
func (c *chain) more() error {
	now, err := c.look()
	if err != nil {
		return err
	}
	return now.more(c.start)
}

// settles calls said until it returns nil, for w.rest at most; then it returns the last error.
func (w *churn) settles(said func() error) (err error) {
	for until := time.Now().Add(w.rest); ; time.Sleep(20 * time.Millisecond) {
		if err = said(); err == nil || time.Now().After(until) {
			return err
		}
	}
}

// end ends the server by SIGTERM, and checks that its processes ended in order.
func (c *chain) end(w *churn) error {
	if err := syscall.Kill(c.pid(), syscall.SIGTERM); err != nil {
		return err
	}
	if err := w.settles(func() error { return ended(c.all) }); err != nil {
		return err
	}
	if err := c.first.wait("SIGTERM"); err != nil {
		return err
	}
	if code := c.first.code(); code != 0 {
		return fmt.Errorf("the first process has ended with code %d", code)
	}
	return c.first.sound()
}

// kill kills the processes that are left.
func (c *chain) kill() {
	for _, i := range c.all {
		if i.lives() {
			syscall.Kill(i.pid, syscall.SIGKILL)
		}
	}
	if c.r != nil {
		c.r.Close()
	}
}

// An incarnation identifies a process by number and start: in an hour another process may get the same number.
type incarnation struct {
	pid   int
	began string // in clock ticks since boot; "": it is gone already
}

func incarnationOf(pid int) incarnation {
	_, began := statOf(pid)
	return incarnation{pid, began}
}

// lives reports whether the process runs. A zombie does not.
func (i incarnation) lives() bool {
	state, began := statOf(i.pid)
	return began != "" && began == i.began && state != "Z" && state != "X"
}

// statOf returns a process's state and when it began, as /proc has them. See proc_pid_stat(5).
func statOf(pid int) (state, began string) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return "", ""
	}
	const behindName, ofBegin = 3, 22 // numbers of fields, which begin with 1
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	return fields[0], fields[ofBegin-behindName]
}

// gauges are the values of gaugeNames for a server.
type gauges [6]int

var gaugeNames = [len(gauges{})]string{"descriptors", "tasks", "goroutines", "coroutines", "connections", "operations"}

// more returns an error that says which gauges are larger than in than.
func (g gauges) more(than gauges) error {
	var all []string
	for i, n := range g {
		if n > than[i] {
			all = append(all, fmt.Sprintf("%d %s, and had %d", n, gaugeNames[i], than[i]))
		}
	}
	if len(all) == 0 {
		return nil
	}
	return errors.New("it has " + strings.Join(all, "; "))
}

// coroutinesKept is how many coroutines without a task a loop may have: 16 that no trim frees, and those that the
// checks have used just before.
const coroutinesKept = 16 + 4

// look asks the console of the serving process, and /proc. It does not count coroutines that the loops keep on purpose.
func (c *chain) look() (g gauges, err error) {
	client := &http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true}}
	a, err := client.Get(c.console + "api/loops")
	if err != nil {
		return g, err
	}
	defer a.Body.Close()
	var said struct {
		Process struct{ PID, Goroutines int }
		Loops   []struct {
			Stats struct {
				Tasks, Workers, Slots int
				Handles               []struct{ Open int }
			}
		}
	}
	if err := json.NewDecoder(a.Body).Decode(&said); err != nil {
		return g, fmt.Errorf("the console's answer: %w", err)
	}
	if said.Process.PID != c.pid() {
		return g, fmt.Errorf("the console is process %d's, want %d", said.Process.PID, c.pid())
	}
	tasks, coroutines, conns, ops := 0, 0, 0, 0
	for _, l := range said.Loops {
		tasks, coroutines, ops = tasks+l.Stats.Tasks, coroutines+l.Stats.Workers, ops+l.Stats.Slots
		for _, h := range l.Stats.Handles {
			conns += h.Open
		}
	}
	c.holds, err = leadTo(c.pid(), c.site, siteKept*len(said.Loops))
	return gauges{len(c.holds), tasks, said.Process.Goroutines - coroutines,
		max(0, coroutines-tasks-coroutinesKept*len(said.Loops)), conns, ops}, err
}

// leadTo returns the files behind a process's descriptors, but for up to kept files of the site, which the server keeps
// open on purpose.
func leadTo(pid int, site string, kept int) (all []string, err error) {
	dir := fmt.Sprintf("/proc/%d/fd", pid)
	names, err := os.ReadDir(dir)
	for _, name := range names {
		to, err := os.Readlink(filepath.Join(dir, name.Name()))
		switch {
		case err != nil: // closed meanwhile
		case strings.HasPrefix(to, site+"/") && kept > 0:
			kept--
		default:
			all = append(all, name.Name()+" "+to)
		}
	}
	return all, err
}

var resident = regexp.MustCompile(`(?m)^VmRSS:\s+(\d+) kB$`)

// memoryOf returns the resident memory of a process, in KiB.
func memoryOf(pid int) (int, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	m := resident.FindSubmatch(text)
	if m == nil {
		return 0, fmt.Errorf("/proc/%d/status has no VmRSS", pid)
	}
	return strconv.Atoi(string(m[1]))
}

// memories returns the last size of each chain, in MiB.
func memories(chains []*chain) string {
	var all []string
	for _, c := range chains {
		if n := len(c.memory); n > 0 {
			all = append(all, fmt.Sprintf("%s %.1f", c.name, float64(c.memory[n-1])/1024))
		}
	}
	return strings.Join(slices.Clip(all), ", ")
}
