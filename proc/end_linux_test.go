//go:build linux

package proc

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"ringo"
	"ringo/file"
	"ringo/internal/kernel"
	"ringo/internal/test/patience"
	"ringo/internal/test/socktest"
)

// grandchild is part of a script: a process that keeps what this one has open until the pipe at descriptor 3 ends.
const grandchild = "cat <&3 & "

// pipe is one whose ends are closed with the test.
func pipe(t *testing.T) (r, w *os.File) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close(); w.Close() })
	return r, w
}

// A task that is cancelled is kept neither by a grandchild that has the pipe, nor by a Reader or Writer of its own,
// with a context of the task's, and without.
func TestCancelIsNotKept(t *testing.T) {
	for name, made := range map[string]func(l *ringo.Loop, arg ...string) *Cmd{
		"Command":        func(_ *ringo.Loop, arg ...string) *Cmd { return Command("sh", arg...) },
		"CommandContext": func(l *ringo.Loop, arg ...string) *Cmd { return CommandContext(l.Context(), "sh", arg...) },
	} {
		t.Run(name, func(t *testing.T) {
			eachTask(t, func(t *testing.T, l *ringo.Loop) {
				held, _ := pipe(t)
				silent, mute, err := file.Pipe()
				if err != nil {
					t.Fatal(err)
				}
				defer silent.Close()
				defer mute.Close()
				for what, put := range map[string]func(c *Cmd){
					"a grandchild": func(*Cmd) {},
					"a Reader":     func(c *Cmd) { c.Stdin = silent },
				} {
					var c *Cmd
					var err error
					l.Go(func() {
						c = made(l, "-c", grandchild+speaks)
						c.ExtraFiles = []*os.File{held}
						_, self := ringo.Current()
						c.Stdout = &when{f: self.Cancel}
						put(c)
						err = c.Run()
					}).Wait()
					wantKilled(t, err, c)
					if name == "Command" && !errors.Is(err, context.Canceled) {
						t.Errorf("%s: Run of a cancelled task: %v", what, err)
					}
				}
			})
		})
	}
}

// What a command says while it is being ended is not lost, whatever ends it: nor where that is the end of the Run,
// which cancels every task.
func TestLastWords(t *testing.T) {
	const script = "trap 'echo bye; exit 4' TERM; echo ready; while :; do sleep 0.01; done"
	socktest.EachDriver(t, func(t *testing.T, cfg ringo.Config) {
		for name, waits := range map[string]func(c *Cmd) error{
			"Run": (*Cmd).Run,
			"Start and Wait": func(c *Cmd) error {
				if err := c.Start(); err != nil {
					return err
				}
				return c.Wait()
			},
		} {
			t.Run(name, func(t *testing.T) {
				cfg.Grace = -1
				ctx, stop := context.WithCancel(t.Context())
				var said bytes.Buffer
				var c *Cmd
				var err error
				patience.Within(t.Name(), func() {
					ringo.Run(ctx, &cfg, func(l *ringo.Loop) error {
						c = CommandContext(l.Context(), "sh", "-c", script)
						c.Cancel = func() error { return c.Process.Signal(syscall.SIGTERM) }
						c.WaitDelay = time.Hour
						c.Stdout = io.MultiWriter(&said, &when{f: stop})
						err = waits(c)
						return nil
					})
				})
				if said.String() != "ready\nbye\n" || c.ProcessState.ExitCode() != 4 {
					t.Errorf("it has said %q, and ended with %v, %v", said.String(), c.ProcessState, err)
				}
			})
		}
	})
}

