package proc

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"sync"

	"ringo/file"
	"ringo/internal/kernel"
	"ringo/internal/loop"
	"ringo/internal/posix"
)

// pipes are the pipes to and from a command.
type pipes struct {
	theirs []*os.File // the process's ends, until it is started

	mu   sync.Mutex
	ours []*file.File
}

// StdinPipe returns a pipe to the command's standard input, a *file.File. Call it before Start. Close the pipe to end
// the command's input; otherwise Wait closes it once the process has ended. Any goroutine may call it.
func (c *Cmd) StdinPipe() (io.WriteCloser, error) {
	if err := c.free("StdinPipe", c.Stdin == nil); err != nil {
		return nil, err
	}
	theirs, ours, err := c.pipes.open(true)
	if err != nil {
		return nil, err
	}
	c.Stdin = theirs
	return ours, nil
}

// StdoutPipe returns a pipe from the command's standard output, a *file.File. Call it before Start. Wait closes the
// pipe once the process has ended: read it to its end before you call Wait, and do not use Run, which waits at once.
// Any goroutine may call it.
func (c *Cmd) StdoutPipe() (io.ReadCloser, error) { return c.pipeFrom("StdoutPipe", &c.Stdout) }

// StderrPipe is like StdoutPipe, for the command's standard error.
func (c *Cmd) StderrPipe() (io.ReadCloser, error) { return c.pipeFrom("StderrPipe", &c.Stderr) }

func (c *Cmd) pipeFrom(name string, out *io.Writer) (io.ReadCloser, error) {
	if err := c.free(name, *out == nil); err != nil {
		return nil, err
	}
	theirs, ours, err := c.pipes.open(false)
	if err != nil {
		return nil, err
	}
	*out = theirs
	return ours, nil
}

// free returns an error if the command can't have the pipe of this name: after Start, if the field is set already, or
// if the caller can't have processes.
func (c *Cmd) free(name string, unset bool) error {
	switch {
	case c.started:
		return errors.New("proc: " + name + " after Start")
	case !unset:
		return errors.New("proc: " + name + ": it is set already")
	}
	return supported()
}

// connect puts a file in place of each of Stdin, Stdout and Stderr that is set, and sets up a copy where that takes a
// pipe.
func (c *Cmd) connect(start *exec.Cmd) error {
	if c.Stdin != nil {
		f, ok, err := c.pipes.regular(c.Stdin)
		if !ok && err == nil {
			f, err = c.copyFrom(c.Stdin)
		}
		if err != nil {
			return err
		}
		start.Stdin = f
	}
	for _, to := range []*io.Writer{&start.Stdout, &start.Stderr} {
		if *to == nil {
			continue
		}
		if to == &start.Stderr && same(c.Stderr, c.Stdout) {
			*to = start.Stdout
			continue
		}
		f, ok, err := c.pipes.regular(*to)
		if !ok && err == nil {
			f, err = c.copyTo(*to)
		}
		if err != nil {
			return err
		}
		*to = f
	}
	return nil
}

// same reports whether a and b are one writer. Comparing values of a type that is not comparable panics: then they
// count as two.
func same(a, b io.Writer) bool {
	defer func() { recover() }()
	return a == b
}

// regular returns the file that the process can use directly: an *os.File, or a duplicate of a File that is a regular
// file. Any other File needs a pipe and a copy: Ringo waits for its readiness, so the open file is in non-blocking
// mode, which the process would share, and programs don't expect that.
func (p *pipes) regular(end any) (theirs *os.File, ok bool, err error) {
	switch f := end.(type) {
	case *os.File:
		return f, true, nil
	case *file.File:
		if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
			return nil, false, err
		}
		n, err := kernel.Duplicate(f)
		if err != nil {
			return nil, true, &os.PathError{Op: "dup", Path: f.Name(), Err: err}
		}
		if theirs, err = kernel.OSFile(n, f.Name()); err != nil {
			return nil, true, &os.PathError{Op: "dup", Path: f.Name(), Err: err}
		}
		p.theirs = append(p.theirs, theirs)
		return theirs, true, nil
	}
	return nil, false, nil
}

// open makes a pipe. The process gets theirs, to read from if reads is set, and otherwise to write to.
func (p *pipes) open(reads bool) (theirs *os.File, ours *file.File, err error) {
	its, mine, res := loop.Kernel().Pipe(0)
	if res < 0 {
		return nil, nil, os.NewSyscallError("pipe2", posix.Error(res))
	}
	if !reads {
		its, mine = mine, its
	}
	loop.Kernel().Setfl(its, 0) // programs expect calls that block
	if theirs, err = kernel.OSFile(its, "|"); err != nil {
		loop.Kernel().Close(mine)
		return nil, nil, &os.PathError{Op: "pipe", Path: "|", Err: err}
	}
	ours = file.NewFile(uintptr(mine), "|")
	p.theirs = append(p.theirs, theirs)
	p.mu.Lock()
	p.ours = append(p.ours, ours)
	p.mu.Unlock()
	return theirs, ours, nil
}

func (p *pipes) closeTheirs() {
	for _, f := range p.theirs {
		f.Close()
	}
	p.theirs = nil
}

// close closes the program's ends, some of which the program may have closed already.
func (p *pipes) close() {
	p.mu.Lock()
	ours := p.ours
	p.ours = nil
	p.mu.Unlock()
	for _, f := range ours {
		f.Close()
	}
}
