//go:build linux

package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// memoryGroup is a control group of ours, by either version of them.
type memoryGroup struct {
	dir, limit, kills string // files of it
}

// newMemoryGroup makes one with a limit, which is removed at the end of the trial.
func newMemoryGroup(t *trial, bytes int) (*memoryGroup, error) {
	var last error
	for _, v := range []memoryGroup{{"/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.oom_control"},
		{"/sys/fs/cgroup", "memory.max", "memory.events"}} {
		g := &memoryGroup{filepath.Join(v.dir, filepath.Base(t.dir)), v.limit, v.kills}
		if err := os.Mkdir(g.dir, 0o755); err != nil {
			last = err
			continue
		}
		t.atEnd(func() {
			for end := time.Now().Add(patience); syscall.Rmdir(g.dir) == syscall.EBUSY && time.Now().Before(end); {
				time.Sleep(10 * time.Millisecond) // whoever was in it is not gone yet
			}
		})
		last = os.WriteFile(filepath.Join(g.dir, g.limit), []byte(strconv.Itoa(bytes)), 0)
		if last == nil {
			return g, nil
		}
	}
	return nil, skip("no control group for memory can be made here: %v", last)
}

// put has a command begin in the group.
func (g *memoryGroup) put(cmd *exec.Cmd) { before(cmd, "echo $$ >"+g.dir+"/cgroup.procs") }

var oomKill = regexp.MustCompile(`(?m)^oom_kill (\d+)$`)

// killed is how often the kernel has killed for want of memory.
func (g *memoryGroup) killed() int {
	text, _ := os.ReadFile(filepath.Join(g.dir, g.kills))
	m := oomKill.FindSubmatch(text)
	if m == nil {
		return 0
	}
	n, _ := strconv.Atoi(string(m[1]))
	return n
}

// excuse takes an end for a clear one if it was the kernel's kill.
func (g *memoryGroup) excuse(t *trial, err error) error {
	for _, p := range t.processes {
		if p.ended() && p.code() == 128+int(syscall.SIGKILL) && g.killed() > 0 {
			p.excused = true
			t.note("killed by the kernel for want of memory")
			return nil
		}
	}
	return err
}

var megabytes = []int{4, 8, 12, 16, 24, 40}

func memoryCases(o *options, _ *regexp.Regexp) (cases []*testCase, err error) {
	for _, driver := range drivers {
		for _, n := range thinned(o, megabytes) {
			for _, name := range []string{"echo", "proxy", "serve"} {
				s := serverNamed(name)
				cases = append(cases, &testCase{fmt.Sprintf("memory/%s/%s/%d", name, driver, n), func(t *trial) error {
					g, err := newMemoryGroup(t, n<<20)
					if err != nil {
						return err
					}
					return g.excuse(t, s.pressed(t, driver, 100, g.put, "cannot allocate memory"))
				}})
			}
			cases = append(cases, &testCase{fmt.Sprintf("memory/keeper/%s/%d", driver, n), func(t *trial) error {
				return keepInLittleMemory(t, driver, n<<20)
			}})
		}
	}
	return cases, nil
}

// keepInLittleMemory wants what was said to be kept to be there, whatever became of the keeper.
func keepInLittleMemory(t *trial, driver string, bytes int) error {
	group, err := newMemoryGroup(t, bytes)
	if err != nil {
		return err
	}
	k := newKept(t.dir + "/store")
	if err := os.Mkdir(k.dir, 0o755); err != nil {
		return err
	}
	cmd := t.command(driver, "keeper", k.dir)
	group.put(cmd)
	g, _, err := k.feed(t, cmd, wrapper{}, 0, 1000)
	if err != nil {
		return err
	}
	if err := g.wait("the last record"); err != nil {
		return err
	}
	t.note("exit code %d, %d records kept", g.code(), len(k.said))
	if g.code() != 0 {
		err = group.excuse(t, g.outOfMemory([]string{"cannot allocate memory"}))
	}
	err = errors.Join(err, k.verify(t, driver))
	if err != nil && strings.Contains(g.said.String(), "cannot fork") {
		return skip("the shell had not enough memory to become a program")
	}
	return err
}
