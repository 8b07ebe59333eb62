//go:build linux

package proc

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"ringo"
)

// cases are programs with a command; they tell all that comes of it. Both packages are to tell the same.
var cases = map[string]func(made maker, dir string) string{
	"run": func(made maker, _ string) string {
		c, _ := made(nil, "true")
		return told(nil, c.Run())
	},
	"status": func(made maker, _ string) string {
		c, cmd := made(nil, "sh", "-c", "exit 3")
		err := c.Run()
		return told(nil, err) + fmt.Sprint(cmd.ProcessState, cmd.ProcessState.ExitCode())
	},
	"signal": func(made maker, _ string) string {
		c, _ := made(nil, "sh", "-c", "kill -TERM $$")
		return told(nil, c.Run())
	},
	"output": func(made maker, _ string) string {
		c, _ := made(nil, "echo", "hello", "there")
		return told(c.Output())
	},
	"output-stderr": func(made maker, _ string) string {
		c, _ := made(nil, "sh", "-c", "echo out; echo complaint >&2; exit 1")
		return told(c.Output())
	},
	"output-much-stderr": func(made maker, _ string) string {
		c, _ := made(nil, "sh", "-c", "seq 20000 >&2; exit 1")
		_, err := c.Output()
		exit := err.(*exec.ExitError)
		return fmt.Sprintf("%q %q", exit.Stderr[:endMax], exit.Stderr[len(exit.Stderr)-endMax:])
	},
	"output-set": func(made maker, _ string) string {
		c, cmd := made(nil, "true")
		cmd.Stdout = io.Discard
		_, err1 := c.Output()
		_, err2 := c.CombinedOutput()
		_, err3 := c.StdoutPipe()
		return fmt.Sprint(err1 != nil, err2 != nil, err3 != nil, c.Run())
	},
	"combined": func(made maker, _ string) string {
		c, _ := made(nil, "sh", "-c", "echo one; echo two >&2; echo three; exit 7")
		return told(c.CombinedOutput())
	},
	"much": func(made maker, _ string) string {
		c, cmd := made(nil, "cat")
		cmd.Stdin = bytes.NewReader(bytes.Repeat([]byte("0123456789abcdef"), 1<<16))
		out, err := c.Output()
		return fmt.Sprint(len(out), bytes.Count(out, []byte("f0")), err)
	},
	"stdin-unread": func(made maker, _ string) string {
		c, cmd := made(nil, "true")
		cmd.Stdin = bytes.NewReader(make([]byte, 1<<20))
		return told(nil, c.Run())
	},
	"stdin-fails": func(made maker, _ string) string {
		c, cmd := made(nil, "cat")
		cmd.Stdin = io.MultiReader(strings.NewReader("a part"), failing{})
		return told(c.Output())
	},
	"stdout-fails": func(made maker, _ string) string {
		c, cmd := made(nil, "echo", "hello")
		cmd.Stdout = failing{}
		return told(nil, c.Run())
	},
	"stdout-fails-long": func(made maker, _ string) string { // a program that writes on gets SIGPIPE
		c, cmd := made(nil, "sh", "-c", "while :; do echo hello; done")
		cmd.Stdout = failing{}
		return told(nil, c.Run())
	},
	"files": func(made maker, dir string) string {
		name := filepath.Join(dir, "out")
		f, err := os.Create(name)
		if err != nil {
			return err.Error()
		}
		defer f.Close()
		f.WriteString("before ")
		c, cmd := made(nil, "sh", "-c", "echo hello; echo there >&2")
		cmd.Stdout, cmd.Stderr = f, f
		err = c.Run()
		text, _ := os.ReadFile(name)
		return told(text, err)
	},
	"extra": func(made maker, _ string) string {
		r, w, _ := os.Pipe()
		c, cmd := made(nil, "sh", "-c", "echo extra >&3")
		cmd.ExtraFiles = []*os.File{w}
		err := c.Run()
		w.Close()
		text, _ := io.ReadAll(r)
		r.Close()
		return told(text, err)
	},
	"environment": func(made maker, dir string) string {
		c, cmd := made(nil, "sh", "-c", "echo $A; pwd")
		cmd.Env, cmd.Dir = []string{"A=1", "A=2"}, dir
		out, err := c.Output()
		return told(bytes.ReplaceAll(out, []byte(dir), []byte("DIR")), err)
	},
	"no-such-program": func(made maker, _ string) string {
		c, cmd := made(nil, "no-such-program")
		err := c.Run()
		return told(nil, err) + fmt.Sprint(errors.Is(err, exec.ErrNotFound), cmd.Path, cmd.Args, cmd.Process)
	},
	"no-such-path": func(made maker, dir string) string {
		c, _ := made(nil, filepath.Join(dir, "none"))
		err := c.Start()
		again := c.Start()
		return strings.ReplaceAll(told(nil, err), dir, "DIR") + fmt.Sprint(errors.Is(err, os.ErrNotExist), again != nil)
	},
	"no-such-dir": func(made maker, dir string) string {
		c, cmd := made(nil, "true")
		cmd.Dir = filepath.Join(dir, "none")
		return strings.ReplaceAll(told(nil, c.Run()), dir, "DIR")
	},
	"calls-out-of-order": func(made maker, _ string) string {
		c, cmd := made(nil, "true")
		before := c.Wait()
		first, second := c.Start(), c.Start()
		_, pipe := c.StdinPipe()
		waited, again := c.Wait(), c.Wait()
		return fmt.Sprint(before != nil, first, second != nil, pipe != nil, waited, again != nil, cmd.ProcessState)
	},
	"cancel-without-context": func(made maker, _ string) string {
		c, cmd := made(nil, "true")
		cmd.Cancel = func() error { return nil }
		return fmt.Sprint(c.Start() != nil)
	},
	"pipes": func(made maker, _ string) string {
		c, _ := made(nil, "sh", "-c", "while read line; do echo got $line; echo err $line >&2; done")
		in, _ := c.StdinPipe()
		out, _ := c.StdoutPipe()
		complaints, _ := c.StderrPipe()
		if err := c.Start(); err != nil {
			return err.Error()
		}
		var said []string
		lines, complained := bufio.NewReader(out), bufio.NewReader(complaints)
		for _, word := range []string{"one", "two"} {
			fmt.Fprintln(in, word)
			line, _ := lines.ReadString('\n')
			complaint, _ := complained.ReadString('\n')
			said = append(said, line, complaint)
		}
		in.Close()
		rest, _ := io.ReadAll(lines)
		err := c.Wait()
		_, late := out.Read(make([]byte, 1))
		return fmt.Sprintf("%q %q %v %v", said, rest, err, errors.Is(late, os.ErrClosed))
	},
	"context-over": func(made maker, _ string) string {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		c, _ := made(ctx, "true")
		return told(nil, c.Run())
	},
	"context": func(made maker, _ string) string {
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		c, _ := made(ctx, "sleep", "1000")
		if err := c.Start(); err != nil {
			return err.Error()
		}
		cancel()
		return told(nil, c.Wait())
	},
	"context-cancel-fails": func(made maker, _ string) string {
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		c, cmd := made(ctx, "cat")
		in, _ := c.StdinPipe()
		cmd.Cancel = func() error {
			in.Close()
			return errTest
		}
		if err := c.Start(); err != nil {
			return err.Error()
		}
		cancel()
		err := c.Wait()
		return fmt.Sprint(errors.Is(err, errTest))
	},
	"context-asks": func(made maker, _ string) string { // what ends well since it was asked to has ended by the context
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		c, cmd := made(ctx, "cat")
		in, _ := c.StdinPipe()
		cmd.Cancel = func() error { return in.Close() }
		if err := c.Start(); err != nil {
			return err.Error()
		}
		cancel()
		return told(nil, c.Wait())
	},
	"context-after": func(made maker, _ string) string {
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		c, _ := made(ctx, "true")
		err := c.Run()
		cancel()
		return told(nil, err)
	},
	"delay-kills": func(made maker, _ string) string {
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		c, cmd := made(ctx, "sleep", "1000")
		cmd.Cancel = func() error { return nil } // and nothing comes of it
		cmd.WaitDelay = time.Millisecond
		if err := c.Start(); err != nil {
			return err.Error()
		}
		cancel()
		return told(nil, c.Wait())
	},
	"delay-leaves-pipes": func(made maker, _ string) string { // a grandchild has the pipe, until its own input ends
		r, w, _ := os.Pipe()
		defer r.Close()
		c, cmd := made(nil, "sh", "-c", "cat <&3 & echo hello")
		cmd.ExtraFiles = []*os.File{r}
		cmd.WaitDelay = time.Millisecond
		var out bytes.Buffer
		cmd.Stdout = &out
		err := c.Run()
		w.Close()
		return fmt.Sprint(err, errors.Is(err, exec.ErrWaitDelay))
	},
	"delay-negative": func(made maker, _ string) string {
		r, w, _ := os.Pipe()
		defer r.Close()
		defer w.Close()
		c, cmd := made(nil, "sh", "-c", "cat <&3 & exit 0")
		cmd.ExtraFiles = []*os.File{r}
		cmd.WaitDelay = -1
		cmd.Stdout = new(bytes.Buffer)
		return fmt.Sprint(errors.Is(c.Run(), exec.ErrWaitDelay))
	},
	"delay-keeps-pipes-of-the-program": func(made maker, _ string) string {
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		c, cmd := made(ctx, "sh", "-c", "trap '' TERM; echo hello; exec sleep 1000")
		cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
		cmd.WaitDelay = time.Millisecond
		out, _ := c.StdoutPipe()
		if err := c.Start(); err != nil {
			return err.Error()
		}
		first := make([]byte, 1)
		io.ReadFull(out, first)
		cancel()
		rest, err := io.ReadAll(out)
		return fmt.Sprintf("%q %v ", append(first, rest...), err) + told(nil, c.Wait())
	},
	"errors-come-as-they-are": func(made maker, _ string) string {
		c, cmd := made(nil, "cat")
		cmd.Stdin = failing{}
		own := c.Run() == errTest
		c, cmd = made(nil, "cat")
		cmd.Stdin = failing{syscall.EPIPE}
		return fmt.Sprint(own, c.Run() == syscall.EPIPE)
	},
	"not-found-and-over": func(made maker, _ string) string {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		c, _ := made(ctx, "no-such-program")
		return told(nil, c.Run())
	},
	"closed-file": func(made maker, _ string) string {
		c, cmd := made(nil, "sh", "-c", "echo hello || exit 5")
		cmd.Stdout = (*os.File)(nil)
		return told(nil, c.Run())
	},
	"uncomparable-writers": func(made maker, _ string) string {
		c, cmd := made(nil, "sh", "-c", "echo hello; echo there >&2")
		var out, complaints bytes.Buffer
		cmd.Stdout, cmd.Stderr = writers{[]io.Writer{&out}}, writers{[]io.Writer{&complaints}}
		err := c.Run()
		return fmt.Sprintf("%q %q %v", out.String(), complaints.String(), err)
	},
	"delay-unused": func(made maker, _ string) string {
		c, cmd := made(nil, "echo", "hello")
		cmd.WaitDelay = time.Hour
		return told(c.Output())
	},
}

