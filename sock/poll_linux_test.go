//go:build linux

package sock_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ringo"
	"ringo/internal/op"
	"ringo/internal/test/patience"
	"ringo/internal/test/socktest"
	"ringo/sock"
)

// fileOf makes a file of a descriptor that a system call gave.
func fileOf(t *testing.T, name string) func(fd int, err error) *os.File {
	return func(fd int, err error) *os.File {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		f := os.NewFile(uintptr(fd), name)
		t.Cleanup(func() { f.Close() })
		return f
	}
}

func pollOf(t *testing.T, l *ringo.Loop, f syscall.Conn) *sock.Pollable {
	t.Helper()
	p, err := sock.Poll(l, f)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// pipeOf makes the two ends of a pipe, FIFO or terminal, in blocking mode or not.
func pipeOf(t *testing.T, kind string, flags int) (r, w *os.File) {
	t.Helper()
	switch kind {
	case "pipe":
		var ends [2]int
		err := unix.Pipe2(ends[:], unix.O_CLOEXEC|flags)
		return fileOf(t, "pipe")(ends[0], err), fileOf(t, "pipe")(ends[1], err)
	case "FIFO":
		name := filepath.Join(t.TempDir(), "fifo")
		if err := unix.Mkfifo(name, 0o600); err != nil {
			t.Fatal(err)
		}
		r := fileOf(t, name)(unix.Open(name, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0))
		w := fileOf(t, name)(unix.Open(name, unix.O_WRONLY|unix.O_CLOEXEC|flags, 0))
		if err := unix.SetNonblock(int(r.Fd()), flags != 0); err != nil {
			t.Fatal(err)
		}
		return r, w
	case "terminal":
		w := fileOf(t, "ptmx")(unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_CLOEXEC|unix.O_NOCTTY|flags, 0))
		n, err := unix.IoctlGetInt(int(w.Fd()), unix.TIOCGPTN)
		if err == nil {
			err = unix.IoctlSetPointerInt(int(w.Fd()), unix.TIOCSPTLCK, 0)
		}
		if err != nil {
			t.Fatal(err)
		}
		name := fmt.Sprint("/dev/pts/", n)
		r := fileOf(t, name)(unix.Open(name, unix.O_RDWR|unix.O_CLOEXEC|unix.O_NOCTTY|flags, 0))
		return r, w
	}
	panic(kind)
}

// wantMode checks that nobody has touched a file's mode.
func wantMode(t *testing.T, f *os.File, flags int) {
	t.Helper()
	got, err := unix.FcntlInt(f.Fd(), unix.F_GETFL, 0)
	if err != nil || got&unix.O_NONBLOCK != flags {
		t.Errorf("%s has O_NONBLOCK %#x, %v; want %#x", f.Name(), got&unix.O_NONBLOCK, err, flags)
	}
}

func TestPollReadWrite(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		for _, kind := range []string{"pipe", "FIFO", "terminal"} {
			for name, flags := range map[string]int{"blocking": 0, "non-blocking": unix.O_NONBLOCK} {
				t.Run(kind+"/"+name, func(t *testing.T) {
					rf, wf := pipeOf(t, kind, flags)
					onLoop(t, cfg, func(l *ringo.Loop) {
						r, w := pollOf(t, l, rf), pollOf(t, l, wf)
						got := ""
						reader := l.Go(func() {
							b := make([]byte, 100)
							for !strings.HasSuffix(got, "end\n") {
								n, err := r.Read(b)
								if err != nil {
									t.Errorf("Read: %v", err)
									return
								}
								got += string(b[:n])
							}
						})
						others(l)
						for _, s := range []string{"one\n", "two\n", "end\n"} {
							if n, err := w.Write([]byte(s)); n != len(s) || err != nil {
								t.Errorf("Write: %d, %v", n, err)
							}
							others(l)
						}
						reader.Wait()
						if got != "one\ntwo\nend\n" {
							t.Errorf("read %q", got)
						}
						r.SetReadDeadline(time.Now().Add(time.Millisecond))
						_, err := r.Read(make([]byte, 1))
						wantPathError(t, err, os.ErrDeadlineExceeded)
						r.SetReadDeadline(never)
						canceled := l.Go(func() {
							_, err := r.Read(make([]byte, 1))
							wantPathError(t, err, context.Canceled)
						})
						others(l)
						canceled.Cancel()
						canceled.Wait()
						eventuallyOn(t, l, "the poll has ended", func() bool { return l.Stats().Slots == 0 })
						closed := l.Go(func() {
							_, err := r.Read(make([]byte, 1))
							wantPathError(t, err, net.ErrClosed)
						})
						others(l)
						r.Close()
						closed.Wait()
						w.Close()
					})
					wantMode(t, rf, flags)
					wantMode(t, wf, flags)
				})
			}
		}
	})
}