// A command that nothing ends, for its context can end and has not, keeps no Run.
func TestRunIsNotKept(t *testing.T) {
	socktest.EachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Grace = -1
		patience.Within(t.Name(), func() {
			over, stop := context.WithCancel(t.Context())
			ctx, cancel := context.WithCancel(t.Context())
			c := CommandContext(ctx, "sh", "-c", speaks)
			c.Stdout = &when{f: stop}
			err := ringo.Run(over, &cfg, func(l *ringo.Loop) error {
				if err := c.Start(); err != nil {
					return err
				}
				if err := c.Wait(); !errors.Is(err, context.Canceled) {
					t.Errorf("Wait of a task: %v", err)
				}
				return nil
			})
			if err != nil {
				t.Errorf("ringo.Run: %v", err)
			}
			cancel()
			wantKilled(t, c.Wait(), c)
		})
	})
}

// A Reader that comes to its end only when WaitDelay is over was too late, as by os/exec.
func TestReaderIsLate(t *testing.T) {
	eachCaller(t, func(t *testing.T, l *ringo.Loop) {
		c := Command("true")
		c.WaitDelay = 1
		c.Stdin = never(func() {
			if err := socktest.AwaitOn(l, func() bool {
				c.ending.mu.Lock()
				defer c.ending.mu.Unlock()
				return c.ending.late
			}); err != nil {
				t.Error("WaitDelay is not over: ", err)
			}
		})
		if err := c.Run(); err != exec.ErrWaitDelay {
			t.Errorf("Run: %v, want ErrWaitDelay", err)
		}
	})
}

// The state of a process that somebody traces, as strace -p does, is to be had when the tracer has taken it. A task
// that waits for that stops no loop.
func TestTraced(t *testing.T) {
	eachTask(t, func(t *testing.T, l *ringo.Loop) {
		c := Command("cat")
		in, err := c.StdinPipe()
		if err == nil {
			err = c.Start()
		}
		if err != nil {
			t.Fatal(err)
		}
		tracer := Command("/proc/self/exe")
		tracer.Env = append(os.Environ(), fmt.Sprint(asTracer, "=", c.Process.Pid))
		held, err1 := tracer.StdinPipe()
		says, err2 := tracer.StdoutPipe()
		if err := errors.Join(err1, err2, tracer.Start()); err != nil {
			t.Fatal(err)
		}
		seized, _ := bufio.NewReader(says).ReadString('\n')
		in.Close()
		raw, err := c.process.fd.SyscallConn()
		if err != nil {
			t.Fatal(err)
		}
		socktest.EventuallyOn(t, l, "it has ended", func() (ended bool) {
			raw.Control(func(fd uintptr) { ended = kernel.Exited(int32(fd)) })
			return ended
		})
		err = l.WithTimeout(1, c.Wait)
		held.Close()
		if err := errors.Join(c.Wait(), tracer.Wait()); err != nil {
			t.Error(err)
		}
		if seized != "<nil>\n" {
			t.Skip("ptrace(2): ", seized)
		}
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("Wait while another traces: %v", err)
		}
	})
}

// Cancel is called once, never for a process that was waited for, and never on a loop; and Wait waits for it.
func TestCancelCalls(t *testing.T) {
	eachTask(t, func(t *testing.T, l *ringo.Loop) {
		held, _ := pipe(t)
		c := CommandContext(context.Background(), "sh", "-c", grandchild+"echo $$")
		c.ExtraFiles = []*os.File{held}
		c.Cancel = func() error {
			t.Error("Cancel is called for a process that was waited for")
			return nil
		}
		var said bytes.Buffer
		pid := make(chan string, 1)
		c.Stdout = io.MultiWriter(&said, &when{f: func() { pid <- strings.TrimSpace(said.String()) }})
		task := l.Go(func() { c.Run() })
		at := "/proc/"
		l.Offload(func(context.Context) error { at += <-pid; return nil })
		socktest.EventuallyOn(t, l, "it was waited for", func() bool { _, err := os.Stat(at); return err != nil })
		task.Cancel()
		task.Wait()

		ctx, cancel := context.WithCancel(context.Background())
		c = CommandContext(ctx, "sh", "-c", speaks)
		var calls, done atomic.Int32
		slow := make(chan bool)
		c.Cancel = func() error {
			calls.Add(1)
			if here, _ := ringo.Current(); here != nil {
				t.Error("Cancel is called by a task")
			}
			err := c.Process.Kill()
			<-slow
			done.Add(1)
			return err
		}
		c.Stdout = &when{f: func() { cancel(); task.Cancel() }}
		task = l.Go(func() {
			c.Run()
			if done.Load() != 1 {
				t.Error("Run has returned before Cancel has")
			}
		})
		socktest.EventuallyOn(t, l, "Cancel is called", func() bool { return calls.Load() > 0 })
		close(slow)
		task.Wait()
		if calls.Load() != 1 {
			t.Errorf("Cancel is called %d times", calls.Load())
		}
	})
}

