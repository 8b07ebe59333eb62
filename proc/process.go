package proc

import (
	"errors"
	"os"
	"strconv"

	"ringo"
	"ringo/file"
	"ringo/internal/kernel"
)

// A process is one whose end is waited for.
type process struct {
	*os.Process
	fd     *file.File            // its pidfd; nil: none is to be had
	over   *ringo.Chan[struct{}] // without one: closed when state and err are set
	reaped bool
	state  *os.ProcessState
	err    error
}

var pidFD = kernel.PidFD // but in tests

// watch makes the end of p something that can be waited for.
func watch(p *os.Process) *process {
	w := &process{Process: p}
	if fd := pidFD(p.Pid); fd >= 0 {
		if w.fd = file.NewFile(uintptr(fd), "process "+strconv.Itoa(p.Pid)); w.fd != nil {
			// The number was that process's when the descriptor was opened, if it is now: no one else has waited for
			// it.
			if err := p.Signal(kernel.NoSignal); !errors.Is(err, os.ErrProcessDone) {
				return w
			}
			w.close()
		}
	}
	w.over = ringo.NewChan[struct{}](0)
	go func() {
		w.state, w.err = p.Wait()
		w.over.Close()
	}()
	return w
}

// await waits until the process has ended. An error is that of the wait, and the process may go on.
func (w *process) await() error {
	if w.fd == nil {
		if _, err := w.over.Recv(); err != ringo.ErrClosed {
			return err
		}
		return nil
	}
	raw, err := w.fd.SyscallConn()
	if err != nil {
		return err
	}
	return raw.Read(func(fd uintptr) bool { return kernel.Exited(int32(fd)) })
}

// reap takes the state of a process that has ended.
func (w *process) reap() (*os.ProcessState, error) {
	if w.fd != nil {
		w.state, w.err = w.Wait() // at once
		w.close()
	}
	w.reaped = true
	return w.state, w.err
}

func (w *process) close() {
	w.fd.Close()
	w.fd = nil
}
