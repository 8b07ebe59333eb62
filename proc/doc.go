// Package proc runs commands from tasks and from goroutines, with the API of package os/exec. A Cmd is an [exec.Cmd],
// but this package starts the command, waits for it and makes its pipes, so that none of this stops a task's loop:
//
//	out, err := proc.CommandContext(l.Context(), "git", "rev-parse", "HEAD").Output()
//
// A task has another thread start its command, because clone(2) blocks the calling thread until the program has been
// loaded. Wait uses a pidfd, a descriptor of the process (Linux 5.3): a running command takes no thread, and no
// goroutine either, except for the copies below. Where the kernel has no pidfd, or a filter refuses it, each command
// takes a goroutine and a thread, as with os/exec.
//
// If Stdin, Stdout or Stderr is not an *os.File, its data is copied through a pipe: by a task of the caller's loop if a
// task calls Start, otherwise by a goroutine. Pipes are read and written like any file of package file.
//
// Errors are os/exec's: *exec.ExitError, exec.ErrNotFound, exec.ErrWaitDelay. A simulated world has no processes:
// starting a command there fails with errors.ErrUnsupported.
package proc