func wantPathError(t *testing.T, err, want error) {
	t.Helper()
	var pe *fs.PathError
	if !errors.As(err, &pe) || !errors.Is(err, want) {
		t.Errorf("%T %v, want an *fs.PathError of %v", err, err, want)
	}
}

// Callers that are no tasks of its loop read, write and wait, of whatever sort the file is.
func TestPollCallers(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		for _, kind := range []string{"pipe", "FIFO", "terminal"} {
			for name, flags := range map[string]int{"blocking": 0, "non-blocking": unix.O_NONBLOCK} {
				t.Run(kind+"/"+name, func(t *testing.T) {
					rf, wf := pipeOf(t, kind, flags)
					onLoop(t, cfg, func(l *ringo.Loop) {
						onGoroutine(t, l, func() {
							r, w := pollOf(t, l, rf), pollOf(t, l, wf)
							defer r.Close()
							defer w.Close()
							began, got := make(chan bool, 1), make(chan string, 1)
							read := func() {
								began <- true
								b := make([]byte, 100)
								n, err := r.Read(b)
								if err != nil {
									t.Errorf("Read: %v", err)
								}
								got <- string(b[:n])
							}
							for i := range 20 {
								if i%2 == 0 {
									go read()
								} else {
									l.Go(read)
								}
								<-began
								if ready, err := w.Wait(sock.Writable); ready&sock.Writable == 0 || err != nil {
									t.Errorf("ready for %#x, %v", ready, err)
								}
								line := fmt.Sprintln("line", i)
								if n, err := w.Write([]byte(line)); n != len(line) || err != nil {
									t.Errorf("Write: %d, %v", n, err)
								}
								if text := <-got; text != line {
									t.Errorf("read %q, want %q", text, line)
								}
							}
						})
					})
					wantMode(t, rf, flags)
					wantMode(t, wf, flags)
				})
			}
		}
	})
}

// A writer waits for room, and all arrives.
func TestPollFull(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		for _, kind := range []string{"pipe", "FIFO"} {
			for name, flags := range map[string]int{"blocking": 0, "non-blocking": unix.O_NONBLOCK} {
				t.Run(kind+"/"+name, func(t *testing.T) {
					rf, wf := pipeOf(t, kind, flags)
					onLoop(t, cfg, func(l *ringo.Loop) {
						r, w := pollOf(t, l, rf), pollOf(t, l, wf)
						const size = 1 << 20
						p := make([]byte, size)
						pattern(p, 0)
						writer := l.Go(func() {
							if n, err := w.Write(p); n != size || err != nil {
								t.Errorf("Write: %d, %v", n, err)
							}
							w.Close()
							wf.Close()
						})
						got, err := io.ReadAll(r)
						if len(got) != size || err != nil || mismatch(got, 0) >= 0 {
							t.Errorf("%d bytes came, %v", len(got), err)
						}
						writer.Wait()
						r.Close()
					})
				})
			}
		}
	})
}

