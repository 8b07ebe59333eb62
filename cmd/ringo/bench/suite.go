package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"ringo"
	"ringo/cmd/ringo/internal/cli"
	"ringo/internal/measure"
)

const (
	longTime, longWindow   = 60 * time.Second, 100 * time.Millisecond
	quickTime, quickWindow = 15 * time.Second, 40 * time.Millisecond

	// roundsMin is the least number of rounds, however long they take.
	roundsMin = 3

	conns    = 50
	spinTime = 50 * time.Microsecond
)

// suite is the state of one run of ringo bench.
type suite struct {
	Report
	quick    bool
	dir      string // with the test files; removed at the end
	children []*child
	loads    map[bool]*child // by whether it is pinned to a CPU
	plan     []*measurement
	show     func(text string) // shows the progress
}

// measurement says how a row is measured.
type measurement struct {
	cell    *Cell
	row     *Row
	measure func(window time.Duration) (Sample, error)
}

// newSuite finds out what can be measured here, and starts the processes. Even with an error the caller has to close
// the suite.
func newSuite(quick bool, dir string, show func(string)) (*suite, error) {
	s := &suite{quick: quick, show: show, loads: map[bool]*child{}}
	show("starting")
	s.describe()
	var err error
	if s.Charges, err = charges(); err != nil {
		return s, err
	}
	if s.dir, err = os.MkdirTemp(dir, "ringo-bench-"); err != nil {
		return s, err
	}
	if err := makeBlocks(filepath.Join(s.dir, "blocks")); err != nil {
		return s, err
	}
	if err := s.startLoads(); err != nil {
		return s, err
	}
	if err := s.planServers(); err != nil {
		return s, err
	}
	return s, s.planFiles()
}

// close ends the processes and removes the files.
func (s *suite) close() error {
	var ends sync.WaitGroup
	for _, c := range s.children {
		ends.Go(c.stop)
	}
	ends.Wait()
	if s.dir == "" {
		return nil
	}
	return os.RemoveAll(s.dir)
}

// describe fills in what the report says about the machine and the program.
func (s *suite) describe() {
	s.Ringo, s.Go, s.CPUs = cli.BuildVersion(), runtime.Version(), runtime.NumCPU()
	s.System, s.CPU = runtime.GOOS+"/"+runtime.GOARCH, "unknown"
	if release, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		s.System = "Linux " + strings.TrimSpace(string(release)) + " " + runtime.GOARCH
	}
	info, _ := os.ReadFile("/proc/cpuinfo")
	for text := range strings.Lines(string(info)) {
		if name, value, ok := strings.Cut(text, ":"); ok && strings.TrimSpace(name) == "model name" {
			s.CPU = strings.TrimSpace(value)
			break
		}
	}
	names, _ := filepath.Glob("/sys/devices/system/cpu/vulnerabilities/*")
	for _, name := range names {
		if text, err := os.ReadFile(name); err == nil && !strings.HasPrefix(string(text), "Not affected") {
			s.Mitigations = append(s.Mitigations, filepath.Base(name)+": "+strings.TrimSpace(string(text)))
		}
	}
}

// The CPUs of pinned processes, by index: servers are on the first, their load on the last.
const serverCPU = 0

func (s *suite) loadCPU() int { return s.CPUs - 1 }

// half returns the number of loops of a server that shares the machine with its load.
func (s *suite) half() int { return max(1, s.CPUs/2) }

func (s *suite) start(name string, c childConfig, cpu int) (*child, error) {
	child, err := startChild(name, c, cpu)
	if err == nil {
		s.children = append(s.children, child)
	}
	return child, err
}

func (s *suite) startLoads() (err error) {
	if s.loads[true], err = s.start("load", childConfig{Kind: "load", On: autoDriver, Loops: 1},
		s.loadCPU()); err != nil {
		return err
	}
	s.loads[false], err = s.start("load", childConfig{Kind: "load", On: autoDriver, Loops: s.half()}, anyCPU)
	return err
}

// drivers returns the drivers to measure; with -quick only those that auto might take.
func (s *suite) drivers() []string {
	return slices.DeleteFunc(ringo.Drivers(), func(name string) bool {
		return name == autoDriver || s.quick && name != "uring" && name != "epoll"
	})
}

// add adds a row to a cell, and its measurement to the plan.
func (s *suite) add(c *Cell, name, about string, measure func(time.Duration) (Sample, error)) {
	row := &Row{Name: name, About: about, samples: map[int]Sample{}}
	c.Rows = append(c.Rows, row)
	s.plan = append(s.plan, &measurement{c, row, measure})
}

func (s *suite) cell(name, title, unit, base string) *Cell {
	c := &Cell{Name: name, Title: title, Unit: unit, Base: base}
	s.Cells = append(s.Cells, c)
	return c
}

