package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"ringo"
	"ringo/buf"
	"ringo/file"
	"ringo/internal/measure"
)

// workerFlag is the argument with which ringo bench file starts itself as a worker, to measure one path in a process of
// its own. The environment variable jobVariable has the job.
const (
	workerFlag  = "-worker"
	jobVariable = "RINGO_BENCH_JOB"
)

// job is what a worker measures: the options and one path.
type job struct {
	options
	Path string
}

// result is the result of a job. The worker writes it to stdout as JSON; before that it writes, ten times, a line with
// the number of operations done so far.
type result struct {
	Ops     int64
	Seconds float64
	P50     time.Duration
	P99     time.Duration
	Threads int
	CPU     time.Duration // filled in by the parent, once the worker has ended
	Note    string
}

// blockFile is what a path uses of its file.
type blockFile interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
}

// work is the main function of a worker.
func work(stdout io.Writer) error {
	var j job
	if err := json.Unmarshal([]byte(os.Getenv(jobVariable)), &j); err != nil {
		return fmt.Errorf("%s is for ringo bench alone: %w", workerFlag, err)
	}
	m := &meter{job: &j, hists: make([]measure.Histogram, j.Depth)}
	stop := m.watch(stdout)
	err := m.path()
	seconds := time.Since(m.begin).Seconds()
	stop()
	if err != nil {
		return err
	}
	var all measure.Histogram
	for i := range m.hists {
		all.Merge(&m.hists[i])
	}
	return json.NewEncoder(stdout).Encode(result{Ops: m.ops.Load(), Seconds: seconds, P50: all.Quantile(0.5),
		P99: all.Quantile(0.99), Threads: m.threads, Note: m.note})
}

// meter runs a job and counts.
type meter struct {
	job     *job
	begin   time.Time // when the file had been opened
	ops     atomic.Int64
	next    atomic.Int64 // block, in sequential order
	hists   []measure.Histogram
	threads int
	note    string
}

// watch writes the progress to stdout, and notes the largest number of threads, until stop.
func (m *meter) watch(stdout io.Writer) (stop func()) {
	done, ended := make(chan struct{}), make(chan struct{})
	tick := time.NewTicker(max(m.job.Time/10, 5*time.Millisecond))
	go func() {
		defer close(ended)
		defer tick.Stop()
		for {
			m.threads = max(m.threads, threads())
			select {
			case <-done:
				return
			case <-tick.C:
				fmt.Fprintln(stdout, m.ops.Load())
			}
		}
	}()
	return func() { close(done); <-ended }
}

// threads returns how many threads the process has. Those of the kernel for io_uring count.
func threads() (n int) {
	status, _ := os.ReadFile("/proc/self/status")
	for line := range strings.Lines(string(status)) {
		if _, err := fmt.Sscanf(line, "Threads: %d", &n); err == nil {
			return n
		}
	}
	return 0
}

// path runs the job in the way that its path names.
func (m *meter) path() error {
	switch m.job.Path {
	case "os":
		return m.goroutines(func(name string, flag int) (blockFile, error) { return os.OpenFile(name, flag, 0) })
	case "goroutine":
		return m.goroutines(openBlocks)
	case "task":
		return m.tasks("uring")
	case "offload":
		return m.tasks("epoll")
	}
	return fmt.Errorf("no path %q", m.job.Path)
}

func openBlocks(name string, flag int) (blockFile, error) { return file.OpenFile(name, flag, 0) }

func (m *meter) flag() int {
	flag := os.O_RDONLY
	if m.job.Write {
		flag = os.O_RDWR
	}
	if m.job.Direct {
		flag |= file.Direct
	}
	return flag
}

func (m *meter) goroutines(open func(name string, flag int) (blockFile, error)) error {
	f, err := open(m.job.File, m.flag())
	if err != nil {
		return err
	}
	m.begin = time.Now()
	errs := make([]error, m.job.Depth)
	var ends sync.WaitGroup
	for i := range errs {
		ends.Go(func() { errs[i] = m.caller(f, i) })
	}
	ends.Wait()
	return errors.Join(errors.Join(errs...), f.Close())
}

func (m *meter) tasks(driver string) error {
	return ringo.Run(context.Background(), &ringo.Config{Driver: driver, Loops: 1}, func(l *ringo.Loop) error {
		if got := l.Info().Name; got != driver {
			m.note = "on " + got // RINGO_DRIVER is set
		}
		f, err := openBlocks(m.job.File, m.flag())
		if err != nil {
			return err
		}
		m.begin = time.Now()
		g := ringo.NewGroup(l)
		for i := range m.job.Depth {
			g.Go(func() error { return m.caller(f, i) })
		}
		return errors.Join(g.Wait(), f.Close())
	})
}

// caller reads or writes one block after the other until the time is over.
func (m *meter) caller(f blockFile, i int) error {
	j := m.job
	p := buf.Aligned(int(j.Block), 4096)
	for k := range p {
		p[k] = byte(k*7 + i)
	}
	move := f.ReadAt
	if j.Write {
		move = f.WriteAt
	}
	random := rand.New(rand.NewPCG(uint64(i), 1))
	for now, end := time.Now(), m.begin.Add(j.Time); ; {
		block := m.next.Add(1) % j.Blocks
		if j.Random {
			block = random.Int64N(j.Blocks)
		}
		if _, err := move(p, block*int64(j.Block)); err != nil {
			return err
		}
		before := now
		now = time.Now()
		m.hists[i].Record(now.Sub(before))
		m.ops.Add(1)
		if !now.Before(end) {
			return nil
		}
	}
}
