//go:build linux

// Package rig builds the programs that are compared, and measures one of them at a time: a fresh process on a core of
// its own, with the load generator on another.
package rig

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

// Rig is where measurements are made. It belongs to one goroutine.
type Rig struct {
	Bench   string  // the directory of the module
	Seconds float64 // the measured window
	Warmup  float64 // before it
	Quiet   float64 // share of a core that other programs may take; a sample with more of it is measured again
	Again   int     // how often at most
	Spare   int     // and how often in all
	CPU     int     // the server's
	LoadCPU int     // the load generator's

	bin, work string
	port      int
	spawn     chan func()
}

// Open makes a rig whose files of the moment lie in a directory of their own, until Close.
func Open(bench string) (*Rig, error) {
	work, err := os.MkdirTemp("", "compare")
	if err != nil {
		return nil, err
	}
	// Below the ephemeral range, and not the same for two runs that follow each other.
	r := &Rig{Bench: bench, bin: filepath.Join(bench, "bin"), work: work, port: 20_000 + os.Getpid()%8_000, LoadCPU: 1,
		spawn: make(chan func())}
	go r.spawner()
	return r, errors.Join(raiseFiles(), r.makeSite())
}

// Close forgets the rig and its files.
func (r *Rig) Close() error {
	close(r.spawn)
	return os.RemoveAll(r.work)
}

// raiseFiles lets the programs have as many descriptors as the system allows: a thousand connections, and a thousand
// more behind a proxy.
func raiseFiles() error {
	var lim syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &lim); err != nil {
		return os.NewSyscallError("getrlimit", err)
	}
	lim.Cur = lim.Max
	return os.NewSyscallError("setrlimit", syscall.Setrlimit(syscall.RLIMIT_NOFILE, &lim))
}

// Build builds the Go programs, and those in C if there is a compiler.
func (r *Rig) Build(ctx context.Context) error {
	if err := os.MkdirAll(r.bin, 0o777); err != nil {
		return err
	}
	if err := r.run(ctx, r.Bench, "go", "build", "-o", r.bin+"/", "./cmd/..."); err != nil {
		return err
	}
	ringo := filepath.Join(r.bin, "ringo")
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
		out := filepath.Join(r.bin, strings.TrimSuffix(filepath.Base(f), ".c"))
		if err := r.run(ctx, r.Bench, "gcc", "-O2", "-Wall", "-pthread", "-o", out, f); err != nil {
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

// sbin finds a server that lies where only root's shell looks.
func sbin(program string) string {
	for _, dir := range []string{"/usr/local/sbin", "/usr/sbin", "/sbin"} {
		name := filepath.Join(dir, program)
		if info, err := os.Stat(name); err == nil && info.Mode()&0o111 != 0 {
			return name
		}
	}
	return ""
}

// Find is the path of a program, "" if it is not installed.
func Find(program string) string {
	if path, err := exec.LookPath(program); err == nil {
		return path
	}
	return sbin(program)
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

// siteSizes are the files that the servers of files have, by name.
var siteSizes = []int{1 << 10, 64 << 10}

func siteName(size int) string { return fmt.Sprintf("%d.txt", size) }

// makeSite writes the files, of the bytes that the load generator expects.
func (r *Rig) makeSite() error {
	dir := filepath.Join(r.work, "www")
	if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	if err := os.Chmod(r.work, 0o755); err != nil { // a server that gives up root has to read them
		return err
	}
	for _, size := range siteSizes {
		const hello = "Hello, World!"
		text := strings.Repeat(hello, size/len(hello)+1)[:size]
		if err := os.WriteFile(filepath.Join(dir, siteName(size)), []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}