func TestPollEventfd(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		for _, flags := range []int{0, unix.EFD_NONBLOCK} {
			f := fileOf(t, "eventfd")(unix.Eventfd(0, unix.EFD_CLOEXEC|flags))
			onLoop(t, cfg, func(l *ringo.Loop) {
				p := pollOf(t, l, f)
				defer p.Close()
				if ready, err := p.Wait(sock.Readable | sock.Writable); ready != sock.Writable || err != nil {
					t.Errorf("ready for %#x, %v", ready, err)
				}
				waiting := l.Go(func() {
					ready, err := p.Wait(sock.Readable)
					if errors.Is(err, context.Canceled) {
						return // the reader was first
					}
					if ready != sock.Readable || err != nil {
						t.Errorf("ready for %#x, %v", ready, err)
					}
				})
				reading := l.Go(func() {
					b := make([]byte, 8)
					if n, err := p.Read(b); n != 8 || err != nil || binary.NativeEndian.Uint64(b) != 3 {
						t.Errorf("Read: %v, %v", b[:n], err)
					}
				})
				others(l)
				if _, err := p.Write(binary.NativeEndian.AppendUint64(nil, 3)); err != nil {
					t.Error(err)
				}
				reading.Wait()
				waiting.Cancel()
				waiting.Wait()
				if _, err := p.Write(binary.NativeEndian.AppendUint64(nil, 1)); err != nil {
					t.Error(err)
				}
				if _, err := p.Read(make([]byte, 3)); !errors.Is(err, unix.EINVAL) {
					t.Errorf("a short Read: %v", err)
				}
			})
			wantMode(t, f, flags)
		}
	})
}

func TestPollTimerAndProcess(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		timer := fileOf(t, "timerfd")(unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_CLOEXEC))
		cmd := exec.Command("/proc/self/exe", "-test.run=^$")
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		defer cmd.Wait()
		process := fileOf(t, "pidfd")(unix.PidfdOpen(cmd.Process.Pid, 0))
		onLoop(t, cfg, func(l *ringo.Loop) {
			p, q := pollOf(t, l, timer), pollOf(t, l, process)
			defer p.Close()
			defer q.Close()
			spec := unix.ItimerSpec{Value: unix.NsecToTimespec(int64(time.Millisecond))}
			if err := unix.TimerfdSettime(int(timer.Fd()), 0, &spec, nil); err != nil {
				t.Error(err)
			}
			b := make([]byte, 8)
			if n, err := p.Read(b); n != 8 || err != nil || binary.NativeEndian.Uint64(b) != 1 {
				t.Errorf("a timer gave %v, %v", b[:n], err)
			}
			if ready, err := q.Wait(sock.Readable); ready&sock.Readable == 0 || err != nil {
				t.Errorf("a process ended with %#x, %v", ready, err)
			}
		})
		wantMode(t, timer, 0)
	})
}

func TestPollInotify(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		f := fileOf(t, "inotify")(unix.InotifyInit1(unix.IN_CLOEXEC)) // in blocking mode
		dir := t.TempDir()
		if _, err := unix.InotifyAddWatch(int(f.Fd()), dir, unix.IN_CREATE); err != nil {
			t.Fatal(err)
		}
		onLoop(t, cfg, func(l *ringo.Loop) {
			p := pollOf(t, l, f)
			defer p.Close()
			reading := l.Go(func() {
				b := make([]byte, 1000)
				if n, err := p.Read(b); err != nil || !strings.Contains(string(b[:n]), "news") {
					t.Errorf("Read: %q, %v", b[:n], err)
				}
			})
			others(l)
			if err := os.WriteFile(filepath.Join(dir, "news"), nil, 0o600); err != nil {
				t.Error(err)
			}
			reading.Wait()
		})
		wantMode(t, f, 0)
	})
}

func TestPollWait(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		rf, wf := pipeOf(t, "pipe", 0)
		onLoop(t, cfg, func(l *ringo.Loop) {
			r := pollOf(t, l, rf)
			r.SetReadDeadline(time.Now().Add(-time.Second))
			_, err := r.Wait(sock.Readable)
			wantPathError(t, err, os.ErrDeadlineExceeded)
			r.SetReadDeadline(time.Now().Add(time.Hour))
			late := l.Go(func() {
				_, err := r.Wait(sock.Readable | sock.Urgent)
				wantPathError(t, err, os.ErrDeadlineExceeded)
			})
			others(l)
			r.SetReadDeadline(time.Now().Add(time.Millisecond))
			late.Wait()
			r.SetDeadline(never)
			over := l.Go(func() {
				if ready, err := r.Wait(sock.Readable); ready&sock.HungUp == 0 || err != nil {
					t.Errorf("ready for %#x, %v", ready, err)
				}
			})
			others(l)
			wf.Close()
			over.Wait()
			if n, err := r.Read(make([]byte, 1)); n != 0 || err != io.EOF {
				t.Errorf("Read: %d, %v", n, err)
			}
			r.Close()
			r.Close()
			_, err = r.Wait(sock.Readable)
			wantPathError(t, err, net.ErrClosed)
		})
	})
}

