//go:build linux

// Package rig builds the programs that are compared, and measures one of them at a time: a fresh process on a core of
// its own, with the load generator on another.
package rig

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// Rig starts and measures servers. It belongs to one goroutine.
type Rig struct {
	Bench   string  // the directory of the module
	Seconds float64 // the measured window
	Warmup  float64 // seconds before it
	Quiet   float64 // share of a core that other programs may take; with more, a sample is measured again
	Again   int     // how often at most
	Spare   int     // and how often in all
	CPU     CPUs    // the server's; by default the first CPU that may be used
	LoadCPU CPUs    // the load generator's; by default the second
	Bin     string  // where the programs are

	RingoArgs []string // more flags for ringo echo
	Logs      bool     // file servers write access logs
	File      string   // the file that is read; "": one that is made, and removed by Close
	FileMiB   int      // its size, if it has to be made

	work  string
	idle  int // connections that a process may have
	port  int
	spawn chan func()
}

// Open makes a rig, with a directory for temporary files until Close.
func Open(bench string) (*Rig, error) {
	work, err := os.MkdirTemp("", "bench")
	if err != nil {
		return nil, err
	}
	// Below the ephemeral ports, and different for two runs in succession.
	r := &Rig{Bench: bench, Bin: filepath.Join(bench, "bin"), work: work, port: 20_000 + os.Getpid()%8_000,
		FileMiB: 256, spawn: make(chan func())}
	if r.CPU, r.LoadCPU, err = firstCPUs(); err != nil {
		return nil, err
	}
	files, err := filesMax()
	r.idle = (files - 1000) / 2 // a connection of Ringo that a goroutine uses takes two
	go r.spawner()
	return r, err
}

// Close removes the rig's files. The rig can't be used any more.
func (r *Rig) Close() error {
	close(r.spawn)
	return os.RemoveAll(r.work)
}

// filesMax raises the limit of descriptors to what the system allows, if this program may, and returns the limit.
// Programs that it starts inherit the hard limit, and raise their own soft limit to it.
func filesMax() (int, error) {
	var lim syscall.Rlimit
	text, err := os.ReadFile("/proc/sys/fs/nr_open")
	if _, bad := fmt.Sscan(string(text), &lim.Max); err == nil && bad == nil {
		lim.Cur = lim.Max
		_ = syscall.Setrlimit(syscall.RLIMIT_NOFILE, &lim) // fails if not root, and the limit stays
	}
	err = syscall.Getrlimit(syscall.RLIMIT_NOFILE, &lim)
	return int(lim.Max), os.NewSyscallError("getrlimit", err)
}

// firstCPUs returns two CPUs that this program may use, or its only one twice.
func firstCPUs() (a, b CPUs, err error) {
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil {
		return nil, nil, os.NewSyscallError("sched_getaffinity", err)
	}
	var all CPUs
	for i := 0; len(all) < set.Count(); i++ {
		if set.IsSet(i) {
			all = append(all, i)
		}
	}
	return all[:1], all[min(1, len(all)-1):][:1], nil
}

// Build builds the Go programs, and those in C if there is a compiler. Concurrent runs share the programs: one run
// builds at a time, and a program that another run has started stays as it is, since a changed one is a new file.
func (r *Rig) Build(ctx context.Context) error {
	if err := os.MkdirAll(r.Bin, 0o777); err != nil {
		return err
	}
	lock, err := os.Create(filepath.Join(r.Bin, ".lock"))
	if err != nil {
		return err
	}
	defer lock.Close()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return os.NewSyscallError("flock", err)
	}
	if err := r.run(ctx, r.Bench, "go", "build", "-o", r.Bin+"/", "./cmd/..."); err != nil {
		return err
	}
	ringo := filepath.Join(r.Bin, "ringo")
	if err := r.run(ctx, filepath.Dir(r.Bench), "go", "build", "-o", ringo, "./cmd/ringo"); err != nil {
		return err
	}
	if !Has("gcc") {
		return nil
	}
	sources, err := filepath.Glob(filepath.Join(r.Bench, "c", "*.c"))
	if err != nil {
		return err
	}
	for _, f := range sources {
		out := filepath.Join(r.Bin, strings.TrimSuffix(filepath.Base(f), ".c"))
		if err := r.run(ctx, r.Bench, "gcc", "-O2", "-Wall", "-pthread", "-o", out+".new", f); err != nil {
			return err
		}
		if err := os.Rename(out+".new", out); err != nil {
			return err
		}
	}
	return nil
}

func (r *Rig) run(ctx context.Context, dir string, argv ...string) error {
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", strings.Join(argv, " "), err, out)
	}
	return nil
}

// Has reports whether a program is installed.
func Has(program string) bool { return Find(program) != "" }

// Find returns the path of a program, or "" if it is not installed. It also looks in directories for root's programs.
func Find(program string) string {
	for _, name := range []string{program, "/usr/local/sbin/" + program, "/usr/sbin/" + program, "/sbin/" + program} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	return ""
}

// nextPort returns a port that no program listens on.
func (r *Rig) nextPort() (int, error) {
	for range 1000 {
		r.port++
		if r.port > 30_000 {
			r.port = 20_000
		}
		ln, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", r.port))
		if err == nil {
			ln.Close()
			return r.port, nil
		}
	}
	return 0, errors.New("a thousand ports in a row are taken")
}

func siteName(size int) string { return fmt.Sprintf("%d.txt", size) }

// makeSite writes a file with the bytes that the load generator expects.
func (r *Rig) makeSite(size int) error {
	path := filepath.Join(r.site(), siteName(size))
	if err := os.MkdirAll(r.site(), 0o755); err != nil {
		return err
	}
	if err := os.Chmod(r.work, 0o755); err != nil { // a server that gives up root has to read the files
		return err
	}
	const hello = "Hello, World!"
	text := strings.Repeat(hello, size/len(hello)+1)[:size]
	return os.WriteFile(path, []byte(text), 0o644)
}
