package logs_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"ringo"
	"ringo/internal/test/patience"
	"ringo/logs"
)

// patient is for tests in which the end of a Run, or Close, waits for what will come.
const patient = time.Minute

// gate is an output that takes nothing until it is open.
type gate struct {
	open   chan struct{}
	called chan struct{} // has room for one: somebody has written

	mu     sync.Mutex
	text   bytes.Buffer
	writes int
}

func newGate() *gate { return &gate{open: make(chan struct{}), called: make(chan struct{}, 1)} }

func (g *gate) Write(p []byte) (int, error) {
	select {
	case g.called <- struct{}{}:
	default:
	}
	<-g.open
	g.mu.Lock()
	defer g.mu.Unlock()
	g.writes++
	return g.text.Write(p)
}

func (g *gate) String() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.text.String()
}

// inRun calls fn as a task of a Run, whose end has flushed.
func inRun(t *testing.T, loops int, fn func(l *ringo.Loop) error) {
	t.Helper()
	if err := ringo.Run(t.Context(), &ringo.Config{Loops: loops}, fn); err != nil {
		t.Fatal(err)
	}
}

func closed(t *testing.T, w *logs.Writer) {
	t.Helper()
	if err := w.Close(); err != nil {
		t.Error(err)
	}
}

var (
	line = regexp.MustCompile(`^(\d+) (\d+) x*$`)
	gap  = regexp.MustCompile(`^logs: dropped (\d+) writes of (\d+) bytes in all: the output was too slow$`)
)

// count reads an output of lines "writer number": in each writer's own order. It returns how many lines there are, and
// how many writes and bytes are said to be missing.
func count(t *testing.T, text string) (lines, dropped, bytes int) {
	t.Helper()
	last := map[string]int{}
	for s := range strings.Lines(text) {
		s = strings.TrimSuffix(s, "\n")
		if m := gap.FindStringSubmatch(s); m != nil {
			n, _ := strconv.Atoi(m[1])
			size, _ := strconv.Atoi(m[2])
			dropped, bytes = dropped+n, bytes+size
			continue
		}
		if strings.HasPrefix(s, "ringo: ") {
			continue // of this machine, as that it has fewer processors than there are loops
		}
		m := line.FindStringSubmatch(s)
		if m == nil {
			t.Fatalf("a line that nobody wrote: %q", s)
		}
		n, _ := strconv.Atoi(m[2])
		if before, ok := last[m[1]]; ok && n <= before {
			t.Fatalf("writer %s: line %d after %d", m[1], n, before)
		}
		last[m[1]] = n
		lines++
	}
	return lines, dropped, bytes
}

// TestDropsAreExact has tasks of two loops and goroutines write more than there is room for, to an output that takes
// nothing until they are done.
func TestDropsAreExact(t *testing.T) {
	const writers, each, size = 6, 500, 8192
	out := newGate()
	w := logs.NewWriter(out, &logs.Config{Size: size, Patience: patient})
	write := func(id int) {
		for i := range each {
			fmt.Fprintf(w, "%d %d %s\n", id, i, strings.Repeat("x", i%40))
		}
	}
	var bytes int
	for id := range writers {
		for i := range each {
			bytes += len(fmt.Sprintf("%d %d %s\n", id, i, strings.Repeat("x", i%40)))
		}
	}
	inRun(t, 2, func(l *ringo.Loop) error {
		g := ringo.NewGroup(l)
		for k := range 2 {
			g.Go(func() error { write(l.Index()*2 + k); return nil })
		}
		err := l.Offload(func(context.Context) error { write(4 + l.Index()); return nil })
		if err := errors.Join(err, g.Wait()); err != nil {
			return err
		}
		if l.Index() == 0 {
			return nil
		}
		return l.Offload(func(context.Context) error {
			patience.Until(t, "all is held or dropped", func() bool {
				return w.Stats().Dropped+uint64(w.Stats().Held) >= writers*each
			})
			if s := w.Stats(); s.Held == 0 || s.Held > size/33 {
				t.Errorf("%d writes are held", s.Held)
			}
			close(out.open)
			return nil
		})
	})
	lines, dropped, lost := count(t, out.String())
	s := w.Stats()
	if lines+dropped != writers*each || dropped == 0 || lines == 0 {
		t.Errorf("%d lines and %d dropped, of %d", lines, dropped, writers*each)
	}
	if s.Written != uint64(lines) || s.Dropped != uint64(dropped) || s.DroppedBytes != uint64(lost) || s.Held != 0 ||
		s.WrittenBytes+s.DroppedBytes != uint64(bytes) || s.Failed != 0 || s.Err != nil {
		t.Errorf("%+v; told: %d lines, %d dropped of %d bytes; %d bytes in all", s, lines, dropped, lost, bytes)
	}
	closed(t, w)
}