// An interest in neither direction has the read deadline.
func TestPollWaitDeadlines(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		onLoop(t, cfg, func(l *ringo.Loop) {
			rf, wf := pipeOf(t, "pipe", 0)
			r, w := pollOf(t, l, rf), pollOf(t, l, wf)
			r.SetReadDeadline(time.Now().Add(-time.Second))
			w.SetWriteDeadline(time.Now().Add(-time.Second))
			for _, interest := range []sock.Interest{0, sock.Urgent, sock.PeerDone, sock.HungUp, sock.Failed} {
				var err error
				late := l.Go(func() { _, err = r.Wait(interest) })
				others(l)
				late.Cancel()
				late.Wait()
				if !errors.Is(err, os.ErrDeadlineExceeded) {
					t.Errorf("Wait for %#x: %v", interest, err)
					continue
				}
				beside := make(chan error)
				go func() { _, err := r.Wait(interest); beside <- err }()
				if err := <-beside; !errors.Is(err, os.ErrDeadlineExceeded) {
					t.Errorf("a goroutine's Wait for %#x: %v", interest, err)
				}
			}
			w.SetReadDeadline(time.Now().Add(-time.Second))
			w.SetWriteDeadline(never)
			if ready, err := w.Wait(sock.Writable | sock.Failed); ready != sock.Writable || err != nil {
				t.Errorf("Wait for room, behind the read deadline: %#x, %v", ready, err)
			}
		})
	})
}

// What a call refuses it refuses at once, whether or not the descriptor is ready.
func TestPollInvalid(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		for _, flags := range []int{0, unix.O_NONBLOCK} {
			event := fileOf(t, "eventfd")(unix.Eventfd(0, unix.EFD_CLOEXEC|flags))
			timer := fileOf(t, "timerfd")(unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_CLOEXEC|flags))
			epoll := fileOf(t, "epoll")(unix.EpollCreate1(unix.EPOLL_CLOEXEC))
			onLoop(t, cfg, func(l *ringo.Loop) {
				for _, c := range []struct {
					name string
					call func() (int, error)
				}{
					{"eventfd, read", func() (int, error) { return pollOf(t, l, event).Read(make([]byte, 4)) }},
					{"timerfd, write", func() (int, error) { return pollOf(t, l, timer).Write(make([]byte, 8)) }},
					{"epoll, read", func() (int, error) { return pollOf(t, l, epoll).Read(make([]byte, 8)) }},
					{"epoll, write", func() (int, error) { return pollOf(t, l, epoll).Write(make([]byte, 8)) }},
				} {
					var err error
					calling := l.Go(func() { _, err = c.call() })
					others(l)
					calling.Cancel()
					calling.Wait()
					if !errors.Is(err, unix.EINVAL) {
						t.Errorf("%s, flags %#x: %v", c.name, flags, err)
					}
				}
			})
		}
	})
}

func TestPollRefuses(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		onLoop(t, cfg, func(l *ringo.Loop) {
			f, err := os.Open("/proc/self/exe")
			if err != nil {
				t.Fatal(err)
			}
			_, err = sock.Poll(l, f)
			if err == nil || !strings.Contains(err.Error(), "Loop.Offload") {
				t.Errorf("a file on a disk: %v", err)
			}
			f.Close()
			if _, err = sock.Poll(l, f); err == nil {
				t.Error("a closed file")
			}
		})
	})
}

