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

// chain is a server that is started anew again and again, by its file of -config: its processes, one after the other.
type chain struct {
	name   string
	stays  bool // it is one process all the time
	secure bool // clients speak TLS
	manner *manner

	file, site string
	first      *process      // says what all say
	r          *os.File      // by which they do
	all        []incarnation // the last one serves
	addr       string
	console    string
	start      gauges   // at rest, before anybody came
	holds      []string // what descriptors led to when they were looked at
	memory     []int    // KiB, at rest after each round
}

// newChains are all servers: of each manner one on uring and one on epoll, and one that stays.
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

// begin starts the server, and looks at what it has at rest. One that is to be started anew is so once before, since
// what successors have is not all that the first has.
func (c *chain) begin(t *trial, w *churn) (err error) {
	cmd := t.command("", "ringo", c.manner.command, "-config", c.file)
	r, said, err := os.Pipe() // or what successors say would be lost with the first
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

// learn learns what a server has at rest.
func (c *chain) learn() (err error) {
	c.start, err = c.look()
	return err
}

// restart has a successor take over.
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

// pid is that of the process that serves.
func (c *chain) pid() int { return c.all[len(c.all)-1].pid }

// waitForOld waits for the ends of processes that were replaced.
func (c *chain) waitForOld(w *churn) error {
	return w.settles(func() error { return ended(c.all[:len(c.all)-1]) })
}

// ended says which of some processes still lives.
func ended(all []incarnation) error {
	for _, i := range all {
		if i.lives() {
			return fmt.Errorf("process %d still lives, which was to end", i.pid)
		}
	}
	return nil
}

// lookAtRest wants the server to have no more than it began with, soon after its clients have gone.
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

// more says what there is more than at the start.
func (c *chain) more() error {
	now, err := c.look()
	if err != nil {
		return err
	}
	return now.more(c.start)
}

// settles waits until there is nothing to say, and gives what there is when its time is over.
func (w *churn) settles(said func() error) (err error) {
	for until := time.Now().Add(w.rest); ; time.Sleep(20 * time.Millisecond) {
		if err = said(); err == nil || time.Now().After(until) {
			return err
		}
	}
}

// end has the server end, and wants its processes to have died of no mistake.
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

// kill ends what is left.
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

// An incarnation is a process: in an hour its number may be another's, who has begun at another time.
type incarnation struct {
	pid   int
	began string // in ticks since the machine has; "": it is gone already
}

func incarnationOf(pid int) incarnation {
	_, began := statOf(pid)
	return incarnation{pid, began}
}

// lives reports whether it runs: one that is only not yet waited for does not.
func (i incarnation) lives() bool {
	state, began := statOf(i.pid)
	return began != "" && began == i.began && state != "Z" && state != "X"
}

// statOf is what /proc has of a process: its state, and when it began. See proc_pid_stat(5).
func statOf(pid int) (state, began string) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return "", ""
	}
	const behindName, ofBegin = 3, 22 // of the fields, which count from 1
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	return fields[0], fields[ofBegin-behindName]
}

// gauges are what a server has of each of gaugeNames.
type gauges [6]int

var gaugeNames = [len(gauges{})]string{"descriptors", "tasks", "goroutines", "coroutines", "connections", "operations"}

// more says what it is more of.
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

// coroutinesKept is how many a loop may have that have no task: 16 that outlast every trim, and those that checks have
// used lately.
const coroutinesKept = 16 + 4

// look asks the console of the one that serves, and the kernel. Of coroutines it counts those that are not kept by
// intention.
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

// leadTo says what the descriptors of a process lead to, but for so many files of the site, which are kept by
// intention.
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

// memoryOf is how many KiB of a process are in memory.
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

// memories are the last sizes of all, in MiB.
func memories(chains []*chain) string {
	var all []string
	for _, c := range chains {
		if n := len(c.memory); n > 0 {
			all = append(all, fmt.Sprintf("%s %.1f", c.name, float64(c.memory[n-1])/1024))
		}
	}
	return strings.Join(slices.Clip(all), ", ")
}
