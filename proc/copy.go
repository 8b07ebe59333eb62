package proc

import (
	"context"
	"errors"
	"io"
	"os"
	"syscall"

	"ringo"
	"ringo/internal/caller"
)

// copies is what is copied to and from a command.
type copies struct {
	run   []func() error
	ended *ringo.Chan[error]
	left  int
	err   error // the first
}

// copyFrom has r copied to the process, by way of the file.
func (c *Cmd) copyFrom(r io.Reader) (*os.File, error) {
	theirs, ours, err := c.pipes.open(true)
	if err == nil {
		c.copies.run = append(c.copies.run, func() error {
			_, err := io.Copy(ours, r)
			if errors.Is(err, syscall.EPIPE) { // a process need not read all
				err = nil
			}
			return errors.Join(err, unlessClosed(ours.Close()))
		})
	}
	return theirs, err
}

// copyTo has what the process writes to the file copied to w.
func (c *Cmd) copyTo(w io.Writer) (*os.File, error) {
	theirs, ours, err := c.pipes.open(false)
	if err == nil {
		c.copies.run = append(c.copies.run, func() error {
			_, err := io.Copy(w, ours)
			ours.Close() // a process that writes on gets EPIPE
			return err
		})
	}
	return theirs, err
}

func unlessClosed(err error) error {
	if errors.Is(err, os.ErrClosed) {
		return nil
	}
	return err
}

// errNoEnd is what becomes of a copy whose Reader or Writer panics, or ends its task.
var errNoEnd = errors.New("proc: what copies to or from the command did not return")

// begin starts them, in tasks if the caller is one.
func (c *copies) begin() {
	c.left = len(c.run)
	c.ended = ringo.NewChan[error](c.left)
	for _, run := range c.run {
		caller.Begin(context.Background(), func(context.Context) {
			err := errNoEnd
			defer func() { c.ended.TrySend(err) }() // there is room
			err = run()
		})
	}
	c.run = nil
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