// Files of the kernel have the mode of files on a disk, and some of them can be polled.
func TestPollKernelFiles(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		onLoop(t, cfg, func(l *ringo.Loop) {
			open := func(name string, flags int) (*sock.Pollable, bool) {
				fd, err := unix.Open(name, flags|unix.O_CLOEXEC, 0)
				if err != nil {
					t.Logf("without %s: %v", name, err)
					return nil, false
				}
				p, err := sock.Poll(l, fileOf(t, name)(fd, nil))
				if err != nil {
					t.Error(err)
				}
				return p, err == nil
			}
			// reads reports whether the file is read as package os reads it, and no change is told afterwards. Others
			// on this machine may change it at any time.
			reads := func(name string, flags int) bool {
				p, ok := open(name, flags)
				if !ok {
					return true
				}
				defer p.Close()
				if got, err := p.Wait(sock.Readable); got&sock.Readable == 0 || err != nil {
					t.Errorf("%s: ready for %#x, %v", name, got, err)
				}
				p.SetReadDeadline(patience.Deadline())
				all, err := io.ReadAll(p)
				if err != nil {
					t.Errorf("%s: %v", name, err)
				}
				want, _ := os.ReadFile(name)
				p.SetReadDeadline(time.Now().Add(time.Millisecond))
				_, err = p.Wait(sock.Urgent)
				if err != nil {
					wantPathError(t, err, os.ErrDeadlineExceeded)
				}
				return err != nil && bytes.Equal(all, want)
			}
			for _, flags := range []int{unix.O_RDONLY, unix.O_RDONLY | unix.O_NONBLOCK} {
				for _, name := range []string{"/proc/self/mountinfo", "/sys/kernel/uevent_seqnum"} {
					tries := 1
					for ; !reads(name, flags) && tries < 100; tries++ {
					}
					if tries == 100 {
						t.Errorf("%s: in none of %d tries read as by package os, and at rest afterwards", name, tries)
					}
				}
			}
			if p, ok := open("/sys/kernel/uevent_seqnum", unix.O_RDONLY); ok { // what was not read counts as changed
				if got, err := p.Wait(sock.Urgent); got != sock.Urgent|sock.Failed || err != nil {
					t.Errorf("ready for %#x, %v", got, err)
				}
				p.Close()
			}
			if p, ok := open("/proc/pressure/memory", unix.O_RDWR); ok {
				defer p.Close()
				if n, err := p.Write([]byte("full 1900000 2000000\x00")); errors.Is(err, fs.ErrPermission) {
					t.Log("without a trigger:", err) // before Linux 6.4 only root may have one
					return
				} else if n != 21 || err != nil {
					t.Errorf("Write of a trigger: %d, %v", n, err)
				}
				p.SetReadDeadline(time.Now().Add(time.Millisecond))
				_, err := p.Wait(sock.Urgent)
				wantPathError(t, err, os.ErrDeadlineExceeded)
			}
		})
	})
}

// What is always ready has no other events, which a caller would wait for in vain.
func TestPollAlwaysReady(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		onLoop(t, cfg, func(l *ringo.Loop) {
			for _, name := range []string{"/dev/null", "/dev/zero", "/dev/full"} {
				f, err := os.OpenFile(name, os.O_RDWR, 0)
				if err != nil {
					t.Fatal(err)
				}
				p := pollOf(t, l, f)
				f.Close()
				p.SetDeadline(time.Now().Add(time.Hour))
				for _, in := range []sock.Interest{sock.Readable, sock.Writable, sock.Readable | sock.Urgent} {
					if got, err := p.Wait(in); got != in&^sock.Urgent || err != nil {
						t.Errorf("%s is ready for %#x, %v; want %#x", name, got, err, in&^sock.Urgent)
					}
				}
				p.SetDeadline(time.Now().Add(time.Millisecond))
				for _, in := range []sock.Interest{0, sock.Urgent, sock.PeerDone, sock.Failed | sock.HungUp} {
					_, err := p.Wait(in)
					if err == nil || !strings.Contains(err.Error(), "always ready") {
						t.Errorf("%s, interest %#x: %v", name, in, err)
					}
				}
				p.Close()
			}
		})
	})
}

// What is left open ends with the loop.
func TestPollLeftOpen(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		rf, wf := pipeOf(t, "pipe", unix.O_NONBLOCK)
		err := socktest.RunLoops(t, context.Background(), &cfg, func(l *ringo.Loop) error {
			_, err := sock.Poll(l, wf)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		wf.Close()
		if n, err := rf.Read(make([]byte, 1)); n != 0 || err != io.EOF {
			t.Errorf("the other end reads %d, %v", n, err)
		}
	})
}

// callsBeside reports whether a goroutine makes a call of a Pollable's.
func callsBeside() bool {
	buf := make([]byte, 1<<20)
	return strings.Contains(string(buf[:runtime.Stack(buf, true)]), "(*Pollable).offload.func1(")
}

