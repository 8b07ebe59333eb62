//go:build linux

package file_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"reflect"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"ringo"
	"ringo/file"
	"ringo/internal/test/socktest"
	"ringo/internal/test/testmain"
)

// osPipe is os.Pipe in the shape of ends.
func osPipe() (r, w both, err error) {
	f, g, err := os.Pipe()
	return f, g, err
}

func ourPipe() (r, w both, err error) {
	f, g, err := file.Pipe()
	return f, g, err
}

// Every call on an end does and says what it does on one of os's.
func TestPipeLikeOS(t *testing.T) {
	eachCaller(t, func(t *testing.T, l *ringo.Loop) {
		want, got := pipeSteps(t, osPipe), pipeSteps(t, ourPipe)
		for i := range want {
			if got[i] != want[i] {
				t.Errorf("got %s, os has %s", got[i], want[i])
			}
		}
	})
}

// pipeSteps are what is done with a pipe by one alone.
func pipeSteps(t *testing.T, pipe func() (r, w both, err error)) (told []string) {
	t.Helper()
	tell := func(results ...any) {
		var text []string
		for _, one := range results {
			text = append(text, fmt.Sprintf("%v (%T)", one, one))
		}
		told = append(told, strings.Join(text, ", "))
	}
	r, w, err := pipe()
	if err != nil {
		t.Fatal(err)
	}
	tell(r.Name(), w.Name())
	p := make([]byte, 10)
	for _, f := range []both{r, w} {
		info, err := f.Stat()
		if err != nil {
			t.Fatal(err)
		}
		tell(info.Mode(), info.Name())
		_, err = f.ReadAt(p, 0)
		tell("readat", err)
		_, err = f.WriteAt(p, 0)
		tell("writeat", err)
		_, err = f.Seek(0, io.SeekStart)
		tell("seek", err)
		tell("truncate", f.Truncate(0))
		tell("sync", f.Sync())
		n, err := f.Read(nil)
		tell("read of nothing", n, err)
	}
	n, err := w.Read(p)
	tell("read of the end to write", n, err)
	n, err = r.Write(p)
	tell("write to the end to read", n, err)
	n, err = w.WriteString("some bytes")
	tell("write", n, err)
	n, err = r.Read(p[:4])
	tell("a part", n, err, string(p[:n]))
	n, err = r.Read(make([]byte, 100))
	tell("the rest", n, err)
	n, err = w.Write(nil)
	tell("write of nothing", n, err)
	tell("close", w.Close(), w.Close())
	n, err = r.Read(p)
	tell("the end", n, err)
	n, err = w.Write(p)
	tell("write to a closed end", n, err)
	tell("close", r.Close(), r.Close())

	if r, w, err = pipe(); err != nil {
		t.Fatal(err)
	}
	tell("close", r.Close())
	n, err = w.WriteString("nobody reads it")
	tell("write to nobody", n, err, errors.Is(err, unix.EPIPE))
	tell("close", w.Close())
	return told
}

// More than a pipe holds goes through it, while the other end is somebody else's.
func TestPipeBulk(t *testing.T) {
	eachCaller(t, func(t *testing.T, l *ringo.Loop) {
		r, w, err := file.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		content := bytesOf(1 << 20)
		join := begin(l, func() {
			if n, err := w.Write(content); n != len(content) || err != nil {
				t.Errorf("Write = %d, %v", n, err)
			}
			if err := w.Close(); err != nil {
				t.Error(err)
			}
		})
		got, err := io.ReadAll(r)
		if err != nil || !bytes.Equal(got, content) {
			t.Errorf("read %d bytes, %v, want %d", len(got), err, len(content))
		}
		join()
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
}

// Its ends are non-blocking, and no process that is started gets them.
func TestPipeFlags(t *testing.T) {
	r, w, err := file.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	defer r.Close()
	for f, mode := range map[*file.File]int{r: unix.O_RDONLY, w: unix.O_WRONLY} {
		flags, err := unix.FcntlInt(f.Fd(), unix.F_GETFL, 0)
		if err != nil || flags&unix.O_NONBLOCK == 0 || flags&unix.O_ACCMODE != mode {
			t.Errorf("%s has flags %#x, %v", f.Name(), flags, err)
		}
		if flags, err := unix.FcntlInt(f.Fd(), unix.F_GETFD, 0); err != nil || flags&unix.FD_CLOEXEC == 0 {
			t.Errorf("%s stays open in other programs: %#x, %v", f.Name(), flags, err)
		}
	}
}

// Many tasks of one loop wait for pipes and hold up nothing; Close ends the wait of
// some, a cancel that of the others.
func TestPipeWaits(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		if cfg.Driver != socktest.World {
			testmain.NeedDescriptors(t, 500)
		}
		onLoop(t, cfg, func(l *ringo.Loop) {
			var ends [][2]*file.File
			var closed, cancelled []*ringo.Task
			for i := range 200 {
				r, w, err := file.Pipe()
				if err != nil {
					t.Fatal(err)
				}
				ends = append(ends, [2]*file.File{r, w})
				want := []error{fs.ErrClosed, context.Canceled}[i%2]
				task := l.Go(func() {
					if n, err := r.Read(make([]byte, 1)); n != 0 || !errors.Is(err, want) {
						t.Errorf("Read = %d, %v, want %v", n, err, want)
					}
				})
				if i%2 == 0 {
					closed = append(closed, task)
				} else {
					cancelled = append(cancelled, task)
				}
			}
			for l.Stats().Slots < 200 {
				pause(l)
			}
			for i := 0; i < len(ends); i += 2 {
				if err := ends[i][0].Close(); err != nil {
					t.Error(err)
				}
			}
			for i, task := range cancelled {
				task.Cancel()
				task.Wait()
				closed[i].Wait()
				if err := ends[2*i+1][0].Close(); err != nil {
					t.Error(err)
				}
			}
			for _, pair := range ends {
				if err := pair[1].Close(); err != nil {
					t.Error(err)
				}
			}
		})
	})
}

// Without descriptors it fails as os's does.
func TestPipeWithoutDescriptors(t *testing.T) {
	var before unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &before); err != nil {
		t.Fatal(err)
	}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 0, Max: before.Max}); err != nil {
		t.Fatal(err)
	}
	_, _, got := file.Pipe()
	_, _, want := os.Pipe()
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &before); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) || !errors.Is(got, unix.EMFILE) {
		t.Errorf("Pipe: %v (%T), want %v (%T)", got, got, want, want)
	}
}
