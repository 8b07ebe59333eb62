package proc

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"

	"ringo"
	"ringo/internal/kernel"
	"ringo/internal/lane"
	"ringo/internal/loop"
)

// A Cmd is a command to be run, or that runs, with the fields of [exec.Cmd]; Command and CommandContext make it. A Cmd
// is used once. Any goroutine may call its methods, one at a time, and so may tasks of different loops. Of the embedded
// exec.Cmd's own methods use only Environ and String.
type Cmd struct {
	exec.Cmd

	ctx       context.Context // nil: none
	runs      bool            // Run waits, and sees to the end
	started   bool
	concluded bool
	process   *process // nil: it has not been started
	exit      error    // what came of it
	pipes     pipes
	copies    copies
	ending    ending
}

// Command makes the Cmd that runs the named program with these arguments, as exec.Command does. A name without a slash
// is looked up in PATH: a task parks. Any goroutine may call it.
func Command(name string, arg ...string) *Cmd {
	c := new(Cmd)
	find := func() error {
		c.Cmd = *exec.Command(name, arg...)
		return nil
	}
	err := supported()
	switch {
	case err != nil:
	case filepath.Base(name) != name: // nothing is looked up
		err = find()
	default:
		err = shielded(func() error { return aside(find) }) // a task that cleans up may run commands
	}
	if err != nil {
		c.Path, c.Args, c.Err = name, append([]string{name}, arg...), err
	}
	return c
}

// CommandContext is like Command, and the end of ctx ends the command, as with exec.CommandContext: it calls Cancel,
// which kills the process unless it is set to something else, and after WaitDelay, if that is not 0, the process is
// killed and its pipes are closed. Cancel is called on a goroutine. CommandContext panics if ctx is nil. With a task's
// own context, Loop.Context, the command ends with the task.
func CommandContext(ctx context.Context, name string, arg ...string) *Cmd {
	if ctx == nil {
		panic("proc: CommandContext of a nil context")
	}
	c := Command(name, arg...)
	c.ctx = ctx
	c.Cancel = c.kill
	return c
}

func (c *Cmd) kill() error { return c.Process.Kill() }

// Run starts the command and waits until it has ended, with the errors of Start and Wait. A task parks. If it is
// cancelled, or a WithTimeout or WithContext ends, the command is ended as by a context, or killed if it has no Cancel;
// Run waits for its pipes no longer than WaitDelay, or 100 ms if that is 0, and the error matches both that of the wait
// and that of the process. If Cancel does not end the process, the task goes on waiting, unless there is a WaitDelay.
func (c *Cmd) Run() error {
	c.runs = true
	if err := c.Start(); err != nil {
		return err
	}
	err := c.Wait()
	if c.concluded {
		return err
	}
	return c.endWith(err)
}

// Output runs the command, as Run does, and returns what it has written to its standard output. If Stderr is nil, the
// first and the last 32 KiB of the standard error are in the *exec.ExitError.
func (c *Cmd) Output() ([]byte, error) {
	if c.Stdout != nil {
		return nil, errors.New("proc: Output: Stdout is set already")
	}
	var out bytes.Buffer
	c.Stdout = &out
	var complaints *ends
	if c.Stderr == nil {
		complaints = new(ends)
		c.Stderr = complaints
	}
	err := c.Run()
	if exit := (*exec.ExitError)(nil); complaints != nil && errors.As(err, &exit) {
		exit.Stderr = complaints.bytes()
	}
	return out.Bytes(), err
}

// CombinedOutput runs the command, as Run does, and returns what it has written to its standard output and standard
// error.
func (c *Cmd) CombinedOutput() ([]byte, error) {
	if c.Stdout != nil || c.Stderr != nil {
		return nil, errors.New("proc: CombinedOutput: Stdout or Stderr is set already")
	}
	var out bytes.Buffer
	c.Stdout, c.Stderr = &out, &out
	err := c.Run()
	return out.Bytes(), err
}

// Start starts the command and does not wait for its end; Wait does, and has to be called. A task parks while the
// program is loaded. If the task is cancelled meanwhile, the command may have been started, and Start succeeds.
func (c *Cmd) Start() error {
	if c.started {
		return errors.New("proc: Start was called already")
	}
	c.started = true
	start := c.Cmd // with files in the place of what is copied
	err := c.startable()
	if err == nil {
		err = c.connect(&start)
	}
	if err == nil {
		err = aside(func() error { return c.spawn(&start) })
	}
	c.pipes.closeTheirs()
	if c.process == nil {
		c.pipes.close()
		return err
	}
	c.copies.begin()
	c.ending.over = ringo.NewChan[struct{}](0)
	if c.ctx != nil {
		c.ending.stop = context.AfterFunc(c.ctx, func() { c.end(c.Cancel, c.ctx.Err()) })
	}
	return nil
}

// startable is why the command can't be started, if that is known before.
func (c *Cmd) startable() error {
	if err := supported(); err != nil {
		return err
	}
	l, _ := loop.Current()
	switch {
	case c.Err != nil:
		return c.Err
	case c.Cancel != nil && c.ctx == nil:
		return errors.New("proc: a Cmd with a Cancel that CommandContext has not made")
	case l != nil && c.SysProcAttr != nil && bound(c.SysProcAttr):
		return errors.New("proc: what SysProcAttr asks for holds for the thread that starts the process: " +
			"start it from a goroutine that is locked to a thread")
	case c.ctx != nil:
		return c.ctx.Err()
	}
	return nil
}

// spawn starts the process. It holds its thread until the program has been loaded, or can't be.
func (c *Cmd) spawn(start *exec.Cmd) error {
	start.Cancel, start.WaitDelay = nil, 0 // they are seen to here
	if err := kernel.Unconfined(start.Start); err != nil {
		return err
	}
	c.Process = start.Process
	c.process = watch(c.Process)
	return nil
}

// supported is why the caller can't have processes.
func supported() error {
	if err := loop.Astray("proc.Cmd"); err != nil {
		return err
	}
	if l, _ := loop.Current(); !l.World().Beside() {
		return fmt.Errorf("proc: a simulated world has no processes: %w", errors.ErrUnsupported)
	}
	return nil
}

// aside runs fn, which may hold its thread: for a task on another.
func aside(fn func() error) error {
	l, _ := loop.Current()
	if l == nil {
		return fn()
	}
	return l.OffloadIn(lane.Files, func(context.Context) error { return fn() })
}

// ends is a Writer that keeps the beginning and the end of what is written to it.
type ends struct {
	head, tail []byte
	left       int // out between them
}

const endMax = 32 << 10

func (e *ends) Write(p []byte) (int, error) {
	n := len(p)
	room := min(endMax-len(e.head), n)
	e.head, p = append(e.head, p[:room]...), p[room:]
	e.tail = append(e.tail, p...)
	if over := len(e.tail) - endMax; over > 0 {
		e.left += over
		e.tail = append(e.tail[:0], e.tail[over:]...)
	}
	return n, nil
}

func (e *ends) bytes() []byte {
	if e.left == 0 {
		return append(e.head, e.tail...)
	}
	return fmt.Appendf(e.head, "\n... %d bytes are left out ...\n%s", e.left, e.tail)
}

var _ io.Writer = (*ends)(nil)