// TestGapIsWhereTheLinesWere wants the line about drops in the place of what was dropped.
func TestGapIsWhereTheLinesWere(t *testing.T) {
	out := newGate()
	w := logs.NewWriter(out, &logs.Config{Size: 4096, Patience: patient})
	inRun(t, 1, func(l *ringo.Loop) error {
		fmt.Fprintf(w, "0 1 %s\n", strings.Repeat("x", 3000))
		<-out.called // what comes now is taken all at once, for the output is stuck with the first
		fmt.Fprintf(w, "0 2 %s\n", strings.Repeat("x", 3000))
		fmt.Fprintf(w, "0 3 %s\n", strings.Repeat("x", 5000)) // never has room
		fmt.Fprint(w, "0 4 \n")
		close(out.open)
		return nil
	})
	closed(t, w)
	want := fmt.Sprintf("0 1 %s\n%s0 4 \n", strings.Repeat("x", 3000),
		"logs: dropped 2 writes of 8010 bytes in all: the output was too slow\n")
	if got := out.String(); got != want {
		t.Errorf("%q", got)
	}
	if out.writes != 3 {
		t.Errorf("%d writes, want one for each", out.writes)
	}
}

// TestOrder has each writer's lines, and those of two that meet, in order.
func TestOrder(t *testing.T) {
	var out bytes.Buffer
	w := logs.NewWriter(&out, &logs.Config{Patience: patient})
	inRun(t, 1, func(l *ringo.Loop) error {
		turn := ringo.NewChan[int](0)
		g := ringo.NewGroup(l)
		g.Go(func() error {
			for i := range 200 {
				fmt.Fprintf(w, "0 %d \n", 2*i)
				if err := turn.Send(2*i + 1); err != nil {
					return err
				}
				l.Sleep(0)
			}
			turn.Close()
			return nil
		})
		g.Go(func() error {
			for {
				i, err := turn.Recv()
				if err != nil {
					return nil
				}
				fmt.Fprintf(w, "1 %d \n", i)
			}
		})
		return g.Wait()
	})
	closed(t, w)
	if lines, dropped, _ := count(t, out.String()); lines != 400 || dropped != 0 {
		t.Errorf("%d lines, %d dropped", lines, dropped)
	}
}

// TestEndOfRunFlushes closes nothing: what tasks have written is there when Run has returned.
func TestEndOfRunFlushes(t *testing.T) {
	out := newGate()
	w := logs.NewWriter(out, &logs.Config{Patience: patient})
	defer closed(t, w)
	for round := range 20 {
		inRun(t, 2, func(l *ringo.Loop) error {
			for i := range 100 {
				fmt.Fprintf(w, "%d %d \n", 2*round+l.Index(), i)
			}
			if round == 0 && l.Index() == 0 {
				close(out.open)
			}
			return nil
		})
		if lines, _, _ := count(t, out.String()); lines != 200*(round+1) {
			t.Fatalf("round %d: %d lines", round, lines)
		}
	}
}