// inTwos has a terminal be ready when a byte has come, and a read of it wait for a
// second: VMIN beside VTIME of termios(3).
func inTwos(t *testing.T, f *os.File) {
	t.Helper()
	tio, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	if err == nil {
		tio.Lflag &^= unix.ICANON | unix.ECHO
		tio.Cc[unix.VMIN], tio.Cc[unix.VTIME] = 2, 255
		err = unix.IoctlSetTermios(int(f.Fd()), unix.TCSETS, tio)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// A read that waits on a thread keeps its descriptor: a Close meanwhile waits for it,
// else the number would be another file's before the call comes back.
func TestPollCloseWaitsForTheThread(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		rf, wf := pipeOf(t, "terminal", 0)
		inTwos(t, rf)
		send := func() {
			if _, err := unix.Write(int(wf.Fd()), []byte{'x'}); err != nil {
				t.Error(err)
			}
		}
		name, err := os.Readlink(fmt.Sprint("/proc/self/fd/", rf.Fd()))
		if err != nil {
			t.Fatal(err)
		}
		before := descriptors(t, name)
		onLoop(t, cfg, func(l *ringo.Loop) {
			p := pollOf(t, l, rf)
			reading := l.Go(func() {
				n, err := p.Read(make([]byte, 10))
				for ; n == 1 && err == nil; n, err = p.Read(make([]byte, 10)) { // the time of inTwos is over
					send()
				}
				if n != 2 && !errors.Is(err, net.ErrClosed) {
					t.Errorf("Read: %d, %v", n, err)
				}
			})
			send()
			eventuallyOn(t, l, "the read waits in its call", callsBeside)
			closed := false
			closing := l.Go(func() {
				p.Close()
				closed = true
			})
			others(l)
			others(l)
			if n := descriptors(t, name); closed || n != before+1 {
				t.Errorf("closed %v, %d descriptors while a call uses one; want %d", closed, n, before+1)
			}
			send()
			closing.Wait()
			reading.Wait()
			if n := descriptors(t, name); n != before {
				t.Errorf("%d descriptors are left, %d before", n, before)
			}
		})
	})
}

// A call that the kernel refuses is told in the words of package os.
func TestPollErrorsAsOs(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		for name, flags := range map[string]int{"blocking": 0, "non-blocking": unix.EFD_NONBLOCK} {
			t.Run(name, func(t *testing.T) {
				f := fileOf(t, "eventfd")(unix.Eventfd(1, unix.EFD_CLOEXEC|flags))
				onLoop(t, cfg, func(l *ringo.Loop) {
					p := pollOf(t, l, f)
					defer p.Close()
					short := make([]byte, 3)
					_, want := f.Read(short)
					if _, err := p.Read(short); err == nil || err.Error() != want.Error() {
						t.Errorf("Read: %v, want %v", err, want)
					}
					_, want = f.Write(short)
					if _, err := p.Write(short); err == nil || err.Error() != want.Error() {
						t.Errorf("Write: %v, want %v", err, want)
					}
				})
			})
		}
	})
}

// Sockets of families that have no handle of their own are Pollables.
func TestPollOfOtherFamilies(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		t.Run("netlink", func(t *testing.T) {
			f := socketFile(t, unix.AF_NETLINK, unix.SOCK_RAW)
			onLoop(t, cfg, func(l *ringo.Loop) {
				p := pollOf(t, l, f)
				defer p.Close()
				// Which links there are: an nlmsghdr and an rtgenmsg, see netlink(7).
				ask := binary.NativeEndian.AppendUint32(nil, 17)
				ask = binary.NativeEndian.AppendUint16(ask, unix.RTM_GETLINK)
				ask = binary.NativeEndian.AppendUint16(ask, unix.NLM_F_REQUEST|unix.NLM_F_DUMP)
				ask = append(ask, make([]byte, 9)...)
				if n, err := p.Write(ask); n != len(ask) || err != nil {
					t.Fatalf("Write = %d, %v", n, err)
				}
				b := make([]byte, 1<<16)
				n, err := p.Read(b)
				if err != nil || n < 16 || binary.NativeEndian.Uint16(b[4:]) != unix.RTM_NEWLINK {
					t.Errorf("Read = %d, %v, want the links", n, err)
				}
			})
		})
		t.Run("vsock", func(t *testing.T) {
			f := socketFile(t, unix.AF_VSOCK, unix.SOCK_STREAM)
			at := &unix.SockaddrVM{CID: unix.VMADDR_CID_ANY, Port: unix.VMADDR_PORT_ANY}
			if err := errors.Join(unix.Bind(int(f.Fd()), at), unix.Listen(int(f.Fd()), 1)); err != nil {
				t.Skip(err)
			}
			onLoop(t, cfg, func(l *ringo.Loop) {
				p := pollOf(t, l, f)
				defer p.Close()
				p.SetReadDeadline(time.Now().Add(time.Millisecond))
				if got, err := p.Wait(sock.Readable); !errors.Is(err, os.ErrDeadlineExceeded) {
					t.Errorf("Wait for peers = %v, %v, want a timeout: there are none", got, err)
				}
			})
		})
	})
}

