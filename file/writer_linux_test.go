//go:build linux

package file_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"

	"ringo"
	"ringo/file"
	"ringo/internal/race"
	"ringo/internal/test/patience"
	"ringo/internal/test/testmain"
)

// entry is a piece of a log that says whose it is, which of them, and how long.
func entry(writer, seq, n int) []byte {
	p := make([]byte, entryHead+n)
	binary.LittleEndian.PutUint32(p, uint32(writer))
	binary.LittleEndian.PutUint32(p[4:], uint32(seq))
	binary.LittleEndian.PutUint32(p[8:], uint32(n))
	for i := entryHead; i < len(p); i++ {
		p[i] = byte(writer ^ seq*7)
	}
	return p
}

const entryHead = 12

// wantEntries checks that a log has whole entries, those of each writer in their order, and
// gives how many each has, and what is left of the last.
func wantEntries(t *testing.T, log []byte) (count map[int]int, rest []byte) {
	t.Helper()
	count = map[int]int{}
	for rest = log; len(rest) >= entryHead; {
		writer, seq := int(binary.LittleEndian.Uint32(rest)), int(binary.LittleEndian.Uint32(rest[4:]))
		n := int(binary.LittleEndian.Uint32(rest[8:]))
		whole := entryHead + n
		if want := entry(writer, count[writer], min(n, 1<<20)); seq != count[writer] || !bytes.HasPrefix(want,
			rest[:min(whole, len(rest))]) {
			t.Fatalf("at %d, behind %v: writer %d, entry %d of %d bytes", len(log)-len(rest), count, writer, seq, n)
		}
		if whole > len(rest) {
			break
		}
		count[writer]++
		rest = rest[whole:]
	}
	return count, rest
}

