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

// ending is the end of a command by its context, or by the end of a task's wait in Run.
type ending struct {
	stop func() bool           // of the context's; nil: there is none
	over *ringo.Chan[struct{}] // closed when Cancel has returned

	mu    sync.Mutex
	begun bool
	err   error // what came of Cancel
	timer *time.Timer
	late  bool // not all copies had ended when WaitDelay was over
}

// Wait waits until the command has ended and all is copied, as exec.Cmd.Wait does, with its errors. A task parks. If
// the task is cancelled, or a WithTimeout or WithContext ends, but the command's context does not, Wait returns that
// error: the command goes on, and Wait may be called again. The end of a ringo.Run cancels the tasks that copy as well,
// unless Cmd.Run waits or the command's context has ended; a command that goes on writing then gets SIGPIPE.
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

// isEnding reports whether that is over.
func (c *Cmd) isEnding() bool { return c.endsByContext() && c.ctx.Err() != nil }

// lastWords is how long pipes are waited for that have no WaitDelay, behind a process that has ended, by a task that
// was cancelled: what others keep open has no end, and what is in them is read at once.
const lastWords = 100 * time.Millisecond

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
		c.limit(c.WaitDelay)
	}
	return nil
}

// conclude leaves nothing of the command but what came of it.
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
	c.limit(c.WaitDelay)
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

// limit gives what the command does from now on so much time, if d is not 0.
func (c *Cmd) limit(d time.Duration) {
	e := &c.ending
	e.mu.Lock()
	defer e.mu.Unlock()
	if d != 0 && e.timer == nil {
		e.timer = time.AfterFunc(d, c.giveUp)
	}
}

// giveUp kills the process, if it has not ended, and ends what is copied: others may have its pipes whom it has
// started.
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

// endWith ends a command that Run waits for no more, for this reason.
func (c *Cmd) endWith(reason error) error {
	cancel := c.Cancel
	if cancel == nil {
		cancel = c.kill
	}
	err := shielded(func() error {
		if !c.process.reaped { // else nothing has its number
			end := func() error { c.end(cancel, reason); return nil }
			if aside(end) != nil { // it may wait
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

// endedError is what came of a command that was ended with a task's wait.
type endedError struct{ reason, exit error }

func (e *endedError) Error() string { return e.reason.Error() + ": " + e.exit.Error() }

func (e *endedError) Unwrap() []error { return []error{e.reason, e.exit} }

// Timeout reports whether it was a WithTimeout that ended.
func (e *endedError) Timeout() bool { return errors.Is(e.reason, os.ErrDeadlineExceeded) }
