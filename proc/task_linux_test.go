//go:build linux

package proc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"ringo"
	"ringo/file"
	"ringo/internal/test/socktest"
	"ringo/internal/test/testmain"
	"ringo/sim"
)

// wantKilled fails the test if the command has not ended by a kill.
func wantKilled(t *testing.T, err error, c *Cmd) {
	t.Helper()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || c.ProcessState == nil {
		t.Errorf("it ended with %v, in the state %v, want an ExitError", err, c.ProcessState)
		return
	}
	if status := exit.Sys().(syscall.WaitStatus); status.Signal() != syscall.SIGKILL {
		t.Errorf("it ended with %v, want a kill", exit)
	}
}

// when is a Writer that calls a function at the first Write.
type when struct {
	f    func()
	done bool
}

func (w *when) Write(p []byte) (int, error) {
	if !w.done {
		w.done = true
		w.f()
	}
	return len(p), nil
}

// speaks is a command that writes a word, and then goes on for as long as it may.
const speaks = "echo ready; exec sleep 1000"

// A task whose wait ends has no process left that Run has started.
func TestRunEnds(t *testing.T) {
	eachTask(t, func(t *testing.T, l *ringo.Loop) {
		c := Command("sh", "-c", speaks)
		var task *ringo.Task
		c.Stdout = &when{f: func() { task.Cancel() }}
		var err error
		task = l.Go(func() { err = c.Run() })
		task.Wait()
		wantKilled(t, err, c)
		if !errors.Is(err, context.Canceled) {
			t.Errorf("Run of a cancelled task: %v", err)
		}

		ctx, cancel := context.WithCancelCause(context.Background())
		c = Command("sh", "-c", speaks)
		c.Stdout = &when{f: func() { cancel(errTest) }}
		err = l.WithContext(ctx, c.Run)
		wantKilled(t, err, c)
		if !errors.Is(err, errTest) {
			t.Errorf("Run in a WithContext that ends: %v", err)
		}
	})
}

// A Cancel that the process obeys is what ends it there as well.
func TestRunEndsByCancel(t *testing.T) {
	eachTask(t, func(t *testing.T, l *ringo.Loop) {
		c := CommandContext(context.Background(), "sh", "-c",
			"trap 'echo bye; exit 4' TERM; echo ready; while :; do sleep 0.01; done")
		c.Cancel = func() error { return c.Process.Signal(syscall.SIGTERM) }
		var task *ringo.Task
		c.Stdout = &when{f: func() { task.Cancel() }}
		var err error
		task = l.Go(func() { err = c.Run() })
		task.Wait()
		if c.ProcessState.ExitCode() != 4 || !errors.Is(err, context.Canceled) {
			t.Errorf("it ended with %v, %v, want exit status 4 and a cancel", c.ProcessState, err)
		}
	})
}

// A grandchild that keeps the pipe does not keep a task that was cancelled.
func TestRunEndsWithoutPipes(t *testing.T) {
	eachTask(t, func(t *testing.T, l *ringo.Loop) {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		defer w.Close()
		c := Command("sh", "-c", "cat <&3 & "+speaks)
		c.ExtraFiles = []*os.File{r}
		var task *ringo.Task
		c.Stdout = &when{f: func() { task.Cancel() }}
		task = l.Go(func() { err = c.Run() })
		task.Wait()
		wantKilled(t, err, c)
	})
}

// A Wait that ends leaves the process, for another Wait.
func TestWaitAgain(t *testing.T) {
	eachWay(t, func(t *testing.T, l *ringo.Loop) {
		if l == nil {
			return
		}
		c := Command("cat")
		in, err := c.StdinPipe()
		if err == nil {
			err = c.Start()
		}
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if err := l.WithTimeout(1, c.Wait); !errors.Is(err, os.ErrDeadlineExceeded) || c.ProcessState != nil {
				t.Errorf("Wait in a timeout: %v, the process is in the state %v", err, c.ProcessState)
			}
		}
		in.Close()
		if err := c.Wait(); err != nil || !c.ProcessState.Success() {
			t.Errorf("Wait behind it: %v, %v", err, c.ProcessState)
		}
	})
}

