//go:build linux

package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"ringo/internal/test/testmain"
)

func TestMain(m *testing.M) { testmain.Main(m) }

// Three processes serve, also when one is killed, and when all are and begin again.
func TestProcesses(t *testing.T) {
	tool := filepath.Join(t.TempDir(), "kv")
	if out, err := exec.Command("go", "build", "-o", tool, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	var addrs, dirs []string
	// Addresses that no other process of tests has, with ports that the kernel gives nobody by itself: a replica comes
	// back to its own, which must not be another's meanwhile.
	pid := os.Getpid()
	for i := range 3 {
		addrs = append(addrs, fmt.Sprintf("127.%d.%d.%d:%d", 1+pid>>16&63, pid>>8&255, pid&255, 7001+i))
		dirs = append(dirs, t.TempDir())
	}
	peers := "-peers=" + strings.Join(addrs, ",")
	var replicas [3]*exec.Cmd
	start := func(i int) {
		c := exec.Command(tool, peers, "-self", addrs[i], "-dir", dirs[i])
		c.Stderr = t.Output()
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		replicas[i] = c
	}
	kill := func(i int) {
		replicas[i].Process.Kill()
		replicas[i].Wait()
	}
	ask := func(want string, args ...string) {
		t.Helper()
		var got string
		for range 10 { // an attempt gives up after a second or so, and elections take long on a busy machine
			out, err := exec.Command(tool, append([]string{peers}, args...)...).CombinedOutput()
			if got = string(out); err == nil && got == want {
				return
			}
		}
		t.Fatalf("%q: got %q, want %q", args, got, want)
	}
	for i := range replicas {
		start(i)
		defer func() { kill(i) }()
	}
	ask("", "put", "colour", "green")
	ask("green\n", "get", "colour")
	kill(0)
	ask("", "put", "colour", "blue")
	kill(1)
	kill(2)
	for i := range replicas {
		start(i)
	}
	ask("blue\n", "get", "colour")
	if err := replicas[0].Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := replicas[0].Wait(); err != nil {
		t.Errorf("an interrupted replica: %v", err)
	}
	start(0)
}
