//go:build linux

package service

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"syscall"

	"ringo/internal/kernel"
	"ringo/internal/posix"
)

// runInit is Init in process 1.
func runInit() error {
	signals := make(chan os.Signal, len(handedOn))
	signal.Notify(signals, handedOn...) // before the child starts: the channel keeps what comes meanwhile
	signal.Ignore(syscall.SIGTTIN, syscall.SIGTTOU)
	cmd, err := startChild()
	if err != nil {
		signal.Reset()
		return fmt.Errorf("service: Init: the program can't be started as a child of process 1: %w", err)
	}
	go func() {
		for s := range signals {
			cmd.Process.Signal(s) // it fails once the child has ended, and then so does this process
		}
	}()
	for {
		pid, status, res := kernel.WaitAny()
		switch {
		case res < 0: // unexpected: nothing else in this process reaps the child
			return fmt.Errorf("service: Init: wait4: %w", posix.Of(res))
		case pid == cmd.Process.Pid:
			os.Exit(exitCode(syscall.WaitStatus(status)))
		}
	}
}

// startChild starts the program once more, as a child in a process group of its own, with the terminal if there is one.
func startChild() (*exec.Cmd, error) {
	file, err := os.Executable()
	if err != nil {
		return nil, err
	}
	start := func(terminal bool) (*exec.Cmd, error) {
		cmd := exec.Command(file)
		cmd.Args = slices.Clone(os.Args)
		cmd.Env = append(os.Environ(), initVariable+"=1")
		cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Foreground: terminal}
		return cmd, cmd.Start()
	}
	// The terminal sends the signal of a key to the child's group alone. In process 1's group the child would get that
	// signal twice: once more when Init passes it on.
	cmd, err := start(true)
	if errors.Is(err, syscall.ENOTTY) {
		cmd, err = start(false)
	}
	return cmd, err
}

// exitCode returns the exit code that a shell shows for a process.
func exitCode(s syscall.WaitStatus) int {
	if s.Signaled() {
		return 128 + int(s.Signal())
	}
	return s.ExitStatus()
}

// handedOn are the signals that Init passes on to the child.
var handedOn = func() (all []os.Signal) {
	for s := syscall.Signal(1); s <= signalMax; s++ {
		if !slices.Contains(kept, s) {
			all = append(all, s)
		}
	}
	return all
}()

// signalMax is Linux's highest signal number; only MIPS has higher ones.
const signalMax = 64

// kept are the signals that Init does not pass on: process 1 gets them for itself, or can't catch them.
var kept = []syscall.Signal{
	syscall.SIGKILL, syscall.SIGSTOP, syscall.SIGCHLD, syscall.SIGPIPE, syscall.SIGURG, syscall.SIGTTIN,
	syscall.SIGTTOU, syscall.SIGSEGV, syscall.SIGBUS, syscall.SIGFPE, syscall.SIGILL, syscall.SIGABRT, syscall.SIGTRAP,
	syscall.SIGSYS, stackFault, syscall.SIGPROF, syscall.SIGVTALRM,
	32, 33, // used by the C library
}