// TestEndOfRunHasPatience ends a Run though the output takes nothing.
func TestEndOfRunHasPatience(t *testing.T) {
	for _, patience := range []time.Duration{time.Millisecond, -1} {
		out := newGate()
		w := logs.NewWriter(out, &logs.Config{Patience: patience})
		inRun(t, 1, func(l *ringo.Loop) error {
			fmt.Fprint(w, "0 0 \n")
			return nil
		})
		<-out.called
		if s := w.Stats(); s.Held != 1 {
			t.Errorf("%+v", s)
		}
		if err := w.Close(); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "1 writes") {
			t.Errorf("Close: %v", err)
		}
		close(out.open)
		if err := w.Flush(t.Context()); err != nil {
			t.Error(err)
		}
		if out.String() != "0 0 \n" {
			t.Errorf("after all: %q", out.String())
		}
		closed(t, w)
	}
}

// TestWithoutRun waits in Write until all is written, with room or without, as a logger does whose program has no
// loops.
func TestWithoutRun(t *testing.T) {
	var out bytes.Buffer // without a lock: who reads it has waited
	w := logs.NewWriter(&out, &logs.Config{Size: 4096, Patience: patient})
	want := ""
	for i := range 100 {
		s := fmt.Sprintf("0 %d %s\n", i, strings.Repeat("x", 1000))
		if n, err := io.WriteString(w, s); n != len(s) || err != nil {
			t.Fatal(n, err)
		}
		if want += s; out.String() != want {
			t.Fatalf("%d bytes, want %d", out.Len(), len(want))
		}
	}
	closed(t, w)
}

// TestRunSetsWritersFree has goroutines wait for an output that is stuck, some of them for room, and then a Run.
func TestRunSetsWritersFree(t *testing.T) {
	out := newGate()
	w := logs.NewWriter(out, &logs.Config{Size: 4096, Patience: time.Millisecond})
	const n = 10
	var free sync.WaitGroup
	for i := range n {
		free.Go(func() { fmt.Fprintf(w, "%d 0 %s\n", i, strings.Repeat("x", 1000)) })
	}
	<-out.called
	inRun(t, 1, func(l *ringo.Loop) error {
		return l.Offload(func(context.Context) error { free.Wait(); return nil })
	})
	close(out.open)
	if err := w.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	closed(t, w)
	if lines, dropped, _ := count(t, out.String()); lines+dropped != n {
		t.Errorf("%d lines, %d dropped", lines, dropped)
	}
}

// TestFlushParks has another task run while one flushes.
func TestFlushParks(t *testing.T) {
	out := newGate()
	w := logs.NewWriter(out, &logs.Config{Patience: patient})
	inRun(t, 1, func(l *ringo.Loop) error {
		fmt.Fprint(w, "0 0 \n")
		ctx, cancel := context.WithCancel(context.Background())
		l.Go(cancel)
		if err := w.Flush(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("Flush whose context ends: %v", err)
		}
		err := l.WithTimeout(time.Millisecond, func() error { return w.Flush(context.Background()) })
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("Flush in a WithTimeout: %v", err)
		}
		l.Go(func() { close(out.open) })
		if err := w.Flush(context.Background()); err != nil || out.String() != "0 0 \n" {
			t.Errorf("Flush: %v, %q", err, out.String())
		}
		return w.Close()
	})
}

// broken fails, or writes less than it is given.
type broken struct {
	n   int
	err error
}

func (b broken) Write(p []byte) (int, error) { return min(b.n, len(p)), b.err }

// TestErrorsAreCounted goes on after errors of the writer below.
func TestErrorsAreCounted(t *testing.T) {
	wrong := errors.New("wrong")
	for _, c := range []struct {
		out  broken
		want error
	}{{broken{0, wrong}, wrong}, {broken{2, nil}, io.ErrShortWrite}} {
		w := logs.NewWriter(c.out, &logs.Config{Patience: patient})
		for range 3 {
			if n, err := w.Write([]byte("12345")); n != 5 || err != nil {
				t.Error(n, err)
			}
		}
		if s := w.Stats(); s.Failed != 3 || s.FailedBytes != 15 || s.Written != 0 || s.Held != 0 || s.Err != c.want {
			t.Errorf("%+v", s)
		}
		if err := w.Flush(t.Context()); err != c.want {
			t.Errorf("Flush: %v, want %v", err, c.want)
		}
		closed(t, w) // which tells it no more
		w = logs.NewWriter(c.out, &logs.Config{Patience: patient})
		w.Write([]byte("12345"))
		if err := w.Close(); err != c.want {
			t.Errorf("Close: %v, want %v", err, c.want)
		}
		closed(t, w)
	}
}

