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

// copies is what is copied to and from a command.
type copies struct {
	run   []func() error
	stop  []func()     // cancels the tasks that do
	going atomic.Int32 // how many have not ended
	ended *ringo.Chan[error]
	left  int   // of which that is not known
	err   error // the first
}

// ourEnd is our end of a pipe, for who copies. It has no other methods of a File's, which know no patience.
type ourEnd struct {
	f      *file.File
	of     *Cmd
	unread bool // the process reads no more, where an EPIPE of the program's own Reader is another matter
}

func (e *ourEnd) Read(p []byte) (int, error) { return e.of.transfer(e.f.Read, p) }

func (e *ourEnd) Write(p []byte) (int, error) {
	n, err := e.of.transfer(e.f.Write, p)
	e.unread = errors.Is(err, posix.EPIPE)
	return n, err
}

// transfer reads or writes, until the pipe is closed: beyond a cancel, which is the end of the ringo.Run, if something
// ends the command.
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

// copyFrom has r copied to the process, by way of the file.
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

// copyTo has what the process writes to the file copied to w.
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

// errNoEnd is what becomes of a copy whose Reader or Writer panics, or ends its task.
var errNoEnd = errors.New("proc: what copies to or from the command did not return")

// begin starts them, in tasks if the caller is one.
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

// cancel has tasks end that wait in a Reader or Writer of the program's. Goroutines can't be told.
func (c *copies) cancel() {
	for _, stop := range c.stop {
		stop()
	}
}

// await waits until all have ended. The error is that of the wait.
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