var errTest = errors.New("of the test")

// failing is a Reader and Writer that fails, by errTest if it has no error.
type failing struct{ err error }

func (f failing) Read([]byte) (int, error)  { return 0, cmp.Or(f.err, errTest) }
func (f failing) Write([]byte) (int, error) { return 0, cmp.Or(f.err, errTest) }

// writers is a Writer of a type that can't be compared.
type writers struct{ of []io.Writer }

func (w writers) Write(p []byte) (int, error) { return w.of[0].Write(p) }

// told is what came of a command.
func told(out []byte, err error) string {
	text := fmt.Sprintf("%q %v", out, err)
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		text += fmt.Sprintf(" %q", exit.Stderr)
	}
	for _, is := range []error{context.Canceled, errTest, os.ErrNotExist, exec.ErrNotFound} {
		text += fmt.Sprint(" ", errors.Is(err, is))
	}
	return text
}

// What programs find is what they find with os/exec, whoever calls.
func TestAsExec(t *testing.T) {
	eachWay(t, func(t *testing.T, l *ringo.Loop) {
		for name, program := range cases {
			dir := t.TempDir()
			got, want := program(ours, dir), ""
			if l == nil {
				want = program(theirs, dir)
			} else {
				l.Offload(func(context.Context) error {
					want = program(theirs, dir)
					return nil
				})
			}
			if got != want {
				t.Errorf("%s: got\n\t%s\nwant, of os/exec,\n\t%s", name, got, want)
			}
		}
	})
}
