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
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ringo"
	"ringo/file"
	"ringo/internal/test/patience"
)

// fifo makes a FIFO in a folder of its own.
func fifo(t *testing.T) string {
	t.Helper()
	name := filepath.Join(tempDir(t), "fifo")
	if err := unix.Mkfifo(name, 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// An open of a FIFO, also in a Root, waits for the other end, and what is written comes out.
func TestFIFO(t *testing.T) {
	eachCaller(t, func(t *testing.T, l *ringo.Loop) {
		name := fifo(t)
		d, err := file.OpenRoot(filepath.Dir(name))
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		throughFIFO(t, l, func(flag int) (*file.File, error) { return file.OpenFile(name, flag, 0) })
		throughFIFO(t, l, func(flag int) (*file.File, error) { return d.OpenFile("fifo", flag, 0) })
	})
}

func throughFIFO(t *testing.T, l *ringo.Loop, open func(flag int) (*file.File, error)) {
	t.Helper()
	text := strings.Repeat("through the pipe ", 20_000)
	join := begin(l, func() {
		w, err := open(os.O_WRONLY)
		if err != nil {
			t.Error(err)
			return
		}
		if n, err := w.WriteString(text); n != len(text) || err != nil {
			t.Errorf("WriteString = %d, %v", n, err)
		}
		if _, err := w.WriteAt([]byte("x"), 0); !errors.Is(err, unix.ESPIPE) {
			t.Errorf("WriteAt: %v, want ESPIPE", err)
		}
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	r, err := open(os.O_RDONLY)
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(r)
	if string(got) != text || err != nil {
		t.Errorf("read %d bytes, %v, want %d", len(got), err, len(text))
	}
	if _, err := r.ReadAt(make([]byte, 1), 0); !errors.Is(err, unix.ESPIPE) {
		t.Errorf("ReadAt: %v, want ESPIPE", err)
	}
	if _, err := r.Seek(1, io.SeekStart); !errors.Is(err, unix.ESPIPE) {
		t.Errorf("Seek: %v, want ESPIPE", err)
	}
	join()
	if err := r.Close(); err != nil {
		t.Error(err)
	}
}

// A pipe takes no offset: whoever names one is told so, and the pipe keeps its bytes.
func TestPipeTakesNoOffset(t *testing.T) {
	const text = "in the pipe"
	eachCaller(t, func(t *testing.T, l *ringo.Loop) {
		r, w, err := file.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.WriteString(text); err != nil {
			t.Fatal(err)
		}
		p, q := make([]byte, 3), make([]byte, 2)
		ranges := []file.ReadRange{{Off: 0, P: p}, {Off: 3, P: q}, {Off: 100}, {Off: 100, P: make([]byte, 1)}}
		for what, c := range map[string]struct {
			call func() (int, error)
			want error
		}{
			"ReadAt":     {func() (int, error) { return r.ReadAt(p, 0) }, unix.ESPIPE},
			"ReadVAt":    {func() (int, error) { return r.ReadVAt([][]byte{p, q}, 3) }, unix.ESPIPE},
			"ReadCached": {func() (int, error) { return r.ReadCached(p, 0) }, errors.ErrUnsupported},
			"ReadRanges": {func() (n int, err error) {
				err = r.ReadRanges(ranges)
				for _, r := range ranges {
					if n += r.N; errors.Is(r.Err, unix.ESPIPE) != (len(r.P) > 0) {
						t.Errorf("ReadRanges: %d bytes at %d: %v", len(r.P), r.Off, r.Err)
					}
				}
				return n, err
			}, unix.ESPIPE},
			"ReadRanges of one": {func() (int, error) { return 0, r.ReadRanges(ranges[1:2]) }, unix.ESPIPE},
			"WriteAt":           {func() (int, error) { return w.WriteAt(p, 0) }, unix.ESPIPE},
			"WriteVAt":          {func() (int, error) { return w.WriteVAt([][]byte{p, q}, 3) }, unix.ESPIPE},
		} {
			if n, err := c.call(); n != 0 || !errors.Is(err, c.want) {
				t.Errorf("%s = %d, %v, want %v", what, n, err, c.want)
			}
		}
		w.Close()
		if got, err := io.ReadAll(r); string(got) != text || err != nil {
			t.Errorf("the pipe had %q, %v, want %q", got, err, text)
		}
		r.Close()
	})
}

// untilFull waits until a FIFO has no room any more.
func untilFull(t *testing.T, l *ringo.Loop, f *file.File) {
	t.Helper()
	for room := true; room; pause(l) {
		poll := []unix.PollFd{{Fd: int32(f.Fd()), Events: unix.POLLOUT}}
		if _, err := unix.Poll(poll, 0); err != nil && err != unix.EINTR {
			t.Fatal(err)
		}
		room = poll[0].Revents&unix.POLLOUT != 0
	}
}

// 64 opens that wait for another process delay no fsync, and a cancelled task gives up its own, of which nothing is
// left: no goroutine, and no reader that takes what is written.
func TestFIFOOpenBeside(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		onLoop(t, cfg, func(l *ringo.Loop) {
			f, err := file.Create(filepath.Join(tempDir(t), "file"))
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			var tasks []*ringo.Task
			var names []string
			for i := range 64 {
				name := fifo(t)
				names = append(names, name)
				tasks = append(tasks, l.Go(func() {
					g, err := file.OpenFile(name, []int{os.O_RDONLY, os.O_WRONLY}[i%2], 0)
					if err == nil {
						g.Close()
					}
					if !errors.Is(err, context.Canceled) {
						t.Errorf("open of a FIFO: %v, want context.Canceled", err)
					}
				}))
			}
			patience.UntilBy(t, "64 opens to wait", func() { pause(l) }, func() bool {
				return waiting(l, "open of a FIFO") == 64
			})
			for range 10 {
				if _, err := f.WriteString("a record\n"); err != nil {
					t.Error(err)
				}
				if err := f.Sync(); err != nil {
					t.Error(err)
				}
			}
			for _, task := range tasks {
				task.Cancel()
				task.Wait()
			}
			patience.UntilBy(t, "no goroutine that opens", func() { pause(l) }, func() bool {
				stacks := make([]byte, 1<<20)
				return !bytes.Contains(stacks[:runtime.Stack(stacks, true)], []byte("fifoOpen"))
			})
			for _, name := range names {
				n, err := unix.Open(name, unix.O_WRONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
				if err != unix.ENXIO {
					t.Errorf("a write is taken that nobody reads: %d, %v", n, err)
				}
			}
		})
	})
}

// Tasks of two loops and goroutines read one FIFO: each byte comes once.
func TestFIFOShared(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		f, err := file.OpenFile(fifo(t), os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		const n, readers = 600, 6
		got := make(chan byte, n)
		read := func() {
			var b [1]byte
			for range n / readers {
				if m, err := f.Read(b[:]); m != 1 || err != nil {
					t.Errorf("Read = %d, %v", m, err)
				}
				got <- b[0]
			}
		}
		var joins []func()
		for range 2 {
			joins = append(joins, begin(nil, read))
		}
		joins = append(joins, begin(nil, func() {
			for i := range n {
				if _, err := f.Write([]byte{byte(i)}); err != nil {
					t.Error(err)
				}
			}
		}))
		cfg.Loops = 2
		patience.Within(t.Name(), func() {
			err := ringo.Run(context.Background(), &cfg, func(l *ringo.Loop) error {
				l.Go(read)
				l.Go(read)
				return nil
			})
			if err != nil {
				t.Error(err)
			}
			for _, join := range joins {
				join()
			}
		})
		var seen [256]int
		for range n {
			seen[<-got]++
		}
		for b, count := range seen {
			if want := (n + 255 - b) / 256; count != want {
				t.Errorf("byte %d came %d times, want %d", b, count, want)
			}
		}
	})
}

// Descriptors that come from elsewhere, and go there.
func TestAdopt(t *testing.T) {
	eachCaller(t, func(t *testing.T, l *ringo.Loop) {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		defer w.Close()
		f, err := file.Adopt(r)
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Close(); !errors.Is(err, fs.ErrClosed) {
			t.Errorf("Close of what was adopted: %v, want fs.ErrClosed", err)
		}
		join := begin(l, func() {
			p := make([]byte, 10)
			if n, err := f.Read(p); string(p[:n]) != "late" || err != nil {
				t.Errorf("Read = %q, %v", p[:n], err)
			}
		})
		if _, err := w.WriteString("late"); err != nil {
			t.Fatal(err)
		}
		join()
		raw, err := f.SyscallConn()
		if err != nil {
			t.Fatal(err)
		}
		w.WriteString("raw")
		p := make([]byte, 10)
		n := 0
		if err := raw.Read(func(fd uintptr) bool {
			n, err = unix.Read(int(fd), p)
			return err != unix.EAGAIN
		}); err != nil || string(p[:n]) != "raw" {
			t.Errorf("RawConn.Read = %q, %v", p[:n], err)
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
		if err := raw.Control(func(uintptr) {}); !errors.Is(err, fs.ErrClosed) {
			t.Errorf("Control after Close: %v, want fs.ErrClosed", err)
		}
		for _, none := range []uint64{1 << 20, 1 << 31, 1<<32 - 1, 1 << 32, 1<<63 | 1} {
			if uint64(uintptr(none)) != none { // a uintptr has 32 bits
				continue
			}
			if f := file.NewFile(uintptr(none), "none"); f != nil {
				t.Errorf("NewFile of %#x gives a File of %d", none, int32(f.Fd()))
			}
		}
	})
}

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

// Each direction has its deadline, and both callers of an end are told of its own.
func TestDeadlinesOfDirections(t *testing.T) {
	eachCaller(t, func(t *testing.T, _ *ringo.Loop) {
		name := filepath.Join(tempDir(t), "fifo")
		if err := file.Mkfifo(name, 0o600); err != nil {
			t.Fatal(err)
		}
		f, err := file.OpenFile(name, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if err := f.SetReadDeadline(time.Now().Add(time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		if _, err := f.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("Read: %v, want os.ErrDeadlineExceeded", err)
		}
		if n, err := f.Write(make([]byte, 10)); n != 10 || err != nil {
			t.Errorf("Write when the read deadline has passed = %d, %v", n, err)
		}
		if _, err := f.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("Read of what is there when the deadline has passed: %v, want os.ErrDeadlineExceeded", err)
		}
		if err := errors.Join(f.SetReadDeadline(time.Time{}), f.SetWriteDeadline(time.Now())); err != nil {
			t.Fatal(err)
		}
		if n, err := f.Read(make([]byte, 20)); n != 10 || err != nil {
			t.Errorf("Read when the write deadline has passed = %d, %v", n, err)
		}
		if _, err := f.Write(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("Write: %v, want os.ErrDeadlineExceeded", err)
		}
	})
}

// What waits for a disk has no deadline, as with package os.
func TestNoDeadline(t *testing.T) {
	for _, name := range []string{filepath.Join(tempDir(t), "file"), os.DevNull} {
		f, err := file.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		theirs, err := os.OpenFile(name, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := f.SetDeadline(time.Now()), theirs.SetDeadline(time.Now()); got != want {
			t.Errorf("SetDeadline of %s: %v, want %v", name, got, want)
		}
		theirs.Close()
		f.Close()
		if err := f.SetReadDeadline(time.Now()); !errors.Is(err, os.ErrClosed) {
			t.Errorf("SetReadDeadline of a closed file: %v, want os.ErrClosed", err)
		}
	}
}
