package proc

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"time"

	"ringo"
	"ringo/internal/loop"
)

// ending is the end of a command by its context, or by the end of a task's wait in Run.
type ending struct {
	stop func() bool           // of the context's; nil: there is none
	over *ringo.Chan[struct{}] // closed when Cancel has returned

	mu    sync.Mutex
	begun bool
	err   error // what came of Cancel
	timer *time.Timer
	late  bool // the copies have not ended within WaitDelay
}

// Wait waits until the command has ended and all is copied, as exec.Cmd.Wait does, with its errors. A task parks. If
// the task is cancelled, or a WithTimeout or WithContext ends, and not the command's context, Wait returns that error:
// the command goes on, and Wait may be called again.
func (c *Cmd) Wait() error {
	switch {
	case c.process == nil:
		return errors.New("proc: Wait before Start has succeeded")
	case c.ProcessState != nil:
		return errors.New("proc: Wait was called already")
	}
	if err := c.untilEnded(c.reap); err != nil {
		return err
	}
	if err := c.untilEnded(c.copies.await); err != nil {
		return err
	}
	return c.conclude()
}

// untilEnded calls wait. If that was ended and the command's context is over, it does so once more, to the end, which
// is near.
func (c *Cmd) untilEnded(wait func() error) error {
	err := wait()
	if err == nil || c.ctx == nil || c.ctx.Err() == nil {
		return err
	}
	return shielded(wait)
}

// shielded calls fn, whose waits go on when the caller is cancelled.
func shielded(fn func() error) error {
	if l, _ := loop.Current(); l != nil {
		l.Shield()
		defer l.Unshield()
	}
	return fn()
}

// reap waits until the process has ended, and takes its state. From then on the copies have WaitDelay.
func (c *Cmd) reap() error {
	if c.process.reaped {
		return nil
	}
	if err := c.process.await(); err != nil {
		return err
	}
	c.ending.settle() // who is reaped has no number any more that Cancel could use
	state, err := c.process.reap()
	if err == nil && !state.Success() {
		err = &exec.ExitError{ProcessState: state}
	}
	c.exit = err
	if c.copies.left > 0 {
		c.limit()
	}
	return nil
}

// conclude leaves nothing of the command but what came of it.
func (c *Cmd) conclude() error {
	c.pipes.close()
	c.ProcessState = c.process.state
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
	case e.late && c.copies.err != nil:
		return exec.ErrWaitDelay // what the copies say comes of that
	}
	return c.copies.err
}

// end ends the process since something has ended.
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
	c.limit()
}

// settle sees to it that no end begins any more, and that one that has begun is over.
func (e *ending) settle() {
	if e.stop != nil && !e.stop() {
		shielded(func() error {
			e.over.Recv() // until it is closed
			return nil
		})
	}
}

// limit gives what the command does from now on WaitDelay.
func (c *Cmd) limit() {
	e := &c.ending
	e.mu.Lock()
	defer e.mu.Unlock()
	if c.WaitDelay > 0 && e.timer == nil {
		e.timer = time.AfterFunc(c.WaitDelay, c.giveUp)
	}
}

// giveUp kills the process, if it has not ended, and closes the pipes, which others may have who were started by it.
func (c *Cmd) giveUp() {
	c.kill()
	c.ending.mu.Lock()
	c.ending.late = true
	c.ending.mu.Unlock()
	c.pipes.close()
}

// endWith ends a command of which a task waits no more, for this reason.
func (c *Cmd) endWith(reason error) error {
	cancel := c.Cancel
	if cancel == nil {
		cancel = c.kill
	}
	c.end(cancel, reason)
	err := shielded(func() error {
		if err := c.reap(); err != nil {
			return err
		}
		if c.WaitDelay == 0 {
			c.pipes.close()
		}
		return c.Wait()
	})
	if err == nil || errors.Is(err, reason) {
		return err
	}
	return fmt.Errorf("%w: %w", reason, err)
}
