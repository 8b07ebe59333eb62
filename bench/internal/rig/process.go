//go:build linux

package rig

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	startMax = 10 * time.Second // for a server to start serving
	stopMax  = 5 * time.Second  // for it to end when asked to
	saidMax  = 1 << 20          // bytes of a process's output that are kept
)

// process is a process that this program has started. The kernel kills it when this program dies.
type process struct {
	cmd  *exec.Cmd
	said *output
	end  chan struct{} // closed when the process has ended
	err  error         // valid then: how it ended
}

// spawner starts processes from one thread that never ends: the kernel sends the parent-death signal when the thread
// that started a process ends, and a process inherits the affinity of that thread.
func (r *Rig) spawner() {
	runtime.LockOSThread()
	for f := range r.spawn {
		f()
	}
}

// start starts a command on some CPUs, or on those of this program if on is nil. It keeps what the process prints on
// stdout and stderr.
func (r *Rig) start(on CPUs, c *command) (*process, error) {
	if slices.Contains(c.argv, r.file()) {
		if err := r.makeFile(); err != nil {
			return nil, err
		}
	}
	p := &process{cmd: exec.Command(c.argv[0], c.argv[1:]...), said: new(output), end: make(chan struct{})}
	p.cmd.Dir = c.dir
	p.cmd.Stdout, p.cmd.Stderr = p.said, p.said
	if c.stdout != nil {
		p.cmd.Stdout = c.stdout
	}
	// It gets a process group of its own, so that Ctrl-C signals only this program, which ends what it has started.
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	p.cmd.WaitDelay = time.Second
	failed := make(chan error)
	r.spawn <- func() { failed <- startOn(on, p.cmd) }
	if err := <-failed; err != nil {
		return nil, err
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.end)
	}()
	return p, nil
}

// CPUs are the CPUs that a process may run on. As a flag they are 0 or 0,1.
type CPUs []int

func (c *CPUs) String() string {
	return strings.Trim(strings.ReplaceAll(fmt.Sprint([]int(*c)), " ", ","), "[]")
}

// Set implements flag.Value.
func (c *CPUs) Set(text string) error {
	*c = nil
	for word := range strings.SplitSeq(text, ",") {
		cpu, err := strconv.Atoi(word)
		if err != nil {
			return err
		}
		*c = append(*c, cpu)
	}
	return nil
}

func startOn(on CPUs, cmd *exec.Cmd) error {
	if on == nil {
		return cmd.Start()
	}
	var old, some unix.CPUSet
	if err := unix.SchedGetaffinity(0, &old); err != nil {
		return os.NewSyscallError("sched_getaffinity", err)
	}
	for _, cpu := range on {
		some.Set(cpu)
	}
	if err := unix.SchedSetaffinity(0, &some); err != nil {
		return fmt.Errorf("CPU %v: %w", on, os.NewSyscallError("sched_setaffinity", err))
	}
	err := cmd.Start()
	return errors.Join(err, os.NewSyscallError("sched_setaffinity", unix.SchedSetaffinity(0, &old)))
}

func (p *process) pid() int { return p.cmd.Process.Pid }

// stop ends the process by SIGTERM, and after stopMax by SIGKILL.
func (p *process) stop() {
	p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.end:
		return
	case <-time.After(stopMax):
	}
	p.cmd.Process.Kill()
	<-p.end
}

// wait waits for a process that ends by itself. It stops the process if ctx ends first.
func (p *process) wait(ctx context.Context) error {
	select {
	case <-p.end:
		return p.err
	case <-ctx.Done():
		p.stop()
		return ctx.Err()
	}
}

// untilReady waits until the process has printed a line with word, or, if word is "", until it accepts a connection.
func (p *process) untilReady(ctx context.Context, word, addr string) error {
	late := time.NewTimer(startMax)
	defer late.Stop()
	// A program that prints nothing gives no sign that it listens, so this polls; it polls the others alike.
	look := time.NewTicker(5 * time.Millisecond)
	defer look.Stop()
	for !p.isReady(word, addr) {
		select {
		case <-p.end:
			return fmt.Errorf("did not start: %v: %s", p.err, p.said.last())
		case <-ctx.Done():
			return ctx.Err()
		case <-late.C:
			return fmt.Errorf("was not ready after %v: %s", startMax, p.said.last())
		case <-look.C:
		}
	}
	return nil
}

func (p *process) isReady(word, addr string) bool {
	if word != "" {
		return p.said.line(word) != ""
	}
	c, err := net.DialTimeout("tcp", addr, time.Second)
	if err == nil {
		c.Close()
	}
	return err == nil
}

// output keeps what is written to it, up to saidMax bytes.
type output struct {
	mu   sync.Mutex
	said []byte
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.said = append(o.said, b[:min(len(b), saidMax-len(o.said))]...)
	return len(b), nil
}

func (o *output) text() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return string(o.said)
}

// last returns the last line.
func (o *output) last() string {
	text := strings.TrimSpace(o.text())
	return strings.TrimSpace(text[strings.LastIndexByte(text, '\n')+1:])
}

// line returns the first whole line that contains word, or "". If word is announced, the line has to begin with it,
// since some programs log that they listen before they do.
func (o *output) line(word string) string {
	for line := range strings.Lines(o.text()) {
		at := strings.Index(line, word)
		if (at == 0 || at > 0 && word != announced) && strings.HasSuffix(line, "\n") {
			return strings.TrimSpace(line)
		}
	}
	return ""
}