// A packet socket sends and receives frames, here on the loopback.
func TestPollPackets(t *testing.T) {
	const experiments = 0x88b5 // IEEE 802's number for them
	network := binary.NativeEndian.Uint16(binary.BigEndian.AppendUint16(nil, experiments))
	lo, err := net.InterfaceByName("lo")
	if err != nil {
		t.Skip(err)
	}
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		f := socketFile(t, unix.AF_PACKET, unix.SOCK_RAW)
		if err := unix.Bind(number(f), &unix.SockaddrLinklayer{Protocol: network, Ifindex: lo.Index}); err != nil {
			t.Fatal(err)
		}
		onLoop(t, cfg, func(l *ringo.Loop) {
			p := pollOf(t, l, f)
			defer p.Close()
			frame := append(binary.BigEndian.AppendUint16(make([]byte, 12), experiments), "a frame"...)
			reading := l.Go(func() {
				b := make([]byte, 1500)
				if n, err := p.Read(b); !bytes.Equal(b[:n], frame) || err != nil {
					t.Errorf("Read: %q, %v", b[:n], err)
				}
			})
			others(l)
			if n, err := p.Write(frame); n != len(frame) || err != nil {
				t.Errorf("Write: %d, %v", n, err)
			}
			reading.Wait()
		})
	})
}

// A TUN device gives what the host sends into its network, and takes what is to come from there.
func TestPollTun(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		var f *os.File
		var host net.PacketConn
		inOwnNetwork(t, func() error {
			fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
			if err != nil {
				return err
			}
			f = fileOf(t, "tun")(fd, nil)
			if err := tunnel(fd, "tun0", [4]byte{10, 9, 8, 1}); err != nil {
				return err
			}
			host, err = net.ListenPacket("udp4", "10.9.8.1:0")
			return err
		})
		defer host.Close()
		onLoop(t, cfg, func(l *ringo.Loop) {
			p := pollOf(t, l, f)
			defer p.Close()
			answering := l.Go(func() {
				b := make([]byte, 1500)
				for {
					n, err := p.Read(b)
					if err != nil {
						t.Errorf("Read: %v", err)
						return
					}
					if n < 28 || b[0] != 0x45 || b[9] != unix.IPPROTO_UDP { // what a host says to a new network
						continue
					}
					for i := range 4 { // the way back; sums of the header don't change
						b[12+i], b[16+i] = b[16+i], b[12+i]
					}
					b[20], b[21], b[22], b[23] = b[22], b[23], b[20], b[21]
					b[26], b[27] = 0, 0 // no sum of the datagram
					if k, err := p.Write(b[:n]); k != n || err != nil {
						t.Errorf("Write of %d: %d, %v", n, k, err)
					}
					return
				}
			})
			offloaded(t, l, func() error {
				to := &net.UDPAddr{IP: net.IPv4(10, 9, 8, 2), Port: 7}
				if _, err := host.WriteTo([]byte("into the tunnel"), to); err != nil {
					return err
				}
				host.SetDeadline(patience.Deadline())
				b := make([]byte, 100)
				n, from, err := host.ReadFrom(b)
				if string(b[:n]) != "into the tunnel" || from.String() != to.String() {
					t.Errorf("the answer is %q from %v, %v", b[:n], from, err)
				}
				return err
			})
			answering.Wait()
		})
	})
}

