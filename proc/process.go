package proc

import (
	"context"
	"errors"
	"os"
	"strconv"

	"ringo"
	"ringo/file"
	"ringo/internal/caller"
	"ringo/internal/kernel"
)

// A process is a started process whose end can be waited for.
type process struct {
	*os.Process
	fd     *file.File            // the pidfd; nil: a goroutine waits
	over   *ringo.Chan[struct{}] // of that goroutine: closed when state and err are set
	reaped bool
	state  *os.ProcessState
	err    error
}

var pidFD = kernel.PidFD // replaced in tests

// watch returns p with a way to wait for its end: a pidfd or, if there is none, a goroutine.
func watch(p *os.Process) *process {
	w := &process{Process: p}
	if fd := pidFD(p.Pid); fd >= 0 {
		if w.fd = file.NewFile(uintptr(fd), "process "+strconv.Itoa(p.Pid)); w.fd != nil {
			// The pidfd was opened by the process's number. If the process is not reaped yet, the number has been its
			// own all the time.
			if err := p.Signal(kernel.NoSignal); !errors.Is(err, os.ErrProcessDone) {
				return w
			}
			w.close()
		}
	}
	w.beside()
	return w
}

// beside starts a goroutine that waits for the process, which takes a thread.
func (w *process) beside() {
	w.over = ringo.NewChan[struct{}](0)
	go func() {
		w.state, w.err = w.Wait()
		w.over.Close()
	}()
}

// await waits until the process has ended. If the pidfd does not serve for that, a goroutine waits instead. An error is
// that of the wait; the process may still run.
func (w *process) await() error {
	if w.fd != nil {
		ours, err := w.awaitFD()
		if ours || err != nil && caller.Ended(context.Background()) != nil {
			return err
		}
		w.close()
		w.beside()
	}
	if _, err := w.over.Recv(); err != ringo.ErrClosed {
		return err
	}
	return nil
}

// awaitFD is await by way of the pidfd. It fails if the driver can't watch the pidfd: select(2) watches no high
// numbers. ours reports whether reap can take the state at once: a traced process's state goes first to its tracer,
// which may take its time.
func (w *process) awaitFD() (ours bool, err error) {
	raw, err := w.fd.SyscallConn()
	if err != nil {
		return false, err
	}
	err = raw.Read(func(fd uintptr) bool {
		ended := kernel.Exited(int32(fd))
		ours = ended && kernel.Reapable(int32(fd))
		return ended
	})
	return ours, err
}

// reap takes the state of a process that has ended. It does not wait.
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
