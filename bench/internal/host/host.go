//go:build linux

// Package host describes the machine of a run: what it is, and what it charges for what every server does all the time.
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

// Host is what a machine is.
type Host struct {
	CPU         string            `json:"cpu"`
	CPUs        int               `json:"cpus"`
	Kernel      string            `json:"kernel"`
	Hypervisor  bool              `json:"hypervisor"`
	MemoryGiB   float64           `json:"memory_gib"`
	Mitigations map[string]string `json:"mitigations"` // what the kernel does against which flaw of the CPU
	Versions    map[string]string `json:"versions"`    // of what is compared
}

// Charges are nanoseconds by what they are charged for.
type Charges map[string]float64

// Charge is a name among Charges, and what it is.
type Charge struct{ Name, Title string }

// ChargeNames are those that there are, in order.
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
	flaws, _ := filepath.Glob("/sys/devices/system/cpu/vulnerabilities/*") // none where the kernel does not tell
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

// field is the first of that name in /proc/cpuinfo.
func field(info, name string) string {
	for line := range strings.Lines(info) {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// Version is the first line of what a program says of itself.
func Version(ctx context.Context, argv ...string) (string, error) {
	out, err := exec.CommandContext(ctx, argv[0], argv[1:]...).CombinedOutput()
	first, _, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
	return first, err
}

// Measure runs the program of bench/c that measures the charges, on two CPUs.
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
