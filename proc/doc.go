// Package proc runs commands from tasks and from goroutines, with the names of package os/exec: a Cmd is an [exec.Cmd]
// whose starting, waiting and pipes are done here. In a task none of it stops the loop:
//
//	out, err := proc.CommandContext(l.Context(), "git", "rev-parse", "HEAD").Output()
//
// A command is started on another thread, because clone(2) holds its caller's thread until the program has been loaded.
// Wait uses a descriptor of the process, a pidfd (Linux 5.3): a running command takes no thread, and no goroutine
// either, except for the copies below. Where the kernel has no pidfd, or a filter refuses it, each command takes a
// goroutine and a thread, as with os/exec.
//
// If Stdin, Stdout or Stderr is not an *os.File, its data is copied through a pipe: by a task of the caller's loop if a
// task calls Start, otherwise by a goroutine. Pipes are read and written like any file of package file.
//
// Errors are os/exec's: *exec.ExitError, exec.ErrNotFound, exec.ErrWaitDelay. In a simulated world, which has no
// processes, starting fails with errors.ErrUnsupported.
package proc
