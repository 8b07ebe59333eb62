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

// Rig is where measurements are made. It belongs to one goroutine.
type Rig struct {
	Bench   string  // the directory of the module
	Seconds float64 // the measured window
	Warmup  float64 // before it
	Quiet   float64 // share of a core that other programs may take; a sample with more of it is measured again
	Again   int     // how often at most
	Spare   int     // and how often in all
	CPU     CPUs    // the server's; the first that may be used
	LoadCPU CPUs    // the load generator's; the second
	Bin     string  // where the programs are

	RingoArgs []string // more flags for ringo echo
	Logs      bool     // servers of files write access logs
	File      string   // the file that is read; "": one that is made, and goes with the rig
	FileMiB   int      // its size, if it has to be made

	work  string
	idle  int // connections that a process may have
	port  int
	spawn chan func()
}

// Open makes a rig whose files of the moment lie in a directory of their own, until Close.
func Open(bench string) (*Rig, error) {
	work, err := os.MkdirTemp("", "bench")
	if err != nil {
		return nil, err
	}
	// Below the ephemeral range, and not the same for two runs that follow each other.
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

// Close forgets the rig and its files.
func (r *Rig) Close() error {
	close(r.spawn)
	return os.RemoveAll(r.work)
}

// filesMax lets programs have as many descriptors as the system allows, where this one may, and is how many they have.
// Each raises its own limit to that.
func filesMax() (int, error) {
	var lim syscall.Rlimit
	text, err := os.ReadFile("/proc/sys/fs/nr_open")
	if _, bad := fmt.Sscan(string(text), &lim.Max); err == nil && bad == nil {
		lim.Cur = lim.Max
		_ = syscall.Setrlimit(syscall.RLIMIT_NOFILE, &lim) // not root: the limit is as it was
	}
	err = syscall.Getrlimit(syscall.RLIMIT_NOFILE, &lim)
	return int(lim.Max), os.NewSyscallError("getrlimit", err)
}

// firstCPUs are two that this program may use, or the only one twice.
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

// Build builds the Go programs, and those in C if there is a compiler. Measurements share them that run at once: one
// builds at a time, and what another has running is left as it is, or is another file by then.
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

// Has says whether a program is installed.
func Has(program string) bool { return Find(program) != "" }

// Find is the path of a program, "" if it is not installed. Servers lie where only root's shell looks.
func Find(program string) string {
	for _, name := range []string{program, "/usr/local/sbin/" + program, "/usr/sbin/" + program, "/sbin/" + program} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	return ""
}

// nextPort is one that nobody listens on.
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

// makeSite writes a file of the bytes that the load generator expects.
func (r *Rig) makeSite(size int) error {
	path := filepath.Join(r.site(), siteName(size))
	if err := os.MkdirAll(r.site(), 0o755); err != nil {
		return err
	}
	if err := os.Chmod(r.work, 0o755); err != nil { // a server that gives up root has to read them
		return err
	}
	const hello = "Hello, World!"
	text := strings.Repeat(hello, size/len(hello)+1)[:size]
	return os.WriteFile(path, []byte(text), 0o644)
}
