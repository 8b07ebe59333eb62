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

// memoryGroup is a control group for memory, of version 1 or 2.
type memoryGroup struct {
	dir, limit, kills string // the group's folder, and two files in it
}

// newMemoryGroup makes a group with a limit. The end of the trial removes it.
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
				time.Sleep(10 * time.Millisecond) // its last process is not gone yet
			}
		})
		last = os.WriteFile(filepath.Join(g.dir, g.limit), []byte(strconv.Itoa(bytes)), 0)
		if last == nil {
			return g, nil
		}
	}
	return nil, skip("no control group for memory can be made here: %v", last)
}

// put makes a command start in the group.
func (g *memoryGroup) put(cmd *exec.Cmd) { before(cmd, "echo $$ >"+g.dir+"/cgroup.procs") }

var oomKill = regexp.MustCompile(`(?m)^oom_kill (\d+)$`)

// killed returns how often the kernel has killed a process of the group because memory was out.
func (g *memoryGroup) killed() int {
	text, _ := os.ReadFile(filepath.Join(g.dir, g.kills))
	m := oomKill.FindSubmatch(text)
	if m == nil {
		return 0
	}
	n, _ := strconv.Atoi(string(m[1]))
	return n
}

// excuse returns nil in place of err if the kernel has killed the process because memory was out.
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

// keepInLittleMemory runs a keeper with little memory. What it said it has kept has to be there, however it ended.
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
