package bench

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"time"

	"ringo"
	"ringo/buf"
	"ringo/file"
	"ringo/internal/measure"
)

// fileQuestion asks the child that uses files to measure one window.
type fileQuestion struct {
	Kind string // read, direct, append
	Name string // of the file to read, or to make and append to
	For  time.Duration
}

const (
	blockBytes  = 4096
	recordBytes = 256
	fileBlocks  = 4096 // in the file that is read
)

// callers is how many operations run at once, by kind.
var callers = map[string]int{cellRead: 4, cellDirect: 32, cellAppend: 1}

// fillBlock fills p with the contents of block n of the file.
func fillBlock(p []byte, n int64) {
	for i := 0; i < len(p); i += 8 {
		binary.LittleEndian.PutUint64(p[i:], uint64(n)*0x9e3779b97f4a7c15+uint64(i))
	}
}

// makeBlocks makes the file that is read.
func makeBlocks(name string) error {
	p := make([]byte, 0, fileBlocks*blockBytes)
	for n := range int64(fileBlocks) {
		p = p[:len(p)+blockBytes]
		fillBlock(p[len(p)-blockBytes:], n)
	}
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(p)
	return errors.Join(err, f.Sync(), f.Close())
}

// anyFile is what is used here of the files of package os and of package file.
type anyFile interface {
	io.ReaderAt
	io.Writer
	io.Closer
	Sync() error
}

// files is the child that uses files: on goroutines by package os or by package file, or in tasks of a driver.
func (s *childConfig) files(up *pipe) error {
	openOS := func(name string, flag int) (anyFile, error) { return os.OpenFile(name, flag, 0o600) }
	openFile := func(name string, flag int) (anyFile, error) { return file.OpenFile(name, flag, 0o600) }
	switch s.On {
	case rowOS:
		up.ready(childAddress{})
		return answers(up, func(q fileQuestion) (Sample, error) { return q.window(onGoroutines, openOS) })
	case rowFile:
		up.ready(childAddress{})
		return answers(up, func(q fileQuestion) (Sample, error) { return q.window(onGoroutines, openFile) })
	}
	return s.withLoops(func(loops []*ringo.Loop) error {
		up.ready(childAddress{Driver: loops[0].Info().Name})
		return answers(up, func(q fileQuestion) (Sample, error) { return q.window(onLoops(loops), openFile) })
	})
}

// onGoroutines is a crew of goroutines.
func onGoroutines(n int, work func(*ringo.Loop, int) error) error {
	errs := make([]error, n)
	var ends sync.WaitGroup
	for i := range n {
		ends.Go(func() { errs[i] = work(nil, i) })
	}
	ends.Wait()
	return errors.Join(errs...)
}

// window measures one window: it opens the file, uses it from as many callers as the kind has, and closes it.
func (q *fileQuestion) window(all crew, open func(name string, flag int) (anyFile, error)) (out Sample, err error) {
	flag := os.O_RDONLY
	switch q.Kind {
	case cellDirect:
		flag |= file.Direct
	case cellAppend:
		flag = os.O_WRONLY | os.O_APPEND | os.O_CREATE | os.O_EXCL
	}
	var f anyFile
	if err := all(1, func(*ringo.Loop, int) (err error) { f, err = open(q.Name, flag); return err }); err != nil {
		return out, err
	}
	if q.Kind == cellAppend {
		defer os.Remove(q.Name)
	}
	defer func() {
		err = errors.Join(err, all(1, func(*ringo.Loop, int) error { return f.Close() }))
	}()
	n := callers[q.Kind]
	times := make([]measure.Histogram, n)
	before, err := cpuAsleep(os.Getpid())
	if err != nil {
		return out, err
	}
	begin := time.Now()
	if err := all(n, func(_ *ringo.Loop, i int) error {
		if q.Kind == cellAppend {
			return q.append(f, begin, &times[i])
		}
		return q.read(f, begin, uint64(i), &times[i])
	}); err != nil {
		return out, err
	}
	out.Seconds = time.Since(begin).Seconds()
	after, err := cpuAsleep(os.Getpid())
	out.count(times, after-before)
	if err == nil && q.Kind == cellAppend {
		err = checkRecords(q.Name, out.Done)
	}
	return out, err
}

// read reads blocks at random until the window is over. It compares both ends of each block, and the whole of each
// 64th, since comparing takes time, too.
func (q *fileQuestion) read(f anyFile, begin time.Time, seed uint64, times *measure.Histogram) error {
	p, want := buf.Aligned(blockBytes, blockBytes), make([]byte, blockBytes)
	random := rand.New(rand.NewPCG(seed, uint64(begin.UnixNano())))
	for k, now := 0, time.Since(begin); k == 0 || now < q.For; k++ {
		block := random.Int64N(fileBlocks)
		if _, err := f.ReadAt(p, block*blockBytes); err != nil {
			return err
		}
		before := now
		now = time.Since(begin)
		times.Record(now - before)
		first, last := want[:8], want[blockBytes-8:]
		binary.LittleEndian.PutUint64(first, uint64(block)*0x9e3779b97f4a7c15)
		binary.LittleEndian.PutUint64(last, uint64(block)*0x9e3779b97f4a7c15+blockBytes-8)
		if k%64 == 0 {
			fillBlock(want, block)
			first = want
		}
		if !bytes.Equal(p[:len(first)], first) || !bytes.Equal(p[blockBytes-8:], last) {
			return fmt.Errorf("%s: block %d has wrong bytes", filepath.Base(q.Name), block)
		}
	}
	return nil
}

// append appends records, and syncs each before the next, until the window is over.
func (q *fileQuestion) append(f anyFile, begin time.Time, times *measure.Histogram) error {
	p := make([]byte, recordBytes)
	for n, now := int64(0), time.Since(begin); n == 0 || now < q.For; n++ {
		fillBlock(p, n)
		if _, err := f.Write(p); err != nil {
			return err
		}
		if err := f.Sync(); err != nil {
			return err
		}
		before := now
		now = time.Since(begin)
		times.Record(now - before)
	}
	return nil
}

// checkRecords checks that the file has the n records that were appended, and nothing else.
func checkRecords(name string, n int64) error {
	all, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	if int64(len(all)) != n*recordBytes {
		return fmt.Errorf("%d records were appended, and the file has %d bytes", n, len(all))
	}
	want := make([]byte, recordBytes)
	for i := range n {
		if fillBlock(want, i); !bytes.Equal(all[i*recordBytes:][:recordBytes], want) {
			return fmt.Errorf("record %d has wrong bytes", i)
		}
	}
	return nil
}
