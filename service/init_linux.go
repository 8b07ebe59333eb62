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

// runInit is Init as process 1.
func runInit() error {
	signals := make(chan os.Signal, len(handedOn))
	signal.Notify(signals, handedOn...) // before there is a child: what comes meanwhile waits
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
		case res < 0: // nothing but the kernel takes the child from here
			return fmt.Errorf("service: Init: wait4: %w", posix.Of(res))
		case pid == cmd.Process.Pid:
			os.Exit(exitCode(syscall.WaitStatus(status)))
		}
	}
}

// startChild starts the program once more.
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
	// A child in a group of its own is not sent what a key sends, and then once more what is handed on.
	cmd, err := start(true)
	if errors.Is(err, syscall.ENOTTY) {
		cmd, err = start(false)
	}
	return cmd, err
}

// exitCode is what a shell shows for a process.
func exitCode(s syscall.WaitStatus) int {
	if s.Signaled() {
		return 128 + int(s.Signal())
	}
	return s.ExitStatus()
}

// handedOn are the signals that the child gets.
var handedOn = func() (all []os.Signal) {
	for s := syscall.Signal(1); s <= signalMax; s++ {
		if !slices.Contains(kept, s) {
			all = append(all, s)
		}
	}
	return all
}()

// signalMax is the last of Linux' signals.
const signalMax = 64

// kept are the signals that are process 1's own, or nobody's to catch.
var kept = []syscall.Signal{
	syscall.SIGKILL, syscall.SIGSTOP, syscall.SIGCHLD, syscall.SIGPIPE, syscall.SIGURG, syscall.SIGTTIN,
	syscall.SIGTTOU, syscall.SIGSEGV, syscall.SIGBUS, syscall.SIGFPE, syscall.SIGILL, syscall.SIGABRT, syscall.SIGTRAP,
	syscall.SIGSYS, stackFault, syscall.SIGPROF, syscall.SIGVTALRM,
	32, 33, // the C library's
}
