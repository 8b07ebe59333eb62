package file_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"sync"
	"testing"
	"testing/iotest"

	"ringo"
	"ringo/file"
	"ringo/internal/race"
	"ringo/internal/test/alloctest"
	"ringo/internal/test/patience"
	"ringo/internal/test/socktest"
)

// pattern makes n bytes of which no two stretches are alike.
func pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i ^ i>>8*7 ^ i>>16*13)
	}
	return b
}

// store is a file in memory that fails, comes short and waits as a test wants. It is
// what several readers and writers may use at once.
type store struct {
	mu    sync.Mutex
	b     []byte
	fail  int64 // the byte that can't be moved; -1: none
	once  bool  // only the first time
	short int   // a call moves that many bytes at most; 0: all
	align int   // as with Direct, if over 1
	gated bool  // calls from upTo on wait
	upTo  int64
	move  sync.Cond // with mu: that has changed
	now   int       // calls in flight
	most  int       // and the most of them
	calls int
	bad   error // of the calls' alignment
}

var errFault = errors.New("fault")

func (s *store) DirectAlign() (mem, off int) { return s.align, s.align }

// begin takes part in the count of calls in flight. It gives the bytes that may be moved.
func (s *store) begin(p []byte, off int64) (n int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls++
	s.now++
	s.most = max(s.most, s.now)
	if s.align > 1 && (off%int64(s.align) != 0 || len(p)%s.align != 0 ||
		reflect.ValueOf(p).Pointer()%uintptr(s.align) != 0) {
		s.bad = fmt.Errorf("%d bytes at %d, from %p, are not aligned", len(p), off, p)
	}
	n = len(p)
	if s.short > 0 {
		n = min(n, s.short)
	}
	if s.fail >= off && s.fail < off+int64(n) {
		n, err = int(s.fail-off), errFault
		if s.once {
			s.fail = -1
		}
	}
	return n, err
}

func (s *store) end(off int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.gated && off >= s.upTo {
		s.move.Wait()
	}
	s.now--
}

// gate lets calls below an offset go, and returns when n others are in flight.
func (s *store) gate(upTo int64, n int) {
	s.mu.Lock()
	s.gated, s.upTo, s.move.L = true, upTo, &s.mu
	s.move.Broadcast()
	for s.now != n {
		s.mu.Unlock()
		runtime.Gosched()
		s.mu.Lock()
	}
	s.mu.Unlock()
}

func (s *store) ReadAt(p []byte, off int64) (int, error) {
	n, err := s.begin(p, off)
	defer s.end(off)
	s.mu.Lock()
	defer s.mu.Unlock()
	if off >= int64(len(s.b)) {
		return 0, io.EOF
	}
	m := copy(p[:n], s.b[off:])
	if m < n {
		return m, io.EOF
	}
	return m, err
}

func (s *store) WriteAt(p []byte, off int64) (int, error) {
	n, err := s.begin(p, off)
	defer s.end(off)
	s.mu.Lock()
	defer s.mu.Unlock()
	if need := int(off) + n; need > len(s.b) && n > 0 {
		s.b = append(s.b, make([]byte, need-len(s.b))...)
	}
	if n == 0 {
		return 0, err
	}
	return copy(s.b[off:], p[:n]), err
}

func (s *store) Truncate(size int64) error { s.b = s.b[:size]; return nil }

func (s *store) Stat() (fs.FileInfo, error) { return sizeOf{size: int64(len(s.b))}, nil }

type sizeOf struct {
	fs.FileInfo
	size int64
}

func (s sizeOf) Size() int64 { return s.size }

