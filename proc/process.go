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

// A process is one whose end is waited for.
type process struct {
	*os.Process
	fd     *file.File            // its pidfd; nil: a goroutine waits
	over   *ringo.Chan[struct{}] // then closed when state and err are set
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
	w.beside()
	return w
}

// beside has a goroutine wait, and its thread.
func (w *process) beside() {
	w.over = ringo.NewChan[struct{}](0)
	go func() {
		w.state, w.err = w.Wait()
		w.over.Close()
	}()
}

// await waits until the process has ended. An error is that of the wait, and the process may go on.
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

// awaitFD is await by the pidfd, which a driver may not be able to watch: select watches no high numbers. ours is
// whether reap takes the state at once: that of a traced process goes to the tracer first, which may take its time.
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
