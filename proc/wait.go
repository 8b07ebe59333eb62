package proc

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"time"

	"ringo"
	"ringo/internal/loop"
)

// ending is the early end of a command: by its context, or because the wait in Run has ended.
type ending struct {
	stop func() bool           // of the context's AfterFunc; nil: no context
	over *ringo.Chan[struct{}] // closed when end is done, and so is Cancel

	mu    sync.Mutex
	begun bool
	err   error // Cancel's error or, if it succeeded, the reason for calling it
	timer *time.Timer
	late  bool // copies were still running when WaitDelay was over
}

// Wait waits until the command has ended and everything is copied, as exec.Cmd.Wait does, and returns that method's
// errors. A task parks. If the task is cancelled, or its WithTimeout or WithContext ends, while the command's context
// has not ended, Wait returns the error of that: the command goes on, and Wait can be called again. The end of a
// ringo.Run also cancels the tasks that copy, unless Cmd.Run waits or the command's context has ended; a command that
// goes on writing then gets SIGPIPE.
func (c *Cmd) Wait() error {
	switch {
	case c.process == nil:
		return errors.New("proc: Wait before Start has succeeded")
	case c.concluded:
		return errors.New("proc: Wait was called already")
	}
	err := c.reap()
	if err != nil && c.isEnding() {
		err = shielded(c.reap)
	}
	if err != nil {
		return err
	}
	if err = c.copies.await(); err != nil && c.isEnding() {
		c.limit(cmp.Or(c.WaitDelay, lastWords))
		err = shielded(c.copies.await)
	}
	if err != nil {
		return err
	}
	return c.conclude()
}

// endsByContext reports whether the command has a context that ends it.
func (c *Cmd) endsByContext() bool { return c.ctx != nil && (c.Cancel != nil || c.WaitDelay != 0) }

// isEnding reports whether that context has ended.
func (c *Cmd) isEnding() bool { return c.endsByContext() && c.ctx.Err() != nil }

// lastWords is how long a cancelled task waits for the pipes of a process that has ended, if WaitDelay is 0. What is in
// a pipe is read at once, but a pipe that another process keeps open may never end.
const lastWords = 100 * time.Millisecond

// shielded calls fn with the calling task shielded: the waits in fn go on when the task is cancelled.
func shielded(fn func() error) error {
	if l, _ := loop.Current(); l != nil {
		l.Shield()
		defer l.Unshield()
	}
	return fn()
}

// reap waits until the process has ended, and takes its state. From then on WaitDelay limits the copies.
func (c *Cmd) reap() error {
	if c.process.reaped {
		return nil
	}
	if err := c.process.await(); err != nil {
		return err
	}
	c.ending.settle() // reaping frees the process ID, by which Cancel may signal
	state, err := c.process.reap()
	if err == nil && !state.Success() {
		err = &exec.ExitError{ProcessState: state}
	}
	c.exit = err
	if c.copies.left > 0 {
		c.limit(c.WaitDelay)
	}
	return nil
}

// conclude frees what the command has, and returns its result.
func (c *Cmd) conclude() error {
	c.pipes.close()
	c.concluded, c.ProcessState = true, c.process.state
	e := &c.ending
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.timer != nil {
		e.timer.Stop()
	}
	switch {
	case c.exit != nil:
		return c.exit
	case e.err != nil:
		return e.err
	case e.late:
		return exec.ErrWaitDelay // the errors of the copies follow from it
	}
	return c.copies.err
}

// end ends the process by cancel, for the reason since, and begins WaitDelay. Only the first call does anything.
func (c *Cmd) end(cancel func() error, since error) {
	e := &c.ending
	e.mu.Lock()
	begun := e.begun
	e.begun = true
	e.mu.Unlock()
	if begun {
		return
	}
	defer e.over.Close()
	if cancel != nil {
		err := cancel()
		switch {
		case err == nil:
			err = since
		case errors.Is(err, os.ErrProcessDone):
			err = nil
		default:
			err = fmt.Errorf("proc: Cancel: %w", err)
		}
		e.mu.Lock()
		e.err = err
		e.mu.Unlock()
	}
	c.limit(c.WaitDelay)
}

// settle makes sure that the end of the context no longer calls end; if it has, settle waits until that call is done.
func (e *ending) settle() {
	if e.stop != nil && !e.stop() {
		shielded(func() error {
			e.over.Recv() // until it is closed
			return nil
		})
	}
}

// limit gives the command d from now on, and then calls giveUp; 0 means no limit. Only the first limit counts.
func (c *Cmd) limit(d time.Duration) {
	e := &c.ending
	e.mu.Lock()
	defer e.mu.Unlock()
	if d != 0 && e.timer == nil {
		e.timer = time.AfterFunc(d, c.giveUp)
	}
}

// giveUp kills the process, if it has not ended. If copies still run, it closes their pipes and cancels them: processes
// that the command has started may have the other ends.
func (c *Cmd) giveUp() {
	c.kill()
	if c.copies.going.Load() == 0 { // the program may still read what is in its pipes
		return
	}
	c.ending.mu.Lock()
	c.ending.late = true
	c.ending.mu.Unlock()
	c.pipes.close()
	c.copies.cancel()
}

// endWith ends the command because the wait in Run has ended for this reason.
func (c *Cmd) endWith(reason error) error {
	cancel := c.Cancel
	if cancel == nil {
		cancel = c.kill
	}
	err := shielded(func() error {
		if !c.process.reaped { // else nothing has its number
			end := func() error { c.end(cancel, reason); return nil }
			if aside(end) != nil { // Cancel may block
				end()
			}
		}
		if err := c.reap(); err != nil {
			return err
		}
		c.limit(cmp.Or(c.WaitDelay, lastWords))
		return c.Wait()
	})
	if err == nil || errors.Is(err, reason) {
		return err
	}
	return &endedError{reason, err}
}

// endedError is the error of Run if its wait ended: the reason for that, and the result of the command.
type endedError struct{ reason, exit error }

func (e *endedError) Error() string { return e.reason.Error() + ": " + e.exit.Error() }

func (e *endedError) Unwrap() []error { return []error{e.reason, e.exit} }

// Timeout reports whether the end of a WithTimeout was the reason.
func (e *endedError) Timeout() bool { return errors.Is(e.reason, os.ErrDeadlineExceeded) }
