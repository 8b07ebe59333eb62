//go:build linux

package uring

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// pattern is bytes that differ from place to place.
func pattern(n int) []byte {
	p := make([]byte, n)
	for i := range p {
		p[i] = byte(i>>12 ^ i*7)
	}
	return p
}

// TestReadWriteMatrix writes a file and reads it back by each op, with the page cache and past it, by a worker or not,
// and looks at every byte.
func TestReadWriteMatrix(t *testing.T) {
	const block, blocks = 4096, 8
	for _, direct := range []bool{false, true} {
		for _, flags := range []SQEFlags{0, SQEAsync} {
			for _, op := range []string{"plain", "vector", "fixed"} {
				t.Run(fmt.Sprintf("direct=%v async=%v %s", direct, flags != 0, op), func(t *testing.T) {
					eachGeometry(t, func(t *testing.T, r *Ring) {
						name := filepath.Join(t.TempDir(), "f")
						mode := unix.O_RDWR | unix.O_CREAT | unix.O_CLOEXEC
						if direct {
							mode |= unix.O_DIRECT
						}
						fd, err := unix.Open(name, mode, 0o600)
						if err != nil {
							t.Skip("O_DIRECT:", err)
						}
						defer unix.Close(fd)
						mem := pages(t, 2*blocks)
						in, out := mem[block*blocks:block*blocks*2], mem[:block*blocks]
						copy(out, pattern(len(out)))
						if err := r.RegisterBuffers([][]byte{out, in}); err != nil {
							t.Fatal(err)
						}
						each := func(prep func(e *SQE, off int64)) {
							for i := range int64(blocks) {
								want(t, do(t, r, flagged(func(e *SQE) { prep(e, i*block) }, flags)), block)
							}
						}
						part := func(p []byte, off int64) []byte { return p[off : off+block] }
						each(func(e *SQE, off int64) {
							switch op {
							case "plain":
								e.PrepWrite(fd, part(out, off), off)
							case "vector":
								vec, n := vector(part(out, off)[:1024], part(out, off)[1024:])
								e.PrepWritev(fd, vec, n, off)
							case "fixed":
								e.PrepWriteFixed(fd, part(out, off), off, 0)
							}
						})
						each(func(e *SQE, off int64) {
							switch op {
							case "plain":
								e.PrepRead(fd, part(in, off), off)
							case "vector":
								vec, n := vector(part(in, off)[:512], part(in, off)[512:])
								e.PrepReadv(fd, vec, n, off)
							case "fixed":
								e.PrepReadFixed(fd, part(in, off), off, 1)
							}
						})
						if !bytes.Equal(in, out) {
							t.Error("what was read is not what was written")
						}
						want(t, do(t, r, func(e *SQE) { e.PrepRead(fd, part(in, 0), block*blocks) }), 0)
					})
				})
			}
		}
	}
}

