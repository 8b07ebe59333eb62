//go:build linux

package file_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"ringo"
	"ringo/file"
	"ringo/internal/test/patience"
)

// reopened opens a file to read and write it.
func reopened(t *testing.T, name string) *file.File {
	t.Helper()
	f, err := file.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// A lock stays when another descriptor of the same file is closed, which would end one of
// fcntl's older sort, and goes with the close of its own.
func TestLockOutlivesOthers(t *testing.T) {
	everywhere(t, func(t *testing.T, _ *ringo.Loop, dir string) {
		name := filepath.Join(dir, "file")
		f, other := reopened(t, name), reopened(t, name)
		if ok, err := f.TryLock(file.Range{}); !ok || err != nil {
			t.Fatalf("TryLock = %v, %v", ok, err)
		}
		if err := reopened(t, name).Close(); err != nil {
			t.Error(err)
		}
		if g, err := os.Open(name); err != nil || g.Close() != nil {
			t.Error(err)
		}
		if ok, err := other.TryRLock(file.Range{}); ok || err != nil {
			t.Errorf("TryLock after the close of a third = %v, %v, want that it is held", ok, err)
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
		if ok, err := other.TryLock(file.Range{}); !ok || err != nil {
			t.Errorf("TryLock after the owner's close = %v, %v", ok, err)
		}
	})
}

// lockChild is set for a process that says about each line that it reads whether it gets
// the lock: of a file that it opens itself, or of the one that it was given as number 3.
const lockChild = "RINGO_LOCK_CHILD"

func TestLockChild(t *testing.T) {
	name := os.Getenv(lockChild)
	if name == "" {
		t.Skip("not the child of TestLockAcrossExec")
	}
	own, given := reopened(t, name), file.NewFile(3, name)
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		f := own
		if lines.Text() == "given" {
			f = given
		}
		ok, err := f.TryLock(file.Range{})
		if ok && f == own {
			err = errors.Join(err, f.Unlock(file.Range{}))
		}
		fmt.Println("lock:", ok, err)
	}
}

// lockProcess is such a process.
type lockProcess struct {
	t   *testing.T
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Scanner
}

func startLockProcess(t *testing.T, name string, given *os.File) *lockProcess {
	t.Helper()
	p := &lockProcess{t: t, cmd: exec.CommandContext(t.Context(), os.Args[0], "-test.run", "^TestLockChild$")}
	p.cmd.Env = append(os.Environ(), lockChild+"="+name)
	if given != nil {
		p.cmd.ExtraFiles = []*os.File{given}
	}
	in, err := p.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.in, p.out = in, bufio.NewScanner(out)
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { in.Close(); p.cmd.Wait() })
	return p
}

// want asks the process.
func (p *lockProcess) want(file string, want bool) {
	p.t.Helper()
	fmt.Fprintln(p.in, file)
	if !p.out.Scan() || p.out.Text() != fmt.Sprint("lock: ", want, " <nil>") {
		p.t.Errorf("a process about its %s file: %q, want %v", file, p.out.Text(), want)
	}
}

// A process that is started while a lock is held has no part in it: it does not get it, and
// it does not keep it. If it is given the open file itself, it has that one's lock.
func TestLockAcrossExec(t *testing.T) {
	name := filepath.Join(tempDir(t), "file")
	patience.Within(t.Name(), func() {
		f, other := reopened(t, name), reopened(t, name)
		if ok, err := f.TryLock(file.Range{}); !ok || err != nil {
			t.Fatalf("TryLock = %v, %v", ok, err)
		}
		p := startLockProcess(t, name, nil)
		p.want("own", false)
		if err := f.Close(); err != nil {
			t.Error(err)
		}
		p.want("own", true)
		if ok, err := other.TryLock(file.Range{}); !ok || err != nil {
			t.Errorf("TryLock beside a process that was started = %v, %v", ok, err)
		}
		p.want("own", false)
		if err := other.Close(); err != nil {
			t.Error(err)
		}

		shared, err := os.OpenFile(name, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		q := startLockProcess(t, name, shared)
		f, err = file.Adopt(shared)
		if err != nil {
			t.Fatal(err)
		}
		if ok, err := f.TryLock(file.Range{}); !ok || err != nil {
			t.Fatalf("TryLock = %v, %v", ok, err)
		}
		q.want("given", true) // one owner
		q.want("own", false)
		if err := f.Close(); err != nil {
			t.Error(err)
		}
		q.want("own", false) // the open file lives on in the process
	})
}

// A wait for a lock ends with its context, with its task and with its file, and then the
// lock is not had.
func TestLockWaitEnds(t *testing.T) {
	eachCaller(t, func(t *testing.T, l *ringo.Loop) {
		name := filepath.Join(tempDir(t), "file")
		f := reopened(t, name)
		if ok, err := f.TryLock(file.Range{}); !ok || err != nil {
			t.Fatalf("TryLock = %v, %v", ok, err)
		}
		ended, cancelNow := context.WithCancel(t.Context())
		cancelNow()
		soon, cancel := context.WithCancelCause(t.Context())
		for what, c := range map[string]struct {
			ctx  context.Context
			end  func(g *file.File)
			want error
		}{
			"ended before":  {ended, func(*file.File) {}, context.Canceled},
			"past deadline": {expired(t), func(*file.File) {}, context.DeadlineExceeded},
			"cancelled":     {soon, func(*file.File) { cancel(nil) }, context.Canceled},
			"closed":        {t.Context(), func(g *file.File) { g.Close() }, fs.ErrClosed},
		} {
			g := reopened(t, name)
			join := begin(l, func() {
				err := g.Lock(c.ctx, file.Range{})
				if path := (*fs.PathError)(nil); !errors.Is(err, c.want) || !errors.As(err, &path) ||
					path.Op != "lock" {
					t.Errorf("%s: Lock: %v, want %v", what, err, c.want)
				}
			})
			pause(l)
			c.end(g)
			join()
		}
		if l != nil {
			g := reopened(t, name)
			task := l.Go(func() {
				if err := g.Lock(t.Context(), file.Range{}); !errors.Is(err, context.Canceled) {
					t.Errorf("Lock in a task that is cancelled: %v", err)
				}
			})
			pause(l)
			task.Cancel()
			task.Wait()
		}
		if err := f.Unlock(file.Range{}); err != nil {
			t.Error(err)
		}
		if ok, err := reopened(t, name).TryLock(file.Range{}); !ok || err != nil {
			t.Errorf("TryLock after waits that ended = %v, %v", ok, err)
		}
	})
}

func expired(t *testing.T) context.Context {
	ctx, cancel := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
	t.Cleanup(cancel)
	return ctx
}