// against returns a function that measures a server under a load of n connections.
func (s *suite) against(server *child, kind string, n int, pinned bool) func(time.Duration) (Sample, error) {
	addr := map[string]string{cellTCP: server.TCP, cellHTTP: server.HTTP, cellUDP: server.UDP}[kind]
	return func(window time.Duration) (Sample, error) {
		return s.loads[pinned].ask(question{Kind: kind, Addr: addr, PID: server.cmd.Process.Pid, Conns: n, For: window})
	}
}

// planServers starts the servers and plans the measurements of them.
func (s *suite) planServers() error {
	auto, err := s.start(autoDriver, childConfig{Kind: "server", On: autoDriver, Loops: 1}, serverCPU)
	if err != nil {
		return err
	}
	s.Auto = auto.Driver
	net, err := s.start(rowNet, childConfig{Kind: "server", On: rowNet}, serverCPU)
	if err != nil {
		return err
	}
	servers := map[string]*child{s.Auto: auto}
	for _, name := range s.drivers() {
		if servers[name] != nil {
			continue
		}
		if servers[name], err = s.start(name, childConfig{Kind: "server", On: name, Loops: 1}, serverCPU); err != nil {
			delete(servers, name)
			s.Out = append(s.Out, "driver "+name+": "+err.Error())
		}
	}
	tasks, err := s.start("tasks", childConfig{Kind: "server", On: s.Auto, Loops: 1, Handler: "conn"}, serverCPU)
	if err != nil {
		return err
	}
	for _, load := range []struct{ kind, title, about string }{
		{cellTCP, fmt.Sprintf("TCP echo, %d connections x %d bytes", conns, messageBytes),
			"a handler for each request"},
		{cellHTTP, fmt.Sprintf("HTTP, %d connections, a small head and %d bytes", conns, len(helloBody)),
			"a handler of net/http on sockhttp, in a task"},
		{cellUDP, fmt.Sprintf("UDP echo, %d sockets x %d bytes", conns, messageBytes), "a task, with batches"},
	} {
		c := s.cell(load.kind, load.title, "request", rowNet)
		about := "package net, goroutines"
		if load.kind == cellHTTP {
			about = "net/http"
		}
		s.add(c, rowNet, about, s.against(net, load.kind, conns, true))
		for _, name := range s.drivers() {
			if servers[name] != nil {
				s.add(c, name, load.about, s.against(servers[name], load.kind, conns, true))
			}
		}
		switch load.kind {
		case cellTCP:
			s.add(c, s.Auto+", tasks", "a task for each connection", s.against(tasks, load.kind, conns, true))
		case cellHTTP:
			s.add(c, s.Auto+", goroutines", "the same on a goroutine", s.against(tasks, load.kind, conns, true))
		}
	}
	if err := s.planSpin(net, auto); err != nil {
		return err
	}
	if err := s.planLoops(auto); err != nil {
		return err
	}
	return s.planPlaces()
}

// planSpin plans a load of one connection, in which each request finds the server asleep, with and without Config.Spin.
func (s *suite) planSpin(net, auto *child) error {
	spin, err := s.start("spin", childConfig{Kind: "server", On: s.Auto, Loops: 1, Spin: spinTime}, serverCPU)
	if err != nil {
		return err
	}
	c := s.cell(cellAlone, fmt.Sprintf("One TCP connection alone x %d bytes, and Config.Spin", messageBytes),
		"request", rowOne)
	s.add(c, rowOne, s.Auto, s.against(auto, cellTCP, 1, true))
	s.add(c, rowSpin, fmt.Sprintf("Spin %v", spinTime), s.against(spin, cellTCP, 1, true))
	s.add(c, rowNet, "package net", s.against(net, cellTCP, 1, true))
	return nil
}

// planLoops plans the comparison of one loop and two loops on one CPU.
func (s *suite) planLoops(auto *child) error {
	two, err := s.start("loops", childConfig{Kind: "server", On: s.Auto, Loops: 2}, serverCPU)
	if err != nil {
		return err
	}
	c := s.cell(cellLoops, "More loops than CPUs: TCP echo on one CPU", "request", rowOne)
	s.add(c, rowOne, s.Auto, s.against(auto, cellTCP, conns, true))
	s.add(c, rowTwo, s.Auto, s.against(two, cellTCP, conns, true))
	return nil
}

// planPlaces plans the comparison of loops that are bound to a CPU each with loops that the scheduler may move. The
// processes may use all CPUs.
func (s *suite) planPlaces() error {
	n := s.half()
	about := fmt.Sprintf("Loops that have a CPU each, in a process that may use %d CPUs: TCP echo", s.CPUs)
	c := s.cell(cellPlaces, about, "request", rowFree)
	net, err := s.start("net, free", childConfig{Kind: "server", On: rowNet}, anyCPU)
	if err != nil {
		return err
	}
	for _, place := range []ringo.Placement{ringo.Anywhere, ringo.PerCPU} {
		name := map[ringo.Placement]string{ringo.Anywhere: rowFree, ringo.PerCPU: rowBound}[place]
		server, err := s.start(name, childConfig{Kind: "server", On: s.Auto, Loops: n, Place: place}, anyCPU)
		if err != nil {
			return err
		}
		s.add(c, name, fmt.Sprintf("%s, loops: %d", s.Auto, n), s.against(server, cellTCP, max(conns, 16*n), false))
	}
	s.add(c, rowNet, "package net on all CPUs", s.against(net, cellTCP, max(conns, 16*n), false))
	return nil
}

