//go:build linux

// Waitid runs shell commands at the same time and reports each when it has ended. The ring waits for the children: no
// signal is handled, and no thread waits.
//
//	waitid COMMAND...
package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"

	"ringo/uring"
)

func main() {
	if err := run(os.Stdout, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "waitid:", err)
		os.Exit(1)
	}
}

const atOnce = 64 // children at most

// run starts the commands, with a waitid request for each, and prints them in the order in which they end.
func run(out io.Writer, commands []string) error {
	if len(commands) > atOnce {
		return fmt.Errorf("%d commands: %d at most", len(commands), atOnce)
	}
	runtime.LockOSThread() // the ring belongs to this thread
	defer runtime.UnlockOSThread()
	r, err := uring.Open(atOnce, nil)
	if err != nil {
		return err
	}
	defer r.Close()
	infos := make([]unix.Siginfo, len(commands)) // the kernel writes to them until the CQEs
	for i, command := range commands {
		pid, err := syscall.ForkExec("/bin/sh", []string{"sh", "-c", command}, &syscall.ProcAttr{
			Env: os.Environ(), Files: []uintptr{0, 1, 2}})
		if err != nil {
			return errors.Join(fmt.Errorf("%s: %w", command, err), r.CancelAll(-1))
		}
		e := r.SQE()
		prepWait(e, pid, &infos[i])
		e.SetUserData(uint64(i))
	}
	for range commands {
		if _, werr := r.Wait(1, -1); werr != nil {
			return errors.Join(err, werr, r.CancelAll(-1))
		}
		c, _ := r.CQE()
		command, info := commands[c.UserData], &infos[c.UserData]
		switch {
		case c.Res < 0:
			err = errors.Join(err, fmt.Errorf("%s: %w", command, os.NewSyscallError("waitid", syscall.Errno(-c.Res))))
		case info.Code == exited:
			fmt.Fprintf(out, "%s: exit code %d\n", command, status(info))
		default:
			fmt.Fprintf(out, "%s: killed by %v\n", command, syscall.Signal(status(info)))
		}
	}
	return err
}
