//go:build linux

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// startServe serves a directory and gives the address to dial.
func startServe(t *testing.T, dir string, args ...string) (p *process, addr string) {
	t.Helper()
	args = append([]string{"serve", "-listen", anyPort}, args...)
	p = start(t, tool(t, append(args, dir)...))
	return p, p.addr()
}

// wantStatus asks for a path and wants a status.
func wantStatus(t *testing.T, addr, path string, want int) {
	t.Helper()
	if a, body := get(t, addr, path); a.StatusCode != want {
		t.Errorf("%s: %s %.50q, want %d", path, a.Status, body, want)
	}
}

// descriptors are what a process's descriptors lead to.
func (p *process) descriptors() (all []string) {
	p.t.Helper()
	dir := fmt.Sprintf("/proc/%d/fd", p.cmd.Process.Pid)
	names, err := os.ReadDir(dir)
	if err != nil {
		p.t.Fatal(err)
	}
	for _, n := range names {
		if to, err := os.Readlink(filepath.Join(dir, n.Name())); err == nil {
			all = append(all, to)
		}
	}
	return all
}

// holds counts a process's descriptors of what has a name that begins so.
func (p *process) holds(prefix string) (n int) {
	for _, to := range p.descriptors() {
		if strings.HasPrefix(to, prefix) {
			n++
		}
	}
	return n
}