// planFiles starts the children that use files, and plans the measurements of them.
func (s *suite) planFiles() error {
	ways := []struct{ name, about string }{{rowOS, "goroutines, package os"}, {rowFile, "goroutines, package file"}}
	for _, name := range []string{"uring", "epoll"} {
		ways = append(ways, struct{ name, about string }{name, "tasks, package file"})
	}
	users := map[string]*child{}
	for _, w := range ways {
		c, err := s.start(w.name, childConfig{Kind: "file", On: w.name, Loops: 1}, serverCPU)
		if err != nil {
			s.Out = append(s.Out, "files on "+w.name+": "+err.Error())
			continue
		}
		users[w.name] = c
	}
	for _, work := range []struct{ kind, title, unit string }{
		{cellRead, fmt.Sprintf("Cached reads of 4 KiB, %d at once", callers[cellRead]), "read"},
		{cellDirect, fmt.Sprintf("Direct reads of 4 KiB, %d at once", callers[cellDirect]), "read"},
		{cellAppend, fmt.Sprintf("Appends of %d bytes, each with a sync", recordBytes), "append"},
	} {
		cell := s.cell(work.kind, work.title, work.unit, rowOS)
		for _, w := range ways {
			user := users[w.name]
			if user == nil {
				continue
			}
			name := filepath.Join(s.dir, "blocks")
			if work.kind == cellAppend {
				name = filepath.Join(s.dir, "records-"+w.name)
			}
			q := fileQuestion{Kind: work.kind, Name: name}
			s.add(cell, w.name, w.about, func(window time.Duration) (Sample, error) {
				q.For = window
				return user.ask(q)
			})
		}
	}
	return nil
}

// run measures all rows in turn, round after round, until the time is over or ctx ends. Each round begins with another
// row. A row that fails is left out from then on, with the reason.
func (s *suite) run(ctx context.Context, limit, window time.Duration) {
	begin := time.Now()
	s.Report.Window = window.Seconds()
	machine, unknown := measure.Busy()
	own := s.ownTime()
	defer func() {
		s.Seconds = time.Since(begin).Seconds()
		if now, err := measure.Busy(); unknown == nil && err == nil {
			s.Others = max(0, now-machine-(s.ownTime()-own)).Seconds() / s.Seconds
		}
	}()
	for round := 0; ; round++ {
		if took := time.Since(begin); round >= roundsMin && took+took/time.Duration(round) > limit {
			return
		}
		for i := range s.plan {
			if ctx.Err() != nil {
				s.Stopped = true
				return
			}
			w := s.plan[(i+round)%len(s.plan)]
			if w.row.Failed != "" {
				continue
			}
			s.tell(begin, limit, round, i, w)
			sample, err := w.measure(window)
			if err != nil {
				w.row.Failed, w.row.samples = err.Error(), nil
				continue
			}
			w.row.samples[round] = sample
		}
		s.Rounds = round + 1
	}
}

// ownTime returns the CPU time of this process and its children. Children that have ended count as 0.
func (s *suite) ownTime() time.Duration {
	sum, _ := measure.CPU(os.Getpid())
	for _, c := range s.children {
		t, _ := measure.CPU(c.cmd.Process.Pid)
		sum += t
	}
	return sum
}

// tell shows the progress.
func (s *suite) tell(begin time.Time, limit time.Duration, round, i int, w *measurement) {
	took := time.Since(begin)
	left := limit - took
	if round < roundsMin { // estimated from the measurements so far
		if done := round*len(s.plan) + i; done > 0 {
			left = max(left, took/time.Duration(done)*time.Duration(roundsMin*len(s.plan)-done))
		}
	}
	s.show(fmt.Sprintf("round %d, %s: %s; %.0f s left", round+1, w.cell.Name, w.row.Name, max(left.Seconds(), 0)))
}

// finish returns the report. It fails if nothing was measured.
func (s *suite) finish() (*Report, error) {
	some := false
	for _, m := range s.plan {
		if m.row.Failed != "" {
			s.Out = append(s.Out, fmt.Sprintf("%s, %s: %s", m.cell.Title, m.row.Name, m.row.Failed))
		}
		some = some || len(m.row.samples) > 0
	}
	if !some {
		return nil, errors.New(strings.Join(append([]string{"nothing was measured"}, s.Out...), "\n"))
	}
	s.conclude()
	return &s.Report, nil
}
