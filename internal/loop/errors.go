package loop

import (
	"errors"
	"fmt"
	"net"
	"runtime/debug"
	"slices"
)

var (
	// ErrNotTask says that a call that only a task of the loop may make came
	// from somewhere else.
	ErrNotTask = errors.New("ringo: called from outside the loop's tasks (use Loop.Go or Loop.Post to get there)")
	// ErrEnded says that the loop is gone.
	ErrEnded = errors.New("ringo: the loop has ended")
	// ErrDraining says that the program drains, and that what was waited for is not worth a wait any more.
	ErrDraining error = drainingError{}
	// ErrBubble says that Run was called in a bubble of testing/synctest.
	ErrBubble error = bubbleError{}
	// ErrGoexit says that a task ended by runtime.Goexit.
	ErrGoexit = errors.New("ringo: the task called runtime.Goexit")
)

type drainingError struct{}

func (drainingError) Error() string { return "ringo: the program drains" }

// Is has programs end that end at a net.ErrClosed.
func (drainingError) Is(target error) bool { return target == net.ErrClosed }

type bubbleError struct{}

func (bubbleError) Error() string {
	return "ringo: Run in a bubble of testing/synctest: a loop waits in the kernel, so the bubble's time would stand " +
		"still for good: call Run outside of synctest.Test, whose goroutines may use its loops"
}

// Is has callers know that no other try will do.
func (bubbleError) Is(target error) bool { return target == errors.ErrUnsupported }

// PanicError is a panic in a task, or in what runs beside the loop for one, with
// the stack of where it happened.
type PanicError struct {
	Value any
	Stack []byte
	In    string
}

// What a PanicError is in.
const (
	inTask    = "a task"
	inOffload = "Offload"
	inCompute = "Compute"
)

// Error shows the value and the stack.
func (e *PanicError) Error() string {
	if e == nil {
		return "<nil>"
	}
	return fmt.Sprintf("%v [in %s]\n\n%s", e.Value, e.In, e.Stack)
}

// Unwrap gives the value if it is an error.
func (e *PanicError) Unwrap() error {
	if e == nil {
		return nil
	}
	err, _ := e.Value.(error)
	return err
}

// panicOf is the panic of a task, whose stack is still there. What an Offload or
// Compute call has raised in it is the same panic, with one more stack.
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