func mustReader(t testing.TB, f io.ReaderAt, cfg *file.StreamConfig) *file.Reader {
	t.Helper()
	r, err := file.NewReader(f, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func mustReaderAt(t testing.TB, f io.ReaderAt, off int64, cfg *file.StreamConfig) *file.Reader {
	t.Helper()
	r, err := file.NewReaderAt(f, off, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func mustWriterAt(t testing.TB, f io.WriterAt, off int64, cfg *file.StreamConfig) *file.Writer {
	t.Helper()
	w, err := file.NewWriterAt(f, off, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func mustWriter(t testing.TB, f io.WriterAt, cfg *file.StreamConfig) *file.Writer {
	t.Helper()
	w, err := file.NewWriter(f, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func TestReaderIotest(t *testing.T) {
	eachCaller(t, func(t *testing.T, l *ringo.Loop) {
		for _, size := range []int{0, 1, 63, 64, 65, 1000} {
			for _, depth := range []int{1, 3} {
				r := mustReader(t, &store{b: pattern(size), fail: -1}, &file.StreamConfig{Depth: depth, Size: 64})
				if err := iotest.TestReader(r, pattern(size)); err != nil {
					t.Errorf("%d bytes, depth %d: %v", size, depth, err)
				}
				r.Close()
			}
		}
	})
}

// An error comes behind the last byte before it, and the next Read goes on from there.
func TestReaderFaults(t *testing.T) {
	want := pattern(200)
	eachCaller(t, func(t *testing.T, l *ringo.Loop) {
		for at := range int64(200) {
			for _, short := range []int{0, 5} {
				s := &store{b: want, fail: at, once: true, short: short}
				r := mustReader(t, s, &file.StreamConfig{Depth: 3, Size: 16})
				got, err := io.ReadAll(r)
				if !errors.Is(err, errFault) || !bytes.Equal(got, want[:at]) || r.Offset() != at {
					t.Fatalf("a fault at %d: read %d bytes, %v, then at %d", at, len(got), err, r.Offset())
				}
				rest, err := io.ReadAll(r)
				if err != nil || !bytes.Equal(rest, want[at:]) {
					t.Fatalf("after a fault at %d: read %d bytes, %v", at, len(rest), err)
				}
				r.Close()
			}
		}
	})
}

// After the end a Reader gives what was appended.
func TestReaderFollows(t *testing.T) {
	want := pattern(300)
	eachCaller(t, func(t *testing.T, l *ringo.Loop) {
		s := &store{fail: -1}
		r := mustReader(t, s, &file.StreamConfig{Depth: 2, Size: 16})
		defer r.Close()
		var got []byte
		for n := 0; n <= len(want); n += 7 {
			s.mu.Lock()
			s.b = want[:n]
			s.mu.Unlock()
			more, err := io.ReadAll(r)
			if err != nil {
				t.Fatal(err)
			}
			if got = append(got, more...); !bytes.Equal(got, want[:n]) {
				t.Fatalf("of %d bytes %d were read", n, len(got))
			}
		}
	})
}

func TestStreamConfigMistakes(t *testing.T) {
	for _, c := range []struct {
		cfg         file.StreamConfig
		off         int64
		align       int
		read, write bool
	}{
		{file.StreamConfig{}, 0, 1, true, true},
		{file.StreamConfig{Depth: -1}, 0, 1, false, false},
		{file.StreamConfig{Depth: 1025}, 0, 1, false, false},
		{file.StreamConfig{Size: -1}, 0, 1, false, false},
		{file.StreamConfig{Size: 64<<20 + 1}, 0, 1, false, false},
		{file.StreamConfig{}, -1, 1, false, false},
		{file.StreamConfig{Size: 100}, 0, 1, true, true},
		{file.StreamConfig{Size: 100}, 0, 512, false, false},
		{file.StreamConfig{Size: 1024}, 512, 512, true, true},
		{file.StreamConfig{Size: 1024}, 100, 512, true, false},
	} {
		s := &store{align: c.align}
		if _, err := file.NewReaderAt(s, c.off, &c.cfg); (err == nil) != c.read {
			t.Errorf("NewReaderAt %d with %+v, alignment %d: %v", c.off, c.cfg, c.align, err)
		}
		if _, err := file.NewWriterAt(s, c.off, &c.cfg); (err == nil) != c.write {
			t.Errorf("NewWriterAt %d with %+v, alignment %d: %v", c.off, c.cfg, c.align, err)
		}
	}
}

// Blocks are read ahead while the caller is slow: one at first, then as many as the depth.
func TestReaderDepth(t *testing.T) {
	const size = 16
	s := &store{b: pattern(20 * size), fail: -1}
	r := mustReader(t, s, &file.StreamConfig{Depth: 4, Size: size})
	p := make([]byte, 1)
	s.gate(0, 0)
	got := make(chan error)
	for i, ahead := range []int{1, 2, 4, 4, 4} {
		go func() { _, err := io.ReadFull(r, p); got <- err }()
		s.gate(int64(i+1)*size, ahead)
		if err := <-got; err != nil {
			t.Fatal(err)
		}
		p = make([]byte, size) // the rest of this block, and the first byte of the next
	}
	s.gate(1<<62, 0)
	if b, err := io.ReadAll(r); err != nil || !bytes.Equal(b, s.b[4*size+1:]) {
		t.Errorf("the rest: %d bytes, %v", len(b), err)
	}
	r.Close()
	if s.most != 4 {
		t.Errorf("%d blocks were in flight at most, want 4", s.most)
	}
}

// A cancelled task's wait ends, and nothing is lost: another task goes on.
func TestStreamCancel(t *testing.T) {
	want := pattern(100)
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		onLoop(t, cfg, func(l *ringo.Loop) {
			gate := ringo.NewChan[struct{}](100)
			s := &parking{store: store{b: want, fail: -1}, gate: gate}
			r := mustReader(t, s, &file.StreamConfig{Depth: 2, Size: 10})
			w := mustWriterAt(t, s, 100, &file.StreamConfig{Depth: 2, Size: 10})
			var read, wrote error
			var n int
			reads := l.Go(func() { _, read = r.Read(make([]byte, 10)) })
			writes := l.Go(func() { n, wrote = w.Write(want) })
			l.Sleep(0)
			l.Post(func() { reads.Cancel(); writes.Cancel() })
			reads.Wait()
			writes.Wait()
			if !errors.Is(read, context.Canceled) || !errors.Is(wrote, context.Canceled) {
				t.Errorf("cancelled: Read %v, Write %v", read, wrote)
			}
			for range 100 {
				gate.Send(struct{}{})
			}
			got, err := io.ReadAll(io.LimitReader(r, 100))
			if err != nil || !bytes.Equal(got, want) {
				t.Errorf("after the cancel: read %d bytes, %v", len(got), err)
			}
			if _, err := w.Write(want[n:]); err != nil {
				t.Error("after the cancel: Write:", err)
			}
			r.Close()
			last := l.Go(func() { wrote = w.Close() })
			last.Cancel()
			last.Wait()
			if wrote != nil || !bytes.Equal(s.b[100:], want) || w.Written() != 200 {
				t.Errorf("Close in a cancelled task: %v, %d bytes, written up to %d", wrote, len(s.b)-100, w.Written())
			}
		})
	})
}

// parking is a store whose calls park.
type parking struct {
	store
	gate *ringo.Chan[struct{}]
}

func (s *parking) ReadAt(p []byte, off int64) (int, error) {
	if _, err := s.gate.Recv(); err != nil {
		return 0, err
	}
	return s.store.ReadAt(p, off)
}

func (s *parking) WriteAt(p []byte, off int64) (int, error) {
	if _, err := s.gate.Recv(); err != nil {
		return 0, err
	}
	return s.store.WriteAt(p, off)
}

// The first error by place is the one that counts, and all before it is written.
func TestWriterFaults(t *testing.T) {
	want := pattern(200)
	eachCaller(t, func(t *testing.T, l *ringo.Loop) {
		for at := range int64(200) {
			s := &store{fail: at}
			w := mustWriter(t, s, &file.StreamConfig{Depth: 3, Size: 16})
			var err error
			for n := 0; n < 200 && err == nil; n += 10 {
				_, err = w.Write(want[n : n+10])
			}
			flushed, closed := w.Flush(), w.Close()
			if !errors.Is(flushed, errFault) || !errors.Is(closed, errFault) || err != nil &&
				!errors.Is(err, errFault) {
				t.Fatalf("a fault at %d: Write %v, Flush %v, Close %v", at, err, flushed, closed)
			}
			if w.Written() != at || !bytes.Equal(s.b[:at], want[:at]) {
				t.Fatalf("a fault at %d: written up to %d", at, w.Written())
			}
			if _, err := w.Write(want); !errors.Is(err, fs.ErrClosed) {
				t.Fatalf("Write after Close: %v", err)
			}
		}
	})
}

// A count that comes short without an error is an error.
func TestWriterShort(t *testing.T) {
	s := &store{fail: -1, short: 5}
	w := mustWriter(t, s, &file.StreamConfig{Size: 16})
	w.Write(pattern(100))
	if err := w.Close(); !errors.Is(err, io.ErrShortWrite) || w.Written() != 5 {
		t.Errorf("Close: %v, written up to %d", err, w.Written())
	}
}

// A function of the program's that panics in a block, or ends its goroutine, is an error of the stream, and nothing
// waits for the block for ever.
func TestStreamOfWhatDoesNotReturn(t *testing.T) {
	ends := map[string]func(){
		"panic":  func() { panic("a store's") },
		"Goexit": runtime.Goexit,
	}
	play := func(t *testing.T, l *ringo.Loop, end func()) {
		s := &leaving{store: store{b: pattern(100), fail: -1}, end: end, at: 20}
		r := mustReader(t, s, &file.StreamConfig{Depth: 2, Size: 10})
		got, err := io.ReadAll(r)
		if err == nil || errors.Is(err, io.EOF) || !bytes.Equal(got, pattern(20)) {
			t.Errorf("read %d bytes, then %v", len(got), err)
		}
		r.Close()
		s.at = -1
		r = mustReaderAt(t, s, r.Offset(), nil)
		if rest, err := io.ReadAll(r); err != nil || !bytes.Equal(rest, pattern(100)[20:]) {
			t.Errorf("the rest has %d bytes: %v", len(rest), err)
		}
		r.Close()

		s.at = 10
		w := mustWriter(t, s, &file.StreamConfig{Depth: 2, Size: 10})
		w.Write(pattern(25))
		socktest.EventuallyOn(t, l, "a Write learns of it", func() bool {
			_, err := w.Write(nil)
			return err != nil
		})
		if err := w.Flush(); err == nil {
			t.Error("Flush returned nil")
		}
		if _, err := w.Write([]byte("more")); err == nil {
			t.Error("a Writer that has failed accepts more")
		}
		if err := w.Close(); err == nil || w.Written() != 10 {
			t.Errorf("Close: %v; written up to %d", err, w.Written())
		}
	}
	for name, end := range ends {
		t.Run(name, func(t *testing.T) {
			eachDriver(t, func(t *testing.T, cfg ringo.Config) {
				cfg.OnPanic = func(*ringo.Loop, any, []byte) {}
				onLoop(t, cfg, func(l *ringo.Loop) { play(t, l, end) })
			})
			if name == "Goexit" { // a goroutine's panic ends the program
				patience.Within(t.Name(), func() { play(t, nil, end) })
			}
		})
	}
}

// leaving is a store whose calls at an offset do not return.
type leaving struct {
	store
	end func()
	at  int64
}

func (s *leaving) ReadAt(p []byte, off int64) (int, error) {
	if off == s.at {
		s.end()
	}
	return s.store.ReadAt(p, off)
}

func (s *leaving) WriteAt(p []byte, off int64) (int, error) {
	if off == s.at {
		s.end()
	}
	return s.store.WriteAt(p, off)
}

// Blocks in flight are bounded, and Write waits for the first of them.
func TestWriterDepth(t *testing.T) {
	const size = 16
	s := &store{fail: -1}
	w := mustWriter(t, s, &file.StreamConfig{Depth: 4, Size: size})
	want := pattern(10 * size)
	s.gate(0, 0)
	ended := make(chan error)
	go func() {
		_, err := w.Write(want)
		ended <- errors.Join(err, w.Close())
	}()
	for i, flying := range []int{4, 4, 4, 4, 4, 4, 4, 3, 2, 1, 0} {
		s.gate(int64(i)*size, flying)
	}
	if err := <-ended; err != nil || !bytes.Equal(s.b, want) || s.most != 4 {
		t.Errorf("Close: %v; %d blocks were in flight at most, want 4", err, s.most)
	}
}

// Random sizes and flushes, aligned or not, give what bufio and os give.
func TestStreamsDifferential(t *testing.T) {
	dir := tempDir(t)
	eachCaller(t, func(t *testing.T, l *ringo.Loop) {
		for seed := range uint64(60) {
			random := rand.New(rand.NewPCG(seed, 0))
			align := []int{1, 1, 16}[random.IntN(3)]
			cfg := &file.StreamConfig{Depth: 1 + random.IntN(5), Size: align * (1 + random.IntN(40))}
			f, err := os.Create(filepath.Join(dir, "want"))
			if err != nil {
				t.Fatal(err)
			}
			s := &store{fail: -1, align: align}
			want, w := bufio.NewWriter(f), mustWriter(t, s, cfg)
			for i := range random.IntN(30) {
				b := pattern(random.IntN(200))
				want.Write(b)
				if i%3 == 0 {
					if n, err := w.ReadFrom(iotest.HalfReader(bytes.NewReader(b))); n != int64(len(b)) || err != nil {
						t.Fatalf("seed %d: ReadFrom: %d, %v", seed, n, err)
					}
				} else if n, err := w.Write(b); n != len(b) || err != nil {
					t.Fatalf("seed %d: Write: %d, %v", seed, n, err)
				}
				if random.IntN(4) == 0 {
					want.Flush()
					if err := w.Flush(); err != nil || w.Written() != int64(len(s.b)) {
						t.Fatalf("seed %d: Flush: %v, written up to %d", seed, err, w.Written())
					}
					compare(t, f, s, seed)
				}
			}
			want.Flush()
			if err := w.Close(); err != nil {
				t.Fatalf("seed %d: Close: %v", seed, err)
			}
			compare(t, f, s, seed)
			from := int64(random.IntN(len(s.b) + 10))
			r := mustReaderAt(t, s, from, cfg)
			var got bytes.Buffer
			for range random.IntN(10) {
				io.CopyN(&got, r, int64(random.IntN(50)))
			}
			if _, err := io.Copy(&got, r); err != nil {
				t.Fatalf("seed %d: Copy: %v", seed, err)
			}
			wanted, err := io.ReadAll(bufio.NewReader(io.NewSectionReader(f, from, 1<<30)))
			if err != nil || !bytes.Equal(got.Bytes(), wanted) {
				t.Fatalf("seed %d: read %d bytes from %d, want %d, %v", seed, got.Len(), from, len(wanted), err)
			}
			r.Close()
			f.Close()
			if s.bad != nil {
				t.Fatalf("seed %d: %v", seed, s.bad)
			}
			if s.most > cfg.Depth {
				t.Fatalf("seed %d: %d in flight, with a depth of %d", seed, s.most, cfg.Depth)
			}
		}
	})
}

func compare(t *testing.T, f *os.File, s *store, seed uint64) {
	t.Helper()
	want, err := readFile(f.Name())
	if err != nil || !bytes.Equal(s.b, want) {
		t.Fatalf("seed %d: the file has %d bytes, want %d, %v", seed, len(s.b), len(want), err)
	}
}

// With Direct, an end that is not aligned would take bytes with it.
func TestWriterWouldCut(t *testing.T) {
	s := &store{b: pattern(64), fail: -1, align: 16}
	w := mustWriter(t, s, &file.StreamConfig{Size: 32})
	w.Write(make([]byte, 20))
	if err := w.Close(); err == nil || !bytes.Equal(s.b, pattern(64)) {
		t.Errorf("Close: %v; the file has changed: %v", err, !bytes.Equal(s.b, pattern(64)))
	}
}

// A Writer and a Reader in their stride allocate nothing, but a goroutine's start.
func TestStreamAllocs(t *testing.T) {
	if race.Enabled {
		t.Skip("the race detector allocates")
	}
	eachCaller(t, func(t *testing.T, l *ringo.Loop) {
		want := 1.0
		if l != nil {
			want = 0
		}
		s := &store{b: make([]byte, 1<<20), fail: -1}
		r, w := mustReader(t, s, &file.StreamConfig{Size: 1024}), mustWriter(t, s, &file.StreamConfig{Size: 1024})
		p := make([]byte, 1024)
		block := func() {
			if _, err := io.ReadFull(r, p); err != nil {
				t.Fatal(err)
			}
			if _, err := w.Write(p); err != nil {
				t.Fatal(err)
			}
		}
		for range 10 {
			block()
		}
		if got := alloctest.Least(100, 2*want+0.1, block); got > 2*want+0.1 {
			t.Errorf("%v allocations for a block read and one written, want %v", got, 2*want)
		}
		r.Close()
		w.Close()
	})
}

// Close writes what is in the blocks also after its loop has been stopped.
func TestWriterCloseAsTheLoopStops(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		for _, size := range []int{1000, 10_000} { // less than a block, and some blocks
			want, name := pattern(size), filepath.Join(tempDir(t), "f")
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			cfg.Grace = -1
			patience.Within(t.Name(), func() {
				if err := ringo.Run(ctx, &cfg, func(l *ringo.Loop) error {
					f, err := file.Create(name)
					if err != nil {
						return err
					}
					defer f.Close()
					w := mustWriter(t, f, &file.StreamConfig{Size: 4096})
					if _, err := w.Write(want); err != nil {
						return err
					}
					cancel()
					if err := l.Sleep(patience.Max); !errors.Is(err, context.Canceled) {
						return fmt.Errorf("the loop goes on: %v", err)
					}
					if err := w.Close(); err != nil {
						t.Errorf("Close: %v", err)
					}
					return nil
				}); err != nil {
					t.Errorf("Run: %v", err)
				}
			})
			if got, err := readFile(name); err != nil || !bytes.Equal(got, want) {
				t.Errorf("of %d bytes %d are in the file: %v", size, len(got), err)
			}
		}
	})
}

// positioned is what a stream may be of that has a position.
type positioned interface {
	both
	io.ReaderAt
	io.WriterAt
}

// Streams begin where the file's position is, as all other words for reading and writing do, and what is written by one
// way goes behind what was by the other.
func TestStreamsBeginAtThePosition(t *testing.T) {
	everywhere(t, func(t *testing.T, l *ringo.Loop, dir string) {
		name := filepath.Join(dir, "log")
		opens := map[string]func(string, int, os.FileMode) (positioned, error){
			"file": func(name string, flag int, mode os.FileMode) (positioned, error) {
				return file.OpenFile(name, flag, mode)
			},
		}
		if l == nil { // in a task os would hold the loop, and in a world there is no os
			opens["os"] = func(name string, flag int, mode os.FileMode) (positioned, error) {
				return os.OpenFile(name, flag, mode)
			}
		}
		for of, open := range opens {
			if err := file.WriteFile(name, []byte("yesterday\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			f, err := open(name, os.O_RDWR, 0)
			if err != nil {
				t.Fatal(err)
			}
			wantAt := func(when string, want int64) {
				t.Helper()
				if at, err := f.Seek(0, io.SeekCurrent); at != want || err != nil {
					t.Errorf("%s: %s the position is %d, %v, want %d", of, when, at, err, want)
				}
			}
			if _, err := f.Seek(0, io.SeekEnd); err != nil {
				t.Fatal(err)
			}
			w := mustWriter(t, f, nil)
			io.WriteString(w, "today\n")
			wantAt("before a Flush", 10)
			if err := w.Flush(); err != nil {
				t.Error(err)
			}
			wantAt("after a Flush", 16)
			io.WriteString(w, "tomorrow\n")
			if err := w.Close(); err != nil || w.Written() != 25 {
				t.Errorf("%s: Close: %v, written up to %d", of, err, w.Written())
			}
			wantAt("after Close", 25)
			if _, err := f.Write([]byte("end\n")); err != nil {
				t.Error(err)
			}
			if _, err := f.Seek(10, io.SeekStart); err != nil {
				t.Fatal(err)
			}
			r := mustReader(t, f, nil)
			if got, err := io.ReadAll(r); string(got) != "today\ntomorrow\nend\n" || err != nil {
				t.Errorf("%s: a Reader of a file at 10 reads %q, %v", of, got, err)
			}
			r.Close()
			wantAt("after a Reader", 10)

			w = mustWriterAt(t, f, 0, nil)
			io.WriteString(w, "Y")
			if err := w.Close(); err != nil {
				t.Error(err)
			}
			r = mustReaderAt(t, f, 0, nil)
			if got, err := io.ReadAll(r); string(got) != "Yesterday\ntoday\ntomorrow\nend\n" || err != nil {
				t.Errorf("%s: in the end there is %q, %v", of, got, err)
			}
			r.Close()
			wantAt("after streams at an offset", 10)
			if err := f.Close(); err != nil {
				t.Error(err)
			}
			if r, err := file.NewReader(f, nil); !errors.Is(err, fs.ErrClosed) {
				t.Errorf("%s: NewReader of a closed file: %v, want fs.ErrClosed", of, err)
				r.Close()
			}
		}
	})
}

// A cancelled task may still write to the end what it has to, and the position is behind it.
func TestWriterPositionInACancelledTask(t *testing.T) {
	everywhere(t, func(t *testing.T, l *ringo.Loop, dir string) {
		if l == nil {
			return
		}
		name := filepath.Join(dir, "log")
		if err := file.WriteFile(name, []byte("kept, "), 0o600); err != nil {
			t.Fatal(err)
		}
		f, err := file.OpenFile(name, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if _, err := f.Seek(0, io.SeekEnd); err != nil {
			t.Fatal(err)
		}
		var made, closed error
		task := l.Go(func() {
			var w *file.Writer
			if w, made = file.NewWriter(f, nil); made == nil {
				io.WriteString(w, "added")
				closed = w.Close()
			}
		})
		task.Cancel()
		task.Wait()
		at, err := f.Seek(0, io.SeekCurrent)
		got, read := file.ReadFile(name)
		if err := errors.Join(made, closed, err, read); err != nil || at != 11 || string(got) != "kept, added" {
			t.Errorf("the file has %q, the position is %d, %v", got, at, err)
		}
	})
}

// seekable is a store with a position.
type seekable struct {
	*store
	at int64
}

func (s *seekable) Seek(offset int64, whence int) (int64, error) {
	if whence == io.SeekStart {
		s.at = offset
	}
	return s.at, nil
}

// Where a write fails the position is behind the last byte before, as after a File's Write.
func TestWriterPositionBehindAFault(t *testing.T) {
	eachCaller(t, func(t *testing.T, l *ringo.Loop) {
		s := &seekable{store: &store{fail: 20}, at: 5}
		w := mustWriter(t, s, &file.StreamConfig{Depth: 2, Size: 10})
		w.Write(pattern(40))
		if err := w.Close(); !errors.Is(err, errFault) || w.Written() != 20 || s.at != 20 {
			t.Errorf("Close: %v, written up to %d, the position is %d", err, w.Written(), s.at)
		}
		if !bytes.Equal(s.b[5:20], pattern(15)) {
			t.Errorf("the file has %d", s.b)
		}
	})
}