// A Wait that nothing ends but its caller ends with that.
func TestWaitWithoutCancel(t *testing.T) {
	eachTask(t, func(t *testing.T, l *ringo.Loop) {
		ctx, cancel := context.WithCancel(context.Background())
		c := CommandContext(ctx, "cat")
		c.Cancel = nil
		in, err := c.StdinPipe()
		if err == nil {
			err = c.Start()
		}
		if err != nil {
			t.Fatal(err)
		}
		cancel()
		if err := l.WithTimeout(1, c.Wait); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("Wait in a timeout: %v", err)
		}
		in.Close()
		if err := c.Wait(); err != nil {
			t.Error(err)
		}
	})
}

// Who cleans up may run a command, and who was ended by a timeout says so.
func TestRunOfCancelled(t *testing.T) {
	eachTask(t, func(t *testing.T, l *ringo.Loop) {
		l.Go(func() {
			_, self := ringo.Current()
			self.Cancel()
			if c := Command("true"); c.Err != nil {
				t.Errorf("Command in a cancelled task: %v", c.Err)
			}
			if err := Command("true").Run(); !errors.Is(err, context.Canceled) {
				t.Errorf("Run in a cancelled task: %v", err)
			}
		}).Wait()
		c := Command("sleep", "1000")
		err := l.WithTimeout(time.Millisecond, c.Run)
		var timeout interface{ Timeout() bool }
		if !errors.As(err, &timeout) || !timeout.Timeout() {
			t.Errorf("Run in a timeout: %v", err)
		}
	})
}

// Nothing is open when a command has ended, or has failed to start, and not only once memory is cleaned.
func TestNothingStaysOpen(t *testing.T) {
	eachCaller(t, func(t *testing.T, l *ringo.Loop) {
		disk, err := file.Open("/proc/self/exe")
		if err != nil {
			t.Fatal(err)
		}
		defer disk.Close()
		Command("true").Run() // what is opened once is
		before := open(t)
		var all []*Cmd // nothing of them is dropped
		for _, name := range []string{"cat", filepath.Join(t.TempDir(), "none")} {
			c := Command(name)
			c.Stdin, c.Stdout, c.Stderr = disk, new(bytes.Buffer), io.Discard
			c.Run()
			all = append(all, c)
		}
		if after := open(t); after != before {
			t.Errorf("open before:\n%s\nand after %d commands:\n%s", before, len(all), after)
		}
	})
}

// open lists the pipes, pidfds and programs that this process has open.
func open(t *testing.T) string {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, fd := range list {
		at, _ := os.Readlink("/proc/self/fd/" + fd.Name())
		if strings.HasPrefix(at, "pipe:") || strings.Contains(at, "pidfd") || strings.HasSuffix(at, ".test") {
			all = append(all, fd.Name()+" "+at)
		}
	}
	return strings.Join(all, "\n")
}

// Of much that is written the ends are kept, and no more.
func TestEnds(t *testing.T) {
	var e ends
	for range 100 {
		e.Write(make([]byte, 10_000))
	}
	if len(e.head) != endMax || len(e.tail) != endMax || e.left != 1_000_000-2*endMax {
		t.Errorf("%d and %d bytes are kept, %d are not", len(e.head), len(e.tail), e.left)
	}
}