func openLog(t *testing.T, name string) *file.File {
	t.Helper()
	f, err := file.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// What several Writers append to one file, and somebody by package os beside them, is whole, also
// what is larger than a block; and it is behind what was there.
func TestWriterAppends(t *testing.T) {
	const writers, entries, size = 3, 200, 1024
	everywhere(t, func(t *testing.T, l *ringo.Loop, dir string) {
		name := filepath.Join(dir, "log")
		if err := writeFile(name, entry(99, 0, 50), 0o600); err != nil {
			t.Fatal(err)
		}
		var joins []func()
		for id := range writers {
			joins = append(joins, begin(l, func() {
				f := openLog(t, name)
				defer f.Close()
				w := mustWriter(t, f, &file.StreamConfig{Size: size})
				random, sum := rand.New(rand.NewPCG(uint64(id), 0)), 0
				for seq := range entries {
					n := random.IntN(200)
					if seq%50 == 49 || seq%40 == 0 { // also right behind a Flush
						n = size + random.IntN(2*size)
					}
					p := entry(id, seq, n)
					if n, err := w.Write(p); n != len(p) || err != nil {
						t.Errorf("Write = %d, %v", n, err)
					}
					sum += len(p)
					if seq%40 == 39 {
						if err := w.Flush(); err != nil || w.Written() != int64(sum) {
							t.Errorf("Flush: %v, %d written, want %d", err, w.Written(), sum)
						}
					}
				}
				if err := w.Close(); err != nil || w.Written() != int64(sum) {
					t.Errorf("Close: %v, %d written, want %d", err, w.Written(), sum)
				}
			}))
		}
		g, err := os.OpenFile(name, os.O_WRONLY|os.O_APPEND, 0)
		if err != nil {
			t.Fatal(err)
		}
		for seq := range entries {
			if _, err := g.Write(entry(writers, seq, 100)); err != nil {
				t.Error(err)
			}
			if seq%20 == 0 {
				pause(l)
			}
		}
		g.Close()
		for _, join := range joins {
			join()
		}
		log, err := readFile(name)
		if err != nil {
			t.Fatal(err)
		}
		count, rest := wantEntries(t, log)
		if len(rest) > 0 || count[99] != 1 || len(count) != writers+2 {
			t.Errorf("%v entries, and %d bytes left", count, len(rest))
		}
		for id := range writers + 1 {
			if count[id] != entries {
				t.Errorf("%d entries of writer %d, want %d", count[id], id, entries)
			}
		}
	})
}

// Tasks of two loops, iterators in them, and goroutines use one Writer together, while another task
// flushes: what each writes is whole and in its order.
func TestWriterShared(t *testing.T) {
	const writers, entries = 8, 300
	for how, flag := range map[string]int{"append": os.O_APPEND, "at": 0} {
		t.Run(how, func(t *testing.T) {
			eachDriver(t, func(t *testing.T, cfg ringo.Config) {
				name := filepath.Join(tempDir(t), "log")
				f, err := file.OpenFile(name, os.O_RDWR|os.O_CREATE|flag, 0o600)
				if err != nil {
					t.Fatal(err)
				}
				defer f.Close()
				w := mustWriter(t, f, &file.StreamConfig{Size: 2048})
				write := func(id int) {
					for seq := range entries {
						p := entry(id, seq, (id*37+seq*11)%300)
						if n, err := w.Write(p); n != len(p) || err != nil {
							t.Errorf("Write = %d, %v", n, err)
						}
					}
				}
				var done sync.WaitGroup
				for id := range writers / 2 {
					done.Go(func() { write(id) })
				}
				cfg.Loops = 2
				var next atomic.Int32
				next.Store(writers / 2)
				patience.Within(t.Name(), func() {
					if err := ringo.Run(t.Context(), &cfg, func(l *ringo.Loop) error {
						id := int(next.Add(2)) - 2
						tasks := []*ringo.Task{
							l.Go(func() { write(id) }),
							l.Go(func() { inIterator(func() { write(id + 1) }) }),
							l.Go(func() {
								for range 50 {
									if err := errors.Join(w.Flush(), l.Sleep(0)); err != nil {
										t.Error(err)
									}
								}
							}),
						}
						for _, task := range tasks {
							task.Wait()
						}
						return nil
					}); err != nil {
						t.Error(err)
					}
					done.Wait()
				})
				if err := w.Close(); err != nil {
					t.Error(err)
				}
				log, err := readFile(name)
				if err != nil {
					t.Fatal(err)
				}
				count, rest := wantEntries(t, log)
				for id := range writers {
					if count[id] != entries {
						t.Errorf("%d entries of writer %d, want %d", count[id], id, entries)
					}
				}
				if len(rest) > 0 || w.Written() != int64(len(log)) {
					t.Errorf("%d bytes left, %d of %d written", len(rest), w.Written(), len(log))
				}
			})
		})
	}
}

// Where the disk is full the call that follows says so, and so do all others; what is in the file is
// the beginning of what was written.
func TestWriterFull(t *testing.T) {
	dir := smallDisk(t, "256k")
	for how, flag := range map[string]int{"append": os.O_APPEND, "at": 0} {
		t.Run(how, func(t *testing.T) {
			eachCaller(t, func(t *testing.T, l *ringo.Loop) {
				name := filepath.Join(dir, "log")
				defer os.Remove(name)
				f, err := file.OpenFile(name, os.O_RDWR|os.O_CREATE|flag, 0o600)
				if err != nil {
					t.Fatal(err)
				}
				defer f.Close()
				w := mustWriter(t, f, &file.StreamConfig{Size: 10_000})
				for seq := 0; err == nil; seq++ {
					if _, err = w.Write(entry(1, seq, 88)); seq > 1<<20 {
						t.Fatal("no end of room")
					}
				}
				for what, err := range map[string]error{"Write": err, "Flush": w.Flush(), "Sync": w.Sync(),
					"Close": w.Close()} {
					if !errors.Is(err, unix.ENOSPC) {
						t.Errorf("%s: %v, want ENOSPC", what, err)
					}
				}
				if _, err := w.Write(nil); !errors.Is(err, fs.ErrClosed) {
					t.Errorf("Write after Close: %v", err)
				}
				log, err := readFile(name)
				if err != nil {
					t.Fatal(err)
				}
				if flag != 0 && int64(len(log)) != w.Written() || int64(len(log)) < w.Written() {
					t.Errorf("%d bytes written, and the file has %d", w.Written(), len(log))
				}
				wantEntries(t, log[:w.Written()])
			})
		})
	}
}

// An error is told by the first call after it happened, and not only when the next block is full.
func TestWriterTellsSoon(t *testing.T) {
	eachCaller(t, func(t *testing.T, l *ringo.Loop) {
		s := &store{fail: 100}
		w := mustWriter(t, s, &file.StreamConfig{Size: 64})
		if _, err := w.Write(make([]byte, 130)); err != nil { // the second block is on its way, or done
			if !errors.Is(err, errFault) {
				t.Fatal(err)
			}
			return
		}
		var err error
		calls := 0
		for ; err == nil && calls < 60; calls++ { // less than what is left of the third
			pause(l)
			_, err = w.Write([]byte{1})
		}
		if !errors.Is(err, errFault) || w.Written() != 100 {
			t.Errorf("after %d calls: %v, %d written", calls, err, w.Written())
		}
		if err := w.Close(); !errors.Is(err, errFault) {
			t.Errorf("Close: %v", err)
		}
	})
}

// A failed sync is the Writer's end; one that a cancel has kept from happening is not; and what has no
// Sync says so.
func TestWriterSync(t *testing.T) {
	eachCaller(t, func(t *testing.T, l *ringo.Loop) {
		s := &syncing{store: store{fail: -1}}
		w := mustWriter(t, s, nil)
		w.Write([]byte("abc"))
		if err := w.Sync(); err != nil || string(s.synced) != "abc" {
			t.Errorf("Sync: %v, with %q", err, s.synced)
		}
		s.err = context.Canceled
		if err := w.Sync(); !errors.Is(err, context.Canceled) {
			t.Errorf("Sync = %v, want context.Canceled", err)
		}
		s.err = nil
		if err := w.Sync(); err != nil {
			t.Errorf("Sync after one that was cancelled: %v", err)
		}
		s.err = errFault
		if err := w.Sync(); !errors.Is(err, errFault) {
			t.Errorf("Sync = %v", err)
		}
		s.err = nil
		for what, err := range map[string]error{"Sync": w.Sync(), "Flush": w.Flush(), "Close": w.Close()} {
			if !errors.Is(err, errFault) {
				t.Errorf("%s after a failed Sync: %v", what, err)
			}
		}
		plain := mustWriter(t, &store{fail: -1}, nil)
		if err := plain.Sync(); !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("Sync of a store without one: %v", err)
		}
		plain.Close()
		f := openLog(t, filepath.Join(tempDir(t), "log"))
		defer f.Close()
		w = mustWriter(t, f, nil)
		w.Write([]byte("abc"))
		if err := w.Sync(); err != nil || w.Written() != 3 {
			t.Errorf("Sync: %v, %d written", err, w.Written())
		}
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
}

// syncing is a store that remembers what it had when it was synced.
type syncing struct {
	store
	synced []byte
	err    error
}

func (s *syncing) Sync() error {
	if s.err == nil {
		s.synced = bytes.Clone(s.b)
	}
	return s.err
}

// Whoever waits for a Writer that another holds up is let go by a cancel, with nothing written, and
// the others go on in their order.
func TestWriterWaitEnds(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		onLoop(t, cfg, func(l *ringo.Loop) {
			gate := ringo.NewChan[struct{}](100)
			s := &parking{store: store{fail: -1}, gate: gate}
			w := mustWriter(t, s, &file.StreamConfig{Depth: 1, Size: 4})
			var wrote []error
			var tasks []*ringo.Task
			for i := range 6 { // the first two fill both blocks, the third waits for one, the others for it
				wrote = append(wrote, nil)
				tasks = append(tasks, l.Go(func() {
					_, wrote[i] = w.Write(bytes.Repeat([]byte{'0' + byte(i)}, 4))
				}))
			}
			l.Sleep(0)
			for _, i := range []int{2, 4} {
				tasks[i].Cancel()
				tasks[i].Wait()
				if !errors.Is(wrote[i], context.Canceled) {
					t.Errorf("Write of a cancelled task = %v", wrote[i])
				}
			}
			for range 20 {
				gate.Send(struct{}{})
			}
			for i, task := range tasks {
				task.Wait()
				if i != 2 && i != 4 && wrote[i] != nil {
					t.Errorf("Write %d: %v", i, wrote[i])
				}
			}
			if err := w.Close(); err != nil || string(s.b) != "0000111133335555" {
				t.Errorf("Close: %v, with %q", err, s.b)
			}
		})
	})
}

