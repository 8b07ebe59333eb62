package loop

import (
	"errors"
	"fmt"
	"net"
	"runtime/debug"
	"slices"
)

var (
	// ErrNotTask is the error of a call that only a task of the loop may make, when another caller made it.
	ErrNotTask = errors.New("ringo: called from outside the loop's tasks (use Loop.Go or Loop.Post to get there)")
	// ErrEnded is the error of a call on a loop that has ended.
	ErrEnded = errors.New("ringo: the loop has ended")
	// ErrDraining is the error of a wait that the drain has ended, because its outcome no longer matters.
	ErrDraining error = drainingError{}
	// ErrBubble is the error of Run in a bubble of testing/synctest.
	ErrBubble error = bubbleError{}
	// ErrGoexit is the error of a task that ended by runtime.Goexit.
	ErrGoexit = errors.New("ringo: the task called runtime.Goexit")
)

type drainingError struct{}

func (drainingError) Error() string { return "ringo: the program drains" }

// Is reports true for net.ErrClosed, so that programs end that end at that error.
func (drainingError) Is(target error) bool { return target == net.ErrClosed }

type bubbleError struct{}

func (bubbleError) Error() string {
	return "ringo: Run in a bubble of testing/synctest: a loop waits in the kernel, so the bubble's time would stand " +
		"still for good: call Run outside of synctest.Test, whose goroutines may use its loops"
}

// Is reports true for errors.ErrUnsupported, so that callers know that another try would fail, too.
func (bubbleError) Is(target error) bool { return target == errors.ErrUnsupported }

// PanicError is a panic in a task, or in a call that runs for one beside the loop, with the stack where it happened.
type PanicError struct {
	Value any
	Stack []byte
	In    string
}

// The values of PanicError.In.
const (
	inTask    = "a task"
	inOffload = "Offload"
	inCompute = "Compute"
)

// Error returns the value and the stack.
func (e *PanicError) Error() string {
	if e == nil {
		return "<nil>"
	}
	return fmt.Sprintf("%v [in %s]\n\n%s", e.Value, e.In, e.Stack)
}

// Unwrap returns the value if it is an error.
func (e *PanicError) Unwrap() error {
	if e == nil {
		return nil
	}
	err, _ := e.Value.(error)
	return err
}

// panicOf makes the PanicError of a task that has panicked, while the task's stack is still there. If the task passes
// on a panic of its Offload or Compute call that panic is kept, with the task's stack added.
func (c *Config) panicOf(v any) *PanicError {
	stack := debug.Stack()
	if p := c.shownPanic(v); p != nil && p.In != inTask {
		stack = slices.Concat(p.Stack, []byte("\nin the call of this task:\n"), stack)
		return &PanicError{Value: p.Value, Stack: stack, In: p.In}
	}
	return &PanicError{Value: v, Stack: stack, In: inTask}
}

func (c *Config) showPanic(p *PanicError) error {
	if c.ShowPanic == nil {
		return p
	}
	return c.ShowPanic(p)
}

func (c *Config) shownPanic(v any) *PanicError {
	if c.ShownPanic == nil {
		p, _ := v.(*PanicError)
		return p
	}
	return c.ShownPanic(v)
}
