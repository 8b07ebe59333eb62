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

// A Cmd is a command, from before its start to its end, with the fields of [exec.Cmd]. Command and CommandContext make
// it. A Cmd can be used once. Any goroutine may call its methods, one at a time, and so may tasks of different loops.
// Of the methods of the embedded exec.Cmd, use only Environ and String.
type Cmd struct {
	exec.Cmd

	ctx       context.Context // nil: none
	runs      bool            // Run was called: it ends the command if its own wait ends
	started   bool
	concluded bool
	process   *process // nil: not started
	exit      error    // the process's own result, as an error
	pipes     pipes
	copies    copies
	ending    ending
}

// Command makes a Cmd that runs the named program with these arguments, as exec.Command does. If name has no slash,
// Command looks it up in PATH: a task parks meanwhile. Any goroutine may call it.
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
		err = shielded(func() error { return aside(find) }) // so that a cancelled task can run commands to clean up
	}
	if err != nil {
		c.Path, c.Args, c.Err = name, append([]string{name}, arg...), err
	}
	return c
}

// CommandContext is like Command, but ends the command when ctx ends, as exec.CommandContext does. At that time Cancel
// is called, which kills the process unless the program sets Cancel to something else. WaitDelay later, if that is not
// 0, the process is killed and, if its data is still being copied, its pipes are closed. Cancel runs on a goroutine.
// CommandContext panics if ctx is nil. With Loop.Context, a task's own context, the command ends with the task.
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

// Run starts the command and waits until it has ended. It returns the errors of Start and Wait. A task parks.
//
// If the task is cancelled, or its WithTimeout or WithContext ends, Run ends the command as the end of a context would:
// by Cancel, or by killing the process if Cancel is nil. It then waits for the command's pipes no longer than
// WaitDelay, or 100 ms if that is 0, and returns an error that matches both that of the wait and that of the process.
// If Cancel does not end the process and WaitDelay is 0, the task goes on waiting.
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
// first and the last 32 KiB of the standard error are in the *exec.ExitError. Stdout must be nil.
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

// CombinedOutput runs the command, as Run does, and returns what the command has written to its standard output and
// standard error. Stdout and Stderr must be nil.
func (c *Cmd) CombinedOutput() ([]byte, error) {
	if c.Stdout != nil || c.Stderr != nil {
		return nil, errors.New("proc: CombinedOutput: Stdout or Stderr is set already")
	}
	var out bytes.Buffer
	c.Stdout, c.Stderr = &out, &out
	err := c.Run()
	return out.Bytes(), err
}

// Start starts the command without waiting for its end; the program has to call Wait for that. A task parks while the
// program is loaded. If the task is cancelled meanwhile and the process was started all the same, Start succeeds.
func (c *Cmd) Start() error {
	if c.started {
		return errors.New("proc: Start was called already")
	}
	c.started = true
	start := c.Cmd // a copy, to put files in place of Readers and Writers
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

// startable returns an error if the command can't be started for a reason that is known beforehand.
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

// spawn starts the process. It blocks its thread until the program has been loaded, or loading it has failed.
func (c *Cmd) spawn(start *exec.Cmd) error {
	start.Cancel, start.WaitDelay = nil, 0 // this package does what they ask for
	if err := kernel.Unconfined(start.Start); err != nil {
		return err
	}
	c.Process = start.Process
	c.process = watch(c.Process)
	return nil
}

// supported returns an error if the caller can't start processes: if it is in a simulated world, or a goroutine around
// one.
func supported() error {
	if err := loop.Astray("proc.Cmd"); err != nil {
		return err
	}
	if l, _ := loop.Current(); !l.World().Beside() {
		return fmt.Errorf("proc: a simulated world has no processes: %w", errors.ErrUnsupported)
	}
	return nil
}

// aside runs fn, which may block its thread. A task has another thread run it, and parks meanwhile.
func aside(fn func() error) error {
	l, _ := loop.Current()
	if l == nil {
		return fn()
	}
	return l.OffloadIn(lane.Files, func(context.Context) error { return fn() })
}

// ends is a Writer that keeps the first and the last endMax bytes of what is written to it.
type ends struct {
	head, tail []byte
	left       int // how many bytes were dropped between them
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
