//go:build linux

package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
)

// cluster is replicas that are processes of the built program.
type cluster struct {
	t        testing.TB
	tool     string
	addrs    []string
	dirs     []string
	snapshot string // of the flag; "0" is the default
	args     []string
	replicas []*exec.Cmd
}

// ports keeps addresses of one process' clusters apart.
var ports atomic.Int32

func newCluster(t testing.TB, n int, snapshot string) *cluster {
	t.Helper()
	c := &cluster{t: t, tool: filepath.Join(t.TempDir(), "kv"), snapshot: snapshot}
	if out, err := exec.Command("go", "build", "-o", c.tool, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Cleanup(func() {
		for i := range c.replicas {
			c.kill(i)
		}
	})
	// Addresses that no other process of tests has, with ports that the kernel gives nobody by itself: a replica comes
	// back to its own, which must not be another's meanwhile.
	pid := os.Getpid()
	for range n + 1 {
		c.addrs = append(c.addrs, fmt.Sprintf("127.%d.%d.%d:%d", 1+pid>>16&63, pid>>8&255, pid&255, 7000+ports.Add(1)))
	}
	first := "-peers=" + strings.Join(c.addrs[:n], ",")
	for range n {
		c.add(first)
	}
	return c
}

// add starts another replica, and gives its number.
func (c *cluster) add(arg string) int {
	c.t.Helper()
	c.args, c.dirs, c.replicas = append(c.args, arg), append(c.dirs, c.t.TempDir()), append(c.replicas, nil)
	c.start(len(c.replicas) - 1)
	return len(c.replicas) - 1
}

func (c *cluster) start(i int) {
	c.t.Helper()
	c.replicas[i] = exec.Command(c.tool, "-self", c.addrs[i], "-dir", c.dirs[i], "-snapshot", c.snapshot, c.args[i])
	c.replicas[i].Stderr = c.t.Output()
	if err := c.replicas[i].Start(); err != nil {
		c.t.Fatal(err)
	}
}

func (c *cluster) kill(i int) {
	c.replicas[i].Process.Kill()
	c.replicas[i].Wait()
}

// ask runs a command until it says what is wanted: an attempt gives up after a while, and elections take long on a busy
// machine.
func (c *cluster) ask(want string, args ...string) {
	c.t.Helper()
	var got string
	for range 10 {
		all := append([]string{"-peers=" + strings.Join(c.addrs, ",")}, args...)
		out, err := exec.Command(c.tool, all...).CombinedOutput()
		if got = string(out); err == nil && got == want {
			return
		}
	}
	c.t.Fatalf("%q: got %q, want %q", args, got, want)
}