// Tasks of two loops and goroutines, some of which are cancelled, have the Writer one at a time, and
// it is free in the end. The store counts how many are in it.
func TestWriterCancelStorm(t *testing.T) {
	rounds := 300
	if !testmain.Long() || race.Enabled {
		rounds = 60
	}
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		name := filepath.Join(tempDir(t), "log")
		f := openLog(t, name)
		defer f.Close()
		w := mustWriter(t, f, &file.StreamConfig{Size: 64})
		var wrote [4]atomic.Int64
		var done sync.WaitGroup
		write := func(id, n int) {
			for range n {
				p := entry(id, int(wrote[id].Load()), 40) // so that each second fills a block
				if n, err := w.Write(p); n == len(p) {
					wrote[id].Add(1)
				} else if !errors.Is(err, context.Canceled) || n != 0 {
					t.Errorf("Write = %d, %v", n, err)
				}
			}
		}
		for id := range 2 {
			done.Go(func() { write(id, 5*rounds) })
		}
		cfg.Loops = 2
		var next atomic.Int32
		patience.Within(t.Name(), func() {
			if err := ringo.Run(t.Context(), &cfg, func(l *ringo.Loop) error {
				id := int(next.Add(1)) + 1
				for i := range rounds {
					task := l.Go(func() { write(id, 5) })
					for range i % 4 {
						l.Sleep(0)
					}
					task.Cancel()
					task.Wait()
				}
				return nil
			}); err != nil {
				t.Error(err)
			}
			done.Wait()
		})
		if err := w.Close(); err != nil {
			t.Error(err)
		}
		log, err := readFile(name)
		if err != nil {
			t.Fatal(err)
		}
		count, rest := wantEntries(t, log)
		for id := range wrote {
			if n := int(wrote[id].Load()); count[id] != n {
				t.Errorf("%d entries of writer %d, want %d", count[id], id, n)
			}
		}
		if len(rest) > 0 {
			t.Errorf("%d bytes left", len(rest))
		}
	})
}