// What no driver can watch is waited for otherwise: here numbers that select does not take.
func TestWaitBeyondSelect(t *testing.T) {
	if forced := os.Getenv("RINGO_DRIVER"); forced != "" && forced != "select" {
		t.Skipf("this is about select, and RINGO_DRIVER is %s", forced)
	}
	const bound = 1024
	testmain.NeedDescriptors(t, bound+100)
	socktest.OnLoop(t, ringo.Config{Driver: "select", StallLimit: -1, HoldLimit: -1}, func(l *ringo.Loop) {
		c := Command("cat")
		in, err := c.StdinPipe()
		if err == nil {
			err = c.Start()
		}
		if err != nil {
			t.Fatal(err)
		}
		defer testmain.Occupy(t, bound)()
		l.Go(func() { in.Close() }) // when Wait waits
		if err := c.Wait(); err != nil {
			t.Error(err)
		}
	})
}

// A command with the context of its task ends with the task, and Wait sees it to the end.
func TestContextOfTask(t *testing.T) {
	eachTask(t, func(t *testing.T, l *ringo.Loop) {
		var c *Cmd
		var err error
		task := l.Go(func() {
			c = CommandContext(l.Context(), "sh", "-c", speaks)
			_, self := ringo.Current()
			c.Stdout = &when{f: self.Cancel}
			if err = c.Start(); err == nil {
				err = c.Wait()
			}
		})
		task.Wait()
		wantKilled(t, err, c)
	})
}

// Start, Wait and the pipes are for callers of any sort, whoever has begun.
func TestCallersMeet(t *testing.T) {
	eachTask(t, func(t *testing.T, l *ringo.Loop) {
		for i := range 4 {
			c := Command("cat")
			in, err1 := c.StdinPipe()
			out, err2 := c.StdoutPipe()
			if err := errors.Join(err1, err2); err != nil {
				t.Fatal(err)
			}
			by := func(bit int, f func()) { // of a task, or of a goroutine
				if i&bit != 0 {
					l.Offload(func(context.Context) error { f(); return nil })
				} else {
					f()
				}
			}
			var text []byte
			var err error
			by(1, func() { err = c.Start() })
			by(2, func() { fmt.Fprint(in, "hello"); in.Close() })
			by(1, func() { text, _ = io.ReadAll(out) })
			by(2, func() { err = errors.Join(err, c.Wait()) })
			if err != nil || string(text) != "hello" {
				t.Errorf("%d: %q, %v", i, text, err)
			}
		}
	})
}

// A File on a disk is the process's own, and what is waited for is copied: no program expects calls that don't wait.
func TestFiles(t *testing.T) {
	eachCaller(t, func(t *testing.T, l *ringo.Loop) {
		name := filepath.Join(t.TempDir(), "file")
		f, err := file.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		f.WriteString("before ")
		r, w, err := file.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		c := Command("sh", "-c", "cat; readlink /proc/self/fd/1; sed -n s/flags:.0//p /proc/self/fdinfo/2")
		c.Stdin, c.Stdout, c.Stderr = strings.NewReader("hello "), f, w
		err = c.Run()
		w.Close()
		text, _ := os.ReadFile(name)
		if want := "before hello " + name + "\n1\n"; string(text) != want || err != nil { // O_WRONLY, and no O_NONBLOCK
			t.Errorf("%q, %v, want %q", text, err, want)
		}

		g, err := file.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		defer g.Close()
		c = Command("cat")
		c.Stdin = g
		if out, err := c.Output(); string(out) != string(text) || err != nil {
			t.Errorf("read from a file: %q, %v", out, err)
		}
	})
}

// A start that takes its time keeps no other task waiting.
func TestStartIsBeside(t *testing.T) {
	eachTask(t, func(t *testing.T, l *ringo.Loop) {
		syscall.ForkLock.RLock() // until then nothing is started
		c := Command("true")
		start := l.Go(func() {
			if err := c.Run(); err != nil {
				t.Error(err)
			}
		})
		l.Go(syscall.ForkLock.RUnlock)
		start.Wait()
	})
}

// never is a Reader and Writer that does not return.
type never func()

