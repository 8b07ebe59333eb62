//go:build linux

// Package host describes the machine of a run: its hardware and kernel, and what operations cost that every server
// uses.
package host

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// Host describes a machine.
type Host struct {
	CPU         string            `json:"cpu"`
	CPUs        int               `json:"cpus"`
	Kernel      string            `json:"kernel"`
	Hypervisor  bool              `json:"hypervisor"`
	MemoryGiB   float64           `json:"memory_gib"`
	Mitigations map[string]string `json:"mitigations"` // by flaw of the CPU: what the kernel does against it
	Versions    map[string]string `json:"versions"`    // of what is compared
}

// Charges are costs in nanoseconds, by the names in ChargeNames.
type Charges map[string]float64

// Charge is a name in Charges, with a description.
type Charge struct{ Name, Title string }

// ChargeNames are all charges, in order.
var ChargeNames = []Charge{
	{"getppid", "a system call that does nothing (getppid)"},
	{"epoll_wait", "an epoll_wait that finds nothing"},
	{"io_uring_enter", "an io_uring_enter without work"},
	{"wake", "waking a thread that sleeps on the other core, until it runs (futex)"},
	{"cpuid", "leaving the guest for the hypervisor (CPUID)"},
}

// Describe describes this machine.
func Describe() Host {
	info := read("/proc/cpuinfo")
	h := Host{CPU: field(info, "model name"), CPUs: runtime.NumCPU(), Kernel: read("/proc/sys/kernel/osrelease"),
		Hypervisor:  slices.Contains(strings.Fields(field(info, "flags")), "hypervisor"),
		Mitigations: map[string]string{}, Versions: map[string]string{}}
	if h.CPU == "" {
		h.CPU = runtime.GOARCH
	}
	var si unix.Sysinfo_t
	if unix.Sysinfo(&si) == nil {
		h.MemoryGiB = float64(si.Totalram) * float64(si.Unit) / (1 << 30)
	}
	flaws, _ := filepath.Glob("/sys/devices/system/cpu/vulnerabilities/*") // none if the kernel does not report them
	for _, f := range flaws {
		if text := read(f); text != "Not affected" {
			h.Mitigations[filepath.Base(f)] = text
		}
	}
	return h
}

func read(name string) string {
	b, err := os.ReadFile(name)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}

// field returns the first field with this name in /proc/cpuinfo.
func field(info, name string) string {
	for line := range strings.Lines(info) {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// Version runs a program and returns the first line that it prints.
func Version(ctx context.Context, argv ...string) (string, error) {
	out, err := exec.CommandContext(ctx, argv[0], argv[1:]...).CombinedOutput()
	first, _, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
	return first, err
}

// Measure measures the charges on two CPUs, by the program of bench/c that does this.
func Measure(ctx context.Context, program string, cpu, other int) (Charges, error) {
	if _, err := os.Stat(program); errors.Is(err, fs.ErrNotExist) {
		return nil, errors.New("there is no C compiler to build bench/c/charges.c with")
	}
	out, err := exec.CommandContext(ctx, program, fmt.Sprint(cpu), fmt.Sprint(other)).Output()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", program, err)
	}
	return parse(string(out))
}

func parse(out string) (Charges, error) {
	c := Charges{}
	for line := range strings.Lines(out) {
		var name string
		var ns float64
		if n, err := fmt.Sscan(line, &name, &ns); n != 2 || ns <= 0 {
			return nil, fmt.Errorf("charge %q is no name and nanoseconds: %v", line, err)
		}
		c[name] = ns
	}
	if len(c) == 0 {
		return nil, errors.New("no charges were measured")
	}
	return c, nil
}
