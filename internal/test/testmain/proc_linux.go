//go:build linux

package testmain

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// descriptors lists the open descriptors and what they refer to. An identity consists of both, so that a number that
// was closed and used again counts as new.
func descriptors() inventory {
	found := inventory{}
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		panic("testmain: " + err.Error())
	}
	for _, e := range entries {
		target, err := os.Readlink("/proc/self/fd/" + e.Name())
		if err != nil {
			continue // the descriptor of the directory itself
		}
		id := fmt.Sprintf("%s -> %s", e.Name(), target)
		found[id] = id + pipeEnd(e.Name(), target)
	}
	return found
}

// pipeEnd describes a pipe by its flags and size, which help to find out what made it.
func pipeEnd(number, target string) string {
	if !strings.HasPrefix(target, "pipe:") {
		return ""
	}
	n, err := strconv.Atoi(number)
	if err != nil {
		panic("testmain: " + err.Error())
	}
	flags, _ := unix.FcntlInt(uintptr(n), unix.F_GETFL, 0)
	size, _ := unix.FcntlInt(uintptr(n), unix.F_GETPIPE_SZ, 0)
	return fmt.Sprintf(" (flags %#x, room for %d bytes)", flags, size)
}

// ringMappings lists the mappings of io_uring rings. A mapping outlives the ring's descriptor until it is unmapped.
func ringMappings() inventory {
	found := inventory{}
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		panic("testmain: " + err.Error())
	}
	for line := range strings.Lines(string(maps)) {
		if strings.Contains(line, "[io_uring]") {
			line = strings.TrimSpace(line)
			found[line] = line
		}
	}
	return found
}

// NeedDescriptors skips a test where RLIMIT_NOFILE allows fewer than n descriptors.
func NeedDescriptors(t testing.TB, n uint64) {
	t.Helper()
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	if limit.Cur < n {
		t.Skipf("RLIMIT_NOFILE is %d, this needs %d", limit.Cur, n)
	}
}

// Occupy opens descriptors until all numbers below bound are taken. free closes them.
func Occupy(t testing.TB, bound int) (free func()) {
	t.Helper()
	var taken []int
	for {
		n, err := syscall.Open("/dev/null", syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		if n >= bound {
			syscall.Close(n)
			break
		}
		taken = append(taken, n)
	}
	return func() {
		for _, n := range taken {
			syscall.Close(n)
		}
	}
}