func (f never) Read([]byte) (int, error)  { f(); return 0, io.EOF }
func (f never) Write([]byte) (int, error) { f(); return 0, io.EOF }

// What copies and does not return is no end that is waited for, neither here nor by the process.
func TestCopyPanics(t *testing.T) {
	run := func(t *testing.T, f never) {
		c := Command("sh", "-c", "head -c 1000000 /dev/zero; exit 0")
		c.Stdout = f
		if err := c.Run(); !errors.Is(err, errNoEnd) {
			t.Errorf("Run with a Writer: %v", err)
		}
		c = Command("cat")
		c.Stdin = f
		if err := c.Run(); !errors.Is(err, errNoEnd) {
			t.Errorf("Run with a Reader: %v", err)
		}
	}
	eachCaller(t, func(t *testing.T, _ *ringo.Loop) { run(t, runtime.Goexit) })
	t.Run("panic", func(t *testing.T) {
		socktest.EachDriver(t, func(t *testing.T, cfg ringo.Config) {
			panics := 0
			cfg.OnPanic = func(*ringo.Loop, any, []byte) { panics++ }
			socktest.OnLoop(t, cfg, func(*ringo.Loop) { run(t, func() { panic("of the test") }) })
			if panics != 2 {
				t.Errorf("%d panics were told of", panics)
			}
		})
	})
}

// What others have waited for is told as by os/exec, and nothing waits for a process that has the number now.
func TestReapedByOthers(t *testing.T) {
	eachCaller(t, func(t *testing.T, l *ringo.Loop) {
		c := Command("true")
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		if _, err := syscall.Wait4(c.Process.Pid, nil, 0, nil); err != nil {
			t.Fatal(err)
		}
		if err := c.Wait(); !errors.Is(err, syscall.ECHILD) {
			t.Errorf("Wait: %v, want ECHILD", err)
		}
	})
}

func TestSupported(t *testing.T) {
	eachTask(t, func(t *testing.T, l *ringo.Loop) {
		c := Command("true")
		c.SysProcAttr = &syscall.SysProcAttr{Ptrace: true}
		if err := c.Start(); err == nil || !strings.Contains(err.Error(), "locked to a thread") {
			t.Errorf("Start with Ptrace in a task: %v", err)
		}
	})
	sim.RunLoop(t, func(l *ringo.Loop) error {
		c := Command("true")
		_, err := c.StdoutPipe()
		for what, err := range map[string]error{"StdoutPipe": err, "Err": c.Err, "Run": c.Run()} {
			if !errors.Is(err, errors.ErrUnsupported) {
				t.Errorf("%s in a world: %v", what, err)
			}
		}
		return nil
	})
}

// threads is how many this process has.
func threads(t *testing.T) int {
	t.Helper()
	list, err := os.ReadDir("/proc/self/task")
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}

// Many that are waited for at once take no threads, and many in turn leave nothing.
func TestMany(t *testing.T) {
	atOnce, inTurn := 100, 100
	if testmain.Long() {
		atOnce, inTurn = 500, 10000
	}
	testmain.NeedDescriptors(t, uint64(5*atOnce+100)) // a pipe's end and three pidfds for each
	eachCaller(t, func(t *testing.T, l *ringo.Loop) {
		check := testmain.DescriptorsKept(t)
		before := threads(t)
		ends := make([]io.Closer, atOnce)
		var waits []func()
		for i := range atOnce {
			c := Command("cat")
			in, err := c.StdinPipe()
			if err == nil {
				err = c.Start()
			}
			if err != nil {
				t.Fatal(err)
			}
			ends[i] = in
			waits = append(waits, begin(l, func() {
				if err := c.Wait(); err != nil {
					t.Errorf("Wait: %v", err)
				}
			}))
		}
		if n := threads(t) - before; n > atOnce/2 {
			t.Errorf("%d threads more for %d commands", n, atOnce)
		}
		for _, in := range ends {
			in.Close()
		}
		for _, wait := range waits {
			wait()
		}
		for range inTurn {
			if err := Command("true").Run(); err != nil {
				t.Fatal(err)
			}
		}
		check(func() { socktest.Pause(l) })
	})
}
