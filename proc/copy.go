package proc

import (
	"context"
	"errors"
	"io"
	"os"
	"sync/atomic"

	"ringo"
	"ringo/file"
	"ringo/internal/caller"
	"ringo/internal/loop"
	"ringo/internal/posix"
)

// copies are the copies between the program's Readers and Writers and the command's pipes.
type copies struct {
	run   []func() error
	stop  []func()     // cancels the tasks that copy
	going atomic.Int32 // copies that have not ended
	ended *ringo.Chan[error]
	left  int   // copies whose result await has not received
	err   error // the first error of a copy
}

// ourEnd is the program's end of a pipe, as the copies use it. It hides File's ReadFrom and WriteTo, which io.Copy
// would prefer: unlike transfer, they stop when the task is cancelled.
type ourEnd struct {
	f      *file.File
	of     *Cmd
	unread bool // the process has stopped reading; unlike an EPIPE of the program's own Reader, that is no error
}

func (e *ourEnd) Read(p []byte) (int, error) { return e.of.transfer(e.f.Read, p) }

func (e *ourEnd) Write(p []byte) (int, error) {
	n, err := e.of.transfer(e.f.Write, p)
	e.unread = errors.Is(err, posix.EPIPE)
	return n, err
}

// transfer reads or writes by way of call. If the task that copies is cancelled, as at the end of a ringo.Run, the copy
// would stop. But if Run waits for the command, or the command's context has ended, transfer goes on with the task
// shielded, until the pipe is closed.
func (c *Cmd) transfer(call func([]byte) (int, error), p []byte) (n int, err error) {
	n, err = call(p)
	if l, _ := loop.Current(); err == nil || l == nil || !l.Canceled() || !c.runs && !c.isEnding() {
		return n, err
	}
	err = shielded(func() error {
		more, err := call(p[n:])
		n += more
		return err
	})
	return n, err
}

// copyFrom sets up a copy from r to the process, and returns the file from which the process reads it.
func (c *Cmd) copyFrom(r io.Reader) (*os.File, error) {
	theirs, ours, err := c.pipes.open(true)
	if err == nil {
		c.copies.run = append(c.copies.run, func() error {
			defer ours.Close() // also if r panics
			to := &ourEnd{f: ours, of: c}
			_, err := io.Copy(to, r)
			if to.unread { // a process need not read all
				err = nil
			}
			if late := ours.Close(); err == nil && !errors.Is(late, os.ErrClosed) {
				err = late
			}
			return err
		})
	}
	return theirs, err
}

// copyTo sets up a copy to w, and returns the file to which the process writes.
func (c *Cmd) copyTo(w io.Writer) (*os.File, error) {
	theirs, ours, err := c.pipes.open(false)
	if err == nil {
		c.copies.run = append(c.copies.run, func() error {
			defer ours.Close() // a process that writes on gets EPIPE
			_, err := io.Copy(w, &ourEnd{f: ours, of: c})
			return err
		})
	}
	return theirs, err
}

// errNoEnd is the result of a copy whose Reader or Writer panicked, or ended its task or goroutine.
var errNoEnd = errors.New("proc: what copies to or from the command did not return")

// begin starts the copies: in tasks of the caller's loop if the caller is a task, otherwise on goroutines.
func (c *copies) begin() {
	c.left = len(c.run)
	c.going.Store(int32(c.left))
	c.ended = ringo.NewChan[error](c.left)
	for _, run := range c.run {
		c.stop = append(c.stop, caller.Begin(context.Background(), func(context.Context) {
			err := errNoEnd
			defer func() {
				c.going.Add(-1)
				c.ended.TrySend(err) // there is room
			}()
			err = run()
		}))
	}
	c.run = nil
}

// cancel cancels the tasks that copy, so that waits in the program's Reader or Writer end. It can't end those of a
// goroutine.
func (c *copies) cancel() {
	for _, stop := range c.stop {
		stop()
	}
}

// await waits until all copies have ended, and keeps the first error of a copy. It returns the error of the wait.
func (c *copies) await() error {
	for ; c.left > 0; c.left-- {
		err, ended := c.ended.Recv()
		if ended != nil {
			return ended
		}
		if c.err == nil {
			c.err = err
		}
	}
	return nil
}