// tunnel makes a descriptor of /dev/net/tun a device that is up, and the host an address in its network.
func tunnel(fd int, name string, addr [4]byte) error {
	r, err := unix.NewIfreq(name)
	if err != nil {
		return err
	}
	r.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI)
	if err := unix.IoctlIfreq(fd, unix.TUNSETIFF, r); err != nil {
		return os.NewSyscallError("TUNSETIFF", err)
	}
	s, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(s)
	set := func(request uint, to func(r *unix.Ifreq) error) {
		r, e := unix.NewIfreq(name)
		if err == nil {
			err = errors.Join(e, to(r))
		}
		if err == nil {
			err = os.NewSyscallError(fmt.Sprintf("ioctl %#x", request), unix.IoctlIfreq(s, request, r))
		}
	}
	set(unix.SIOCSIFADDR, func(r *unix.Ifreq) error { return r.SetInet4Addr(addr[:]) })
	set(unix.SIOCSIFNETMASK, func(r *unix.Ifreq) error { return r.SetInet4Addr([]byte{255, 255, 255, 0}) })
	set(unix.SIOCSIFFLAGS, func(r *unix.Ifreq) error { r.SetUint16(unix.IFF_UP); return nil })
	return err
}

// socketFile is a new socket.
func socketFile(t *testing.T, family, kind int) *os.File {
	t.Helper()
	fd, err := unix.Socket(family, kind|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Skip(err)
	}
	return fileOf(t, "socket")(fd, nil)
}

// A writer whose peer has shut down its side, and does not read, sleeps until there is room. Each poll of such a socket
// reports the peer's end at once.
func TestHalfClosedPeerWakesNoWriter(t *testing.T) {
	const size = 4 << 20
	name := patternFile(t, size)
	writers := map[string]func(t *testing.T, l *ringo.Loop, ours *os.File) (write func() error, end func() error){
		"SendFile": func(t *testing.T, l *ringo.Loop, ours *os.File) (func() error, func() error) {
			f, err := os.Open(name)
			if err != nil {
				t.Fatal(err)
			}
			std, err := net.FileConn(ours)
			if err != nil {
				t.Fatal(err)
			}
			c, err := sock.Adopt[*sock.Conn](l, std, nil)
			if err != nil {
				t.Fatal(err)
			}
			return func() error { return second(sendAll(c, nil, f, 0, size)) },
				func() error { return errors.Join(c.Close(), f.Close()) }
		},
		"Pollable": func(t *testing.T, l *ringo.Loop, ours *os.File) (func() error, func() error) {
			p := pollOf(t, l, ours)
			return func() error { return second(p.Write(make([]byte, size))) }, p.Close
		},
	}
	tries := new(atomic.Int64)
	for _, code := range []op.Code{op.Sendfile, op.Write} {
		row := &op.Table[code].Attempt
		plain := *row
		*row = func(o *op.Op) int32 {
			tries.Add(1)
			return plain(o)
		}
		t.Cleanup(func() { *row = plain })
	}
	socktest.EachDriver(t, func(t *testing.T, cfg ringo.Config) {
		for kind, open := range writers {
			for _, by := range callers {
				t.Run(kind+" in a "+by.name, func(t *testing.T) {
					onLoop(t, cfg, func(l *ringo.Loop) {
						fds, err := unix.Socketpair(unix.AF_UNIX,
							unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
						ours, peer := fileOf(t, "pair")(fds[0], err), fileOf(t, "pair")(fds[1], err)
						if err := unix.Shutdown(fds[1], unix.SHUT_WR); err != nil {
							t.Fatal(err)
						}
						write, end := open(t, l, ours)
						wait := by.run(l, write)
						eventuallyOn(t, l, "a socket without room", func() bool { return !hasRoom(t, ours) })
						const few = 10 // tries, of a writer that still finds some room
						before := tries.Load()
						for range 1000 {
							if others(l); tries.Load() > before+few {
								t.Error("the writer tries again and again, and the peer has read nothing")
								break
							}
						}
						offloaded(t, l, func() error { return second(io.CopyN(io.Discard, peer, size)) })
						if err := errors.Join(wait(), end()); err != nil {
							t.Error(err)
						}
					})
				})
			}
		}
	})
}

// hasRoom asks poll(2) of a file.
func hasRoom(t *testing.T, f *os.File) bool {
	t.Helper()
	p := []unix.PollFd{{Fd: int32(number(f)), Events: unix.POLLOUT}}
	if _, err := unix.Poll(p, 0); err != nil && err != unix.EINTR {
		t.Error(err)
	}
	return p[0].Revents&unix.POLLOUT != 0
}