// full has room for so many bytes, and then for as many as it is given.
type full struct {
	bytes.Buffer
	room int
}

func (f *full) Write(p []byte) (int, error) {
	n, _ := f.Buffer.Write(p[:min(f.room, len(p))])
	if f.room -= n; n < len(p) {
		return n, errors.New("no room")
	}
	return n, nil
}

// TestBehindAPart begins a new line behind what of a write has gone out.
func TestBehindAPart(t *testing.T) {
	for room, want := range []string{"34\n", "1\n34\n", "12\n34\n"} {
		out := &full{room: room}
		w := logs.NewWriter(out, &logs.Config{Patience: patient})
		w.Write([]byte("12\n"))
		out.room = 100
		w.Write([]byte("34\n"))
		if err := w.Close(); err == nil || out.String() != want {
			t.Errorf("room for %d: %q, want %q; %v", room, out.String(), want, err)
		}
	}
}

// TestJoinedInPart counts what of a joined write is in the output.
func TestJoinedInPart(t *testing.T) {
	out, open := &full{room: len("0\n12\n3")}, make(chan struct{})
	w := logs.NewWriter(writerFunc(func(p []byte) (int, error) { <-open; return out.Write(p) }),
		&logs.Config{Patience: patient})
	logs.Join(w, 100)
	inRun(t, 1, func(*ringo.Loop) error {
		for _, s := range []string{"0\n", "12\n", "34\n", "56\n", "78\n"} {
			io.WriteString(w, s)
		}
		close(open)
		return nil
	})
	if s := w.Stats(); s.Written != 2 || s.WrittenBytes != 5 || s.Failed != 3 || s.FailedBytes != 9 || s.Held != 0 {
		t.Errorf("%+v of %q", s, out.String())
	}
	if w.Close() == nil {
		t.Error("Close gave no error")
	}
}

// TestErrorOfAWholeWrite has an output that takes all of a write and returns an error, as a file does whose sync fails.
func TestErrorOfAWholeWrite(t *testing.T) {
	wrong := errors.New("wrong")
	for _, more := range []int{0, 7} { // an output that counts wrongly ends no program
		for _, join := range []int{0, 100} {
			var out bytes.Buffer
			open := make(chan struct{})
			w := logs.NewWriter(writerFunc(func(p []byte) (int, error) {
				<-open
				out.Write(p)
				return len(p) + more, wrong
			}), &logs.Config{Size: 4096, Patience: patient})
			logs.Join(w, join)
			inRun(t, 1, func(*ringo.Loop) error {
				for _, s := range []string{"0\n", "12\n", strings.Repeat("x", 5000), "34\n", "56\n"} {
					io.WriteString(w, s)
				}
				close(open)
				return nil
			})
			s := w.Stats()
			if s.Written != 4 || s.WrittenBytes != 11 || s.Failed != 0 || s.Held != 0 || s.Err != wrong {
				t.Errorf("%+v", s)
			}
			const notice = "logs: dropped 1 writes of 5000 bytes in all: the output was too slow\n"
			if want := "0\n12\n" + notice + "34\n56\n"; out.String() != want {
				t.Errorf("the output is %q, want %q", out.String(), want)
			}
			if err := w.Close(); err != wrong {
				t.Errorf("Close: %v", err)
			}
		}
	}
}

