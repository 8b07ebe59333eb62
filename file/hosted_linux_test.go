//go:build linux

package file_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ringo"
	"ringo/buf"
	"ringo/file"
	"ringo/internal/hosted"
	"ringo/internal/mask"
	"ringo/internal/race"
	"ringo/internal/test/socktest"
	"ringo/internal/test/testmain"
	"ringo/internal/test/uringtest"
	"ringo/stats"
)

// onRing has each transfer of a goroutine that can go by the ring do so, on files of dir's mount.
func onRing(t testing.TB, dir string, known uint32, m *mask.Mask) *hosted.Rings {
	t.Helper()
	r, err := hosted.Open(hosted.Config{Few: -1, Mask: m})
	if uringtest.Refused(err) {
		t.Skip("no io_uring here:", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	know(t, dir, known, r)
	return r
}

// TestHostedVectors runs what is about transfers where the ring has vectored entries alone.
func TestHostedVectors(t *testing.T) {
	t.Setenv("RINGO_DRIVER", "epoll") // what tasks do is not changed by that, so one driver is enough
	m, err := mask.Parse("op:read")
	if err != nil {
		t.Fatal(err)
	}
	r := onRing(t, tempDir(t), file.Cold, m)
	t.Run("like os", TestLikeOS)
	t.Run("data like os", TestDataLikeOS) // past the page cache, too
	if s := r.Info().Stats; s.Submitted == 0 {
		t.Errorf("nothing went by the ring: %+v", s)
	}
}

// TestHostedReads: what is not in memory is read by the ring, and what is there is not.
func TestHostedReads(t *testing.T) {
	const size = 1 << 20
	r := onRing(t, tempDir(t), 0, nil)
	f, err := file.Open(filled(t, tempDir(t), size))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Sync(); err != nil {
		t.Fatal(err)
	}
	raw, err := f.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	if err := raw.Control(func(fd uintptr) { err = unix.Fadvise(int(fd), 0, 0, unix.FADV_DONTNEED) }); err != nil {
		t.Fatal(err)
	}
	p := make([]byte, 4096)
	if n, err := f.ReadAt(p, 8192); n != len(p) || err != nil {
		t.Fatalf("ReadAt = %d, %v", n, err)
	}
	cold := r.Info().Stats.Submitted
	if n, err := f.ReadAt(p, 8192); n != len(p) || err != nil {
		t.Fatalf("ReadAt = %d, %v", n, err)
	}
	if warm := r.Info().Stats.Submitted - cold; warm != 0 {
		t.Errorf("%d reads of what is in memory went by the ring", warm)
	}
	if cold == 0 {
		t.Skip("the pages did not leave memory")
	}
}

// TestHostedNotInTasks: a task's reads are its loop's.
func TestHostedNotInTasks(t *testing.T) {
	r := onRing(t, tempDir(t), 0, nil)
	name := filled(t, tempDir(t), 1<<16)
	err := socktest.RunLoops(t, context.Background(), &ringo.Config{Loops: 1}, func(l *ringo.Loop) error {
		f := openDirect(t, name)
		defer f.Close()
		_, err := f.ReadAt(buf.Aligned(4096, 4096), 0)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if s := r.Info().Stats; s.Submitted != 0 {
		t.Errorf("a task used the hosted ring: %+v", s)
	}
}

// TestHostedClose closes a file while many read it by the ring.
func TestHostedClose(t *testing.T) {
	onRing(t, tempDir(t), 0, nil)
	name := filled(t, tempDir(t), 1<<20)
	for range 20 {
		f := openDirect(t, name)
		var wg sync.WaitGroup
		begun := make(chan struct{}, 20)
		for range 20 {
			wg.Go(func() {
				p := buf.Aligned(4096, 4096)
				for n := int64(0); ; n++ {
					if _, err := f.ReadAt(p, n%256*4096); err != nil {
						if !errors.Is(err, os.ErrClosed) {
							t.Error(err)
						}
						return
					}
					if n == 0 {
						begun <- struct{}{}
					}
				}
			})
		}
		<-begun
		if err := f.Close(); err != nil {
			t.Error(err)
		}
		wg.Wait()
	}
}

// saturation is a loop that has more to wait for than fits anywhere: cold reads, each by a
// task of its own, again and again until a sync is done, and readers of FIFOs.
type saturation struct {
	t       *testing.T
	l       *ringo.Loop
	f       *file.File // dropped from the page cache all the time
	all     []byte     // what it holds
	warm    func()     // ends the dropping
	fifos   []*file.File
	done    bool
	reading int // reads under way
	reads   int
	woken   int // readers of FIFOs that have read
}

const coldSize = 512 // one read of each page

// A loop that has 10,000 cold reads queued and 1,000 readers of FIFOs waiting goes on: a
// sync that comes behind them finishes, and turns are not long. What counts is what OnStall is
// told: Stats.Stalls has also turns in which the machine did not run the loop's thread. One turn
// of many may be told all the same, where a busy machine keeps the thread from a processor.
func TestSaturated(t *testing.T) {
	cold, waiting := 10_000, 1000
	if !testmain.Long() || race.Enabled {
		cold, waiting = 2000, 200
	}
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	all := bytesOf(cold * dataBlock)
	name := filled(t, tempDir(t), len(all))
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		numbers := min(limit.Cur, 1<<20)
		if cfg.Driver == "select" {
			numbers = min(numbers, unix.FD_SETSIZE)
		}
		waiting := waiting
		if room := (int(numbers) - 200) / 2; room < waiting { // a wait has a descriptor of its own
			t.Logf("%d descriptors may be open: %d readers of FIFOs, not %d", numbers, room, waiting)
			waiting = room
		}
		var mu sync.Mutex
		var told []string
		cfg.OnStall = func(_ *ringo.Loop, d time.Duration, stack []byte) {
			mu.Lock()
			defer mu.Unlock()
			told = append(told, fmt.Sprintf("a turn of %v so far:\n%s", d, stack))
		}
		s := &saturation{t: t, all: all}
		s.fifos = openFIFOs(t, waiting)
		var err error
		if s.f, err = file.Open(name); err != nil {
			t.Fatal(err)
		}
		defer s.f.Close()
		s.warm = chill(t, name)
		defer s.warm()
		var turns uint64
		onLoop(t, cfg, func(l *ringo.Loop) {
			defer func() { turns = l.Stats().Turns }()
			s.run(l, cold)
		})
		mu.Lock()
		defer mu.Unlock()
		if uint64(len(told)) > turns/20 {
			t.Errorf("%d of %d turns held the loop:\n%s", len(told), turns, strings.Join(told, "\n"))
		}
	})
}

// openFIFOs opens n FIFOs that nobody writes to.
func openFIFOs(t *testing.T, n int) (all []*file.File) {
	t.Helper()
	dir := tempDir(t)
	for i := range n {
		name := filepath.Join(dir, fmt.Sprint(i))
		if err := unix.Mkfifo(name, 0o600); err != nil {
			t.Fatal(err)
		}
		f, err := file.OpenFile(name, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		all = append(all, f)
	}
	return all
}

// chill drops a file from the page cache, and goes on with that until stop.
func chill(t *testing.T, name string) (stop func()) {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Sync(); err != nil {
		t.Fatal(err)
	}
	quit, ended := make(chan struct{}), make(chan struct{})
	drop := func() error { return unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED) }
	if err := drop(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(ended)
		for tick := time.NewTicker(20 * time.Millisecond); ; {
			select {
			case <-quit:
				return
			case <-tick.C:
				drop()
			}
		}
	}()
	return sync.OnceFunc(func() {
		close(quit)
		<-ended
		f.Close()
	})
}

func (s *saturation) run(l *ringo.Loop, cold int) {
	s.l = l
	t := s.t
	if err := s.f.Advise(file.AdviceRandom, 0, 0); err != nil {
		t.Fatal(err)
	}
	beside, err := file.Create(filepath.Join(tempDir(t), "beside"))
	if err != nil {
		t.Fatal(err)
	}
	defer beside.Close()
	var tasks []*ringo.Task
	spawn := func(f func()) {
		if tasks = append(tasks, l.Go(f)); len(tasks)%100 == 0 {
			l.Sleep(0)
		}
	}
	for _, f := range s.fifos {
		spawn(func() { s.wait(f) })
	}
	for l.Stats().Slots < len(s.fifos) && !t.Failed() {
		l.Sleep(time.Millisecond)
	}
	for i := range cold {
		spawn(func() { s.read(i) })
	}
	behind, began := s.reading, time.Now()
	if _, err := beside.WriteString("a record\n"); err != nil {
		t.Error(err)
	}
	if err := beside.Sync(); err != nil {
		t.Errorf("Sync: %v", err)
	}
	s.done = true
	go s.warm() // so that those under way end soon
	t.Logf("a sync behind %d cold reads took %v, with %d reads under way at its end; %d reads in all", behind,
		time.Since(began), s.reading, s.reads)
	if s.woken != 0 {
		t.Errorf("%d readers of FIFOs have read what nobody wrote", s.woken)
	}
	for _, f := range s.fifos {
		if _, err := f.Write([]byte("x")); err != nil {
			t.Error(err)
		}
	}
	for _, task := range tasks {
		task.Wait()
	}
	if s.woken != len(s.fifos) {
		t.Errorf("%d of %d readers of FIFOs have read", s.woken, len(s.fifos))
	}
	stats := l.Stats()
	t.Logf("%d turns, the longest %v, %d longer than the limit", stats.Turns, stats.Longest, stats.Stalls)
	if n := opOf(stats, "read(at)").Submitted; n < uint64(cold) {
		t.Skipf("%d of %d cold reads waited: the pages did not leave memory", n, s.reads)
	}
}

// opOf is what is counted of one kind of operation.
func opOf(s stats.Loop, name string) stats.Op {
	for _, o := range s.Ops {
		if o.Op == name {
			return o
		}
	}
	return stats.Op{}
}

// wait reads from a FIFO.
func (s *saturation) wait(f *file.File) {
	var b [1]byte
	if n, err := f.Read(b[:]); n != 1 || err != nil {
		s.t.Errorf("Read of a FIFO = %d, %v", n, err)
	}
	s.woken++
}

// read reads page after page until the sync is done.
func (s *saturation) read(i int) {
	b := make([]byte, coldSize)
	for again := true; again; again = !s.done {
		off := i % (len(s.all) / dataBlock) * dataBlock
		s.reading++
		n, err := s.f.ReadAt(b, int64(off))
		s.reading--
		if n != len(b) || err != nil || !bytes.Equal(b, s.all[off:off+n]) {
			s.t.Errorf("ReadAt = %d, %v", n, err)
			return
		}
		s.reads++
		i += 4999
	}
}