// What is in the file when the process is killed is the beginning of what was appended, of which
// at most two blocks are missing.
func TestWriterKilled(t *testing.T) {
	const size = 512
	if name := os.Getenv("RINGO_WRITER"); name != "" {
		eachDriver(t, func(t *testing.T, cfg ringo.Config) {
			onLoop(t, cfg, func(l *ringo.Loop) {
				w := mustWriter(t, openLog(t, name), &file.StreamConfig{Size: size})
				for seq := 0; ; seq++ {
					if _, err := w.Write(entry(1, seq, seq%100)); err != nil {
						t.Fatal(err)
					}
					os.Stdout.Write(binary.LittleEndian.AppendUint32(nil, uint32(seq))) // it has been accepted
				}
			})
		})
		return
	}
	for range 5 {
		name := filepath.Join(tempDir(t), "log")
		cmd := exec.Command(os.Args[0], "-test.run", "^TestWriterKilled$")
		cmd.Env = append(os.Environ(), "RINGO_WRITER="+name)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		told, accepted, p := bufio.NewReader(out), 0, make([]byte, 4)
		for range 500 + rand.IntN(500) {
			if _, err := io.ReadFull(told, p); err != nil {
				t.Fatalf("after %d entries: %v", accepted, err)
			}
			accepted = int(binary.LittleEndian.Uint32(p)) + 1
		}
		cmd.Process.Kill()
		for {
			if _, err := io.ReadFull(told, p); err != nil {
				break
			}
			accepted = int(binary.LittleEndian.Uint32(p)) + 1
		}
		cmd.Wait()
		log, err := readFile(name)
		if err != nil {
			t.Fatal(err)
		}
		wantEntries(t, log)
		all := 0
		for seq := range accepted {
			all += entryHead + seq%100
		}
		if len(log) < all-2*size {
			t.Errorf("the file has %d bytes of %d that were accepted", len(log), all)
		}
	}
}