// TestNoticeOfDropsIsTriedAgain has an output that fails, so many times, at the line about drops.
func TestNoticeOfDropsIsTriedAgain(t *testing.T) {
	notice := func(writes, bytes int) string {
		return fmt.Sprintf("logs: dropped %d writes of %d bytes in all: the output was too slow\n", writes, bytes)
	}
	for _, c := range []struct {
		fails, wrote int
		want         string
	}{
		{1, 0, "1\n" + notice(1, 5000) + "2\n" + notice(1, 6000) + "3\n4\n"},
		{1, 6, "1\nlogs: \n" + notice(1, 5000) + "2\n" + notice(1, 6000) + "3\n4\n"},
		{2, 0, "1\n2\n" + notice(2, 11000) + "3\n4\n"},
		{4, 0, "1\n2\n3\n" + notice(2, 11000) + "4\n"},
	} {
		var out bytes.Buffer
		open, left := make(chan struct{}), c.fails
		w := logs.NewWriter(writerFunc(func(p []byte) (int, error) {
			<-open
			if left > 0 && bytes.HasPrefix(p, []byte("logs: ")) {
				left--
				n, _ := out.Write(p[:c.wrote])
				return n, errors.New("no room")
			}
			return out.Write(p)
		}), &logs.Config{Size: 4096, Patience: patient})
		inRun(t, 1, func(*ringo.Loop) error {
			long := strings.Repeat("x", 6000)
			for _, s := range []string{"1\n", long[:5000], "2\n", long, "3\n", "4\n"} {
				io.WriteString(w, s)
			}
			close(open)
			return nil
		})
		if s := w.Stats(); out.String() != c.want || s.Dropped != 2 || s.Written != 4 || s.Held != 0 {
			t.Errorf("an output that fails %d times has %q, want %q; %+v", c.fails, out.String(), c.want, s)
		}
		w.Close()
	}
}

type writerFunc func(p []byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// TestClosed refuses what comes after Close.
func TestClosed(t *testing.T) {
	var out bytes.Buffer
	w := logs.NewWriter(&out, &logs.Config{Patience: patient})
	closed(t, w)
	closed(t, w)
	if n, err := w.Write([]byte("x")); n != 0 || !errors.Is(err, fs.ErrClosed) || out.Len() > 0 {
		t.Error(n, err, out.Len())
	}
	if err := w.Flush(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestBadSize panics.
func TestBadSize(t *testing.T) {
	for _, size := range []int{-1, 4095, 1<<30 + 1} {
		func() {
			defer func() {
				if v := recover(); v == nil || !strings.Contains(fmt.Sprint(v), strconv.Itoa(size)) {
					t.Errorf("Size %d: %v", size, v)
				}
			}()
			logs.NewWriter(io.Discard, &logs.Config{Size: size})
		}()
	}
}

// TestFilesGetWholeLinesTogether joins writes to a file, and never parts one.
func TestFilesGetWholeLinesTogether(t *testing.T) {
	r, out, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	w := logs.NewWriter(out, &logs.Config{Patience: patient})
	const n = 3000
	read := make(chan string)
	go func() {
		text, _ := io.ReadAll(r)
		read <- string(text)
	}()
	inRun(t, 1, func(l *ringo.Loop) error {
		for i := range n {
			fmt.Fprintf(w, "0 %d %s\n", i, strings.Repeat("x", i%100))
		}
		return nil
	})
	closed(t, w)
	out.Close()
	if lines, dropped, _ := count(t, <-read); lines != n || dropped != 0 {
		t.Errorf("%d lines, %d dropped", lines, dropped)
	}
	r.Close()
}

// Who gives up on an output that has stopped leaves nothing behind.
func TestFlushGivesUp(t *testing.T) {
	out := newGate()
	w := logs.NewWriter(out, &logs.Config{Patience: patient})
	inRun(t, 1, func(l *ringo.Loop) error {
		w.Write([]byte("line\n"))
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		for range 10 {
			if err := w.Flush(ctx); !errors.Is(err, context.Canceled) {
				t.Errorf("Flush = %v", err)
			}
			if err := l.WithTimeout(0, func() error { return w.Flush(context.Background()) }); err == nil {
				t.Error("Flush of an output that has stopped = nil")
			}
		}
		if n := w.Waiting(); n != 0 {
			t.Errorf("%d still wait", n)
		}
		close(out.open)
		return w.Flush(context.Background())
	})
	if err := w.Close(); err != nil || out.String() != "line\n" {
		t.Errorf("Close = %v, the output %q", err, out)
	}
}