// TestFixedOffsets reads at many places of registered buffers: one after another, across pages, and in pieces.
func TestFixedOffsets(t *testing.T) {
	r := open(t, 8, nil)
	mem := pages(t, 16)
	bufs := [][]byte{mem[:4096], mem[4096 : 3*4096+100], mem[3*4096+100:]}
	if err := r.RegisterBuffers(bufs); err != nil {
		t.Fatal(err)
	}
	text := pattern(1 << 16)
	f, err := os.Create(filepath.Join(t.TempDir(), "f"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.Write(text); err != nil {
		t.Fatal(err)
	}
	fd := int(f.Fd())
	for i, b := range bufs {
		for _, off := range []int{0, 1, 511, 512, 4000, 4095, 4096, 5000, len(b) - 1} {
			for _, n := range []int{1, 100, 4096, 5000} {
				if off < 0 || off+n > len(b) {
					continue
				}
				clear(b)
				want(t, do(t, r, func(e *SQE) { e.PrepReadFixed(fd, b[off:off+n], int64(off), uint16(i)) }), n)
				if !bytes.Equal(b[off:off+n], text[off:off+n]) || off > 0 && b[off-1] != 0 || off+n < len(b) &&
					b[off+n] != 0 {
					t.Fatalf("buffer %d at %d, %d bytes: not those of the file, or more than those", i, off, n)
				}
			}
		}
		beyond := unsafe.Slice(&b[0], len(b)+1)
		want(t, do(t, r, func(e *SQE) { e.PrepReadFixed(fd, beyond, 0, uint16(i)) }), syscall.EFAULT)
	}
}

// TestHugePages: a registered buffer of huge pages, where there are some.
func TestHugePages(t *testing.T) {
	r := open(t, 8, nil)
	const size = 2 << 20
	mem, err := unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON|unix.MAP_HUGETLB)
	if err != nil {
		t.Skip("no huge pages:", err)
	}
	defer unix.Munmap(mem)
	if err := r.RegisterBuffers([][]byte{mem}); err != nil {
		t.Fatal(err)
	}
	_, fd := openNew(t)
	want(t, do(t, r, func(e *SQE) { e.PrepReadFixed(fd, mem[size-4:], 0, 0) }), 4)
	if string(mem[size-4:]) != "text" {
		t.Errorf("read %q", mem[size-4:])
	}
}

// TestFilePosition: reads and writes at -1 go on where the last one ended, in order when linked, by a worker or not.
func TestFilePosition(t *testing.T) {
	for _, flags := range []SQEFlags{0, SQEAsync} {
		r := open(t, 16, nil)
		f, fd := openNew(t)
		pos := func(want int64) {
			t.Helper()
			if at, err := f.Seek(0, io.SeekCurrent); at != want || err != nil {
				t.Errorf("flags %d: the position is %d, %v, want %d", flags, at, err, want)
			}
		}
		var preps []func(e *SQE)
		for _, text := range []string{"ab", "cd", "ef"} {
			p := []byte(text)
			preps = append(preps, flagged(func(e *SQE) { e.PrepWrite(fd, p, -1) }, flags|SQELink))
		}
		finishAll(t, r, startAll(t, r, append(preps, (*SQE).PrepNop)...)...)
		pos(10)
		wantContent(t, f, "textabcdef")
		f.Seek(0, io.SeekStart)
		p := make([]byte, 16)
		want(t, do(t, r, flagged(func(e *SQE) { e.PrepRead(fd, p[:3], -1) }, flags)), 3)
		want(t, do(t, r, flagged(func(e *SQE) { e.PrepRead(fd, p[3:6], 5) }, flags)), 3) // leaves it alone
		pos(3)
		want(t, do(t, r, flagged(func(e *SQE) { e.PrepRead(fd, p[:16], -1) }, flags)), 7)
		pos(10)
		want(t, do(t, r, flagged(func(e *SQE) { e.PrepRead(fd, p, -1) }, flags)), 0)
		pos(10)
	}
}

// TestFiles: opens, closes and reads of sorts of files.
func TestFiles(t *testing.T) {
	runCases(t, []ringCase{
		{"short and at the end", func(t *testing.T, r *Ring) {
			_, fd := openNew(t)
			p, q := make([]byte, 3), make([]byte, 3)
			vec, n := vector(p, q)
			want(t, do(t, r, func(e *SQE) { e.PrepReadv(fd, vec, n, 0) }), 4)
			want(t, do(t, r, func(e *SQE) { e.PrepReadv(fd, vec, n, 4) }), 0)
			want(t, do(t, r, func(e *SQE) { e.PrepReadv(fd, vec, n, 1<<40) }), 0)
		}},
		{"longer than 4 GiB", func(t *testing.T, r *Ring) {
			name := filepath.Join(t.TempDir(), "f")
			file := path(name)
			fd := fdOf(t, do(t, r, func(e *SQE) {
				e.PrepOpenat(unix.AT_FDCWD, file, unix.O_RDWR|unix.O_CREAT|unix.O_CLOEXEC, 0o600)
			}))
			text, p := []byte("far"), make([]byte, 4)
			want(t, do(t, r, func(e *SQE) { e.PrepWrite(fd, text, 5<<30) }), 3)
			want(t, do(t, r, func(e *SQE) { e.PrepRead(fd, p, 5<<30) }), 3)
			again := do(t, r, func(e *SQE) { e.PrepOpenat(unix.AT_FDCWD, file, unix.O_RDONLY|unix.O_CLOEXEC, 0) })
			fdOf(t, again) // although it does not fit 32 bits
			tags := startAll(t, r, linked(func(e *SQE) { e.PrepFsync(fd, false) }),
				flagged(func(e *SQE) { e.PrepOpenat(unix.AT_FDCWD, file, unix.O_RDONLY|unix.O_CLOEXEC, 0) }, SQEAsync))
			cqes := finishAll(t, r, tags...)
			want(t, cqes[0], 0)
			fdOf(t, cqes[1])
			tags = startAll(t, r, (*SQE).PrepNop,
				flagged(func(e *SQE) { e.PrepOpenat(unix.AT_FDCWD, file, unix.O_RDONLY|unix.O_CLOEXEC, 0) }, SQEDrain))
			fdOf(t, finishAll(t, r, tags...)[1])
		}},
		{"of a path only", func(t *testing.T, r *Ring) {
			fd, err := unix.Open(t.TempDir(), unix.O_PATH|unix.O_CLOEXEC, 0)
			if err != nil {
				t.Fatal(err)
			}
			p := make([]byte, 4)
			want(t, do(t, r, func(e *SQE) { e.PrepRead(fd, p, 0) }), syscall.EBADF)
			want(t, do(t, r, func(e *SQE) { e.PrepClose(fd) }), 0)
			want(t, do(t, r, func(e *SQE) { e.PrepClose(fd) }), syscall.EBADF)
		}},
		{"of the process itself, by a worker", func(t *testing.T, r *Ring) {
			fd := fdOf(t, do(t, r, flagged(func(e *SQE) {
				e.PrepOpenat(unix.AT_FDCWD, path("/proc/self/stat"), unix.O_RDONLY|unix.O_CLOEXEC, 0)
			}, SQEAsync)))
			p := make([]byte, 64)
			c := do(t, r, func(e *SQE) { e.PrepRead(fd, p, 0) })
			if c.Res <= 0 || !strings.HasPrefix(string(p), fmt.Sprint(os.Getpid(), " ")) {
				t.Errorf("read %s: %q, want the process %d", result(c.Res), p, os.Getpid())
			}
		}},
		{"of the kernel, plain and registered", func(t *testing.T, r *Ring) {
			a, _ := fixed(t, r)
			f, err := os.Open("/proc/version")
			if err != nil {
				t.Skip(err)
			}
			defer f.Close()
			p := make([]byte, len(a))
			plain := do(t, r, func(e *SQE) { e.PrepRead(int(f.Fd()), p, 0) })
			if plain.Res <= 0 {
				t.Fatal(result(plain.Res))
			}
			if c := do(t, r, func(e *SQE) { e.PrepReadFixed(int(f.Fd()), a, 0, 0) }); c.Res != plain.Res {
				t.Errorf("%s by a registered buffer, %d without", result(c.Res), plain.Res)
			}
		}},
		{"watched", func(t *testing.T, r *Ring) {
			f, fd := openNew(t)
			watch, err := unix.InotifyInit1(unix.IN_CLOEXEC)
			if err != nil {
				t.Skip(err)
			}
			closeLater(t, watch)
			if _, err := unix.InotifyAddWatch(watch, f.Name(), unix.IN_ACCESS|unix.IN_MODIFY); err != nil {
				t.Fatal(err)
			}
			p, ev := make([]byte, 4), make([]byte, 256)
			for mask, prep := range map[uint32]func(e *SQE){
				unix.IN_ACCESS: func(e *SQE) { e.PrepRead(fd, p, 0) },
				unix.IN_MODIFY: func(e *SQE) { e.PrepWrite(fd, p, 0) },
			} {
				want(t, do(t, r, prep), 4)
				c := do(t, r, func(e *SQE) { e.PrepRead(watch, ev, -1) })
				if got := (*unix.InotifyEvent)(unsafe.Pointer(&ev[0])); c.Res <= 0 || got.Mask != mask {
					t.Errorf("%s bytes, event %#x, want %#x", result(c.Res), got.Mask, mask)
				}
			}
		}},
		{"statx", func(t *testing.T, r *Ring) {
			f, fd := openNew(t)
			var plain unix.Statx_t
			if err := unix.Statx(unix.AT_FDCWD, f.Name(), 0, unix.STATX_ALL, &plain); err != nil {
				t.Skip(err)
			}
			st := new(unix.Statx_t)
			file := path(f.Name())
			statx := func(dir int, file []byte, flags uint32, st unsafe.Pointer) CQE {
				return do(t, r, func(e *SQE) { e.PrepStatx(dir, file, flags, unix.STATX_ALL, st) })
			}
			want(t, statx(unix.AT_FDCWD, file, 0, unsafe.Pointer(st)), 0)
			if *st != plain {
				t.Errorf("got %+v, want %+v", *st, plain)
			}
			*st = unix.Statx_t{}
			want(t, statx(fd, path(""), unix.AT_EMPTY_PATH, unsafe.Pointer(st)), 0)
			if st.Ino != plain.Ino {
				t.Errorf("by its descriptor the inode is %d, want %d", st.Ino, plain.Ino)
			}
			want(t, statx(unix.AT_FDCWD, file, 0, nil), syscall.EFAULT)
			want(t, statx(unix.AT_FDCWD, nil, 0, unsafe.Pointer(st)), syscall.EFAULT)
			want(t, statx(unix.AT_FDCWD, path(f.Name()+"x"), 0, unsafe.Pointer(st)), syscall.ENOENT)
		}},
		{"registered before, and no more", func(t *testing.T, r *Ring) {
			_, fd := openNew(t)
			for range 3 {
				if err := r.RegisterFiles([]int{fd}); err != nil {
					t.Fatal(err)
				}
				want(t, do(t, r, func(e *SQE) { e.PrepFsync(0, false); e.SetFlags(SQEFixedFile) }), 0)
				if err := r.UnregisterFiles(); err != nil {
					t.Fatal(err)
				}
				want(t, do(t, r, func(e *SQE) { e.PrepFsync(fd, false) }), 0)
				want(t, do(t, r, func(e *SQE) { e.PrepFsync(0, false); e.SetFlags(SQEFixedFile) }), syscall.EBADF)
			}
		}},
		{"reuse of what was submitted", func(t *testing.T, r *Ring) {
			if r.Features()&FeatSubmitStable == 0 {
				t.Skip(&FeatureError{"SUBMIT_STABLE", "5.5"})
			}
			f, fd := openNew(t)
			parts := [2]syscall.Iovec{}
			out := [][]byte{[]byte("abc"), []byte("defg")}
			for i, p := range out {
				parts[i].Base = &p[0]
				parts[i].SetLen(len(p))
			}
			vec := unsafe.Pointer(&parts)
			tag := start(t, r, flagged(func(e *SQE) { e.PrepWritev(fd, vec, 2, 0) }, SQEAsync))
			parts = [2]syscall.Iovec{}
			want(t, finish(t, r, tag), 7)
			wantContent(t, f, "abcdefg")
		}},
		{"a nop that has a file does not keep it", func(t *testing.T, r *Ring) {
			rd, wr := pipe(t)
			c := do(t, r, func(e *SQE) { e.PrepNopFlags(NopFile); e.FD = int32(rd) })
			want(t, needFlag(t, c, "NOP_FILE", "6.13"), 0)
			unix.Close(rd)
			c = do(t, r, func(e *SQE) { e.PrepWrite(wr, lend([]byte("x")), -1); e.SetRWFlags(0) })
			if c.Res != -int32(syscall.EPIPE) {
				t.Errorf("a write to a pipe that nobody reads: %s", result(c.Res))
			}
		}},
		{"merged at the end", func(t *testing.T, r *Ring) {
			// Two reads past the page cache, of which one is beyond the end.
			name := filepath.Join(t.TempDir(), "f")
			if err := os.WriteFile(name, pattern(4096), 0o600); err != nil {
				t.Fatal(err)
			}
			fd, err := unix.Open(name, unix.O_RDONLY|unix.O_DIRECT|unix.O_CLOEXEC, 0)
			if err != nil {
				t.Skip("O_DIRECT:", err)
			}
			closeLater(t, fd)
			mem := pages(t, 3)
			vec, n := vector(mem[:4096], mem[4096:8192])
			tags := startAll(t, r, func(e *SQE) { e.PrepReadv(fd, vec, n, 0) },
				func(e *SQE) { e.PrepRead(fd, mem[8192:], 4096) })
			wantAll(t, finishAll(t, r, tags...), 4096, 0)
			if !bytes.Equal(mem[:4096], pattern(4096)) {
				t.Error("the bytes are not those of the file")
			}
		}},
	})
}

// TestStreamsOfBytes: pipes, FIFOs, counters and timers, which have as much as they have.
func TestStreamsOfBytes(t *testing.T) {
	runBoth(t, []ringCase{
		{"two counts are asked for, one is there", func(t *testing.T, r *Ring) {
			fd := eventfd(t)
			unix.SetNonblock(fd, false)
			p := make([]byte, 16)
			tag := start(t, r, func(e *SQE) { e.PrepRead(fd, p, 0) })
			signalEventfd(t, fd)
			want(t, finish(t, r, tag), 8)
		}},
		{"a timer", func(t *testing.T, r *Ring) {
			fd, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_CLOEXEC)
			if err != nil {
				t.Fatal(err)
			}
			closeLater(t, fd)
			if err := unix.TimerfdSettime(fd, 0, &unix.ItimerSpec{Value: unix.NsecToTimespec(1e6)}, nil); err != nil {
				t.Fatal(err)
			}
			p := make([]byte, 16)
			want(t, do(t, r, func(e *SQE) { e.PrepRead(fd, p, 0) }), 8)
			if p[0] != 1 {
				t.Errorf("it fired %d times", p[0])
			}
		}},
		{"a FIFO that is not to block", func(t *testing.T, r *Ring) {
			rd, wr := pipe(t)
			unix.SetNonblock(rd, true)
			p := make([]byte, 4)
			tag := start(t, r, func(e *SQE) { e.PrepRead(rd, p, -1) })
			if c, ok := r.CQE(); ok {
				if c.Res == -int32(syscall.EAGAIN) && !newerThan("5.15") {
					t.Skip("reads of O_NONBLOCK descriptors did not wait then")
				}
				t.Fatalf("%+v before there was anything", c)
			}
			write(t, wr, "text")
			want(t, finish(t, r, tag), 4)
		}},
		{"the end of a pipe", func(t *testing.T, r *Ring) {
			rd, wr := pipe(t)
			p := make([]byte, 8)
			tag := start(t, r, func(e *SQE) { e.PrepRead(rd, p, -1) })
			write(t, wr, "text")
			want(t, finish(t, r, tag), 4)
			tag = start(t, r, func(e *SQE) { e.PrepRead(rd, p, -1) })
			unix.Close(wr)
			want(t, finish(t, r, tag), 0)
		}},
		{"pipes one after another", func(t *testing.T, r *Ring) {
			p, text := make([]byte, 16), []byte("hello")
			for range 50 {
				rd, wr := pipe(t)
				tags := startAll(t, r, func(e *SQE) { e.PrepRead(rd, p, -1) },
					func(e *SQE) { e.PrepWrite(wr, text, -1) })
				wantAll(t, finishAll(t, r, tags...), 5, 5)
				want(t, do(t, r, func(e *SQE) { e.PrepClose(rd) }), 0)
				want(t, do(t, r, func(e *SQE) { e.PrepClose(wr) }), 0)
			}
		}},
		{"standard output", func(t *testing.T, r *Ring) {
			rd, wr := pipe(t)
			old, err := unix.FcntlInt(1, unix.F_DUPFD_CLOEXEC, 3)
			if err != nil {
				t.Fatal(err)
			}
			if err := unix.Dup3(wr, 1, 0); err != nil {
				t.Fatal(err)
			}
			text := []byte("hello")
			tag := start(t, r, func(e *SQE) { e.PrepWrite(1, text, -1) })
			c := finish(t, r, tag)
			unix.Dup3(old, 1, 0)
			unix.Close(old)
			want(t, c, 5)
			readAll(t, rd, "hello")
		}},
		{"a multishot read empties it", func(t *testing.T, r *Ring) {
			needOp(t, OpReadMultishot, "6.7")
			bufs, err := r.BufRing(1, 8, 4)
			if err != nil {
				t.Fatal(err)
			}
			defer bufs.Close()
			rd, wr := pipe(t)
			write(t, wr, "0123456789")
			tag := start(t, r, func(e *SQE) { e.PrepReadMultishot(rd, 1) })
			var got string
			for len(got) < 10 {
				for _, c := range takeAll(t, r, 1) {
					if c.UserData != tag || c.Res <= 0 || !c.More() {
						t.Fatalf("%+v after %q", c, got)
					}
					got += string(bufs.Bytes(c.BufID())[:c.Res])
				}
			}
			if got != "0123456789" {
				t.Errorf("read %q", got)
			}
			endByRemoval(t, r, tag, (*SQE).PrepCancel)
		}},
	})
}