// What a Writer that appends can't have is told at once.
func TestWriterAppendMistakes(t *testing.T) {
	name := filepath.Join(tempDir(t), "log")
	f := openLog(t, name)
	defer f.Close()
	for _, c := range []struct {
		cfg file.StreamConfig
		ok  bool
	}{
		{file.StreamConfig{}, true},
		{file.StreamConfig{Depth: 1, Size: 10}, true},
		{file.StreamConfig{Depth: 2}, false},
		{file.StreamConfig{Size: -1}, false},
	} {
		w, err := file.NewWriter(f, &c.cfg)
		if (err == nil) != c.ok {
			t.Errorf("NewWriter with %+v: %v", c.cfg, err)
		}
		if err == nil {
			err = w.Close()
		}
		if err != nil && c.ok {
			t.Error(err)
		}
	}
	if w, err := file.NewWriterAt(f, 0, nil); err == nil {
		t.Error("NewWriterAt of a file that is open with O_APPEND: no error")
		w.Close()
	}
	d, err := file.OpenFile(name, os.O_WRONLY|os.O_APPEND|file.Direct, 0)
	if err != nil {
		t.Skip(err)
	}
	defer d.Close()
	if w, err := file.NewWriter(d, nil); err == nil {
		t.Error("NewWriter of a file that is open with O_APPEND and Direct: no error")
		w.Close()
	}
	if info, err := statOf(name); err != nil || info.Size() != 0 {
		t.Error(fmt.Sprint("the file has changed: ", info, err))
	}
}

// What several append to one file stays in one piece each, and who has appended is at the
// end of what it wrote.
func TestAppendsTogether(t *testing.T) {
	const writers, records, size = 3, 10, 9000 // no whole number of pages
	everywhere(t, func(t *testing.T, l *ringo.Loop, dir string) {
		name := filepath.Join(dir, "log")
		var joins []func()
		for w := range writers {
			joins = append(joins, begin(l, func() {
				f, err := file.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
				if err != nil {
					t.Error(err)
					return
				}
				defer f.Close()
				p := bytes.Repeat([]byte{'a' + byte(w)}, size)
				for range records {
					if n, err := f.Write(p); n != size || err != nil {
						t.Errorf("Write = %d, %v", n, err)
					}
					at, err := f.Seek(0, io.SeekCurrent)
					if err != nil || at%size != 0 || at == 0 {
						t.Errorf("at %d, %v after an append, want a multiple of %d", at, err, size)
					}
					back := make([]byte, size)
					if _, err := f.ReadAt(back, at-size); err != nil || !bytes.Equal(back, p) {
						t.Errorf("in front of %d is %q..., %v, want %q", at, back[:1], err, p[:1])
					}
				}
			}))
		}
		for _, join := range joins {
			join()
		}
		if info, err := statOf(name); err != nil || info.Size() != writers*records*size {
			t.Errorf("the file has %d bytes, %v, want %d", info.Size(), err, writers*records*size)
		}
	})
}

// Where the disk is full an append says what of it is there, and the position is behind
// that, also where the file system is none in memory.
func TestAppendToFull(t *testing.T) {
	base := smallDisk(t, "256k")
	dir, err := overlayIn(t, base)
	if err != nil {
		t.Skipf("no overlayfs: %v", err)
	}
	all := bytesOf(1 << 20)
	eachCaller(t, func(t *testing.T, _ *ringo.Loop) {
		told := map[string][]any{}
		for what, open := range map[string]func(name string) (both, error){
			"file": func(name string) (both, error) {
				return file.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
			},
			"os": func(name string) (both, error) {
				return os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
			},
		} {
			name := filepath.Join(dir, what)
			f, err := open(name)
			if err != nil {
				t.Fatal(err)
			}
			first, err := f.Write(all[:100])
			n, full := f.Write(all)
			at, seek := f.Seek(0, io.SeekCurrent)
			got, _ := readFile(name)
			told[what] = []any{first, err, n, errors.Is(full, unix.ENOSPC), at, seek, len(got)}
			if n == 0 || len(got) != 100+n || !bytes.Equal(got[100:], all[:n]) {
				t.Errorf("%s: Write = %d, %v, and the file has %d bytes", what, n, full, len(got))
			}
			if err := errors.Join(f.Close(), os.Remove(name)); err != nil {
				t.Error(err)
			}
		}
		if !same(told["file"], told["os"]) {
			t.Errorf("%v, with os %v", told["file"], told["os"])
		}
	})
}
