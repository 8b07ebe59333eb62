package logstore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"runtime"
	"slices"
	"sync"

	"ringo"
)

// Errors of a Store.
var (
	ErrClosed  = errors.New("logstore: the store is closed")
	ErrFull    = errors.New("logstore: as many records wait as Config.Queue lets")
	ErrLogFull = errors.New("logstore: the record would make the log longer than it may be, 1 GiB")
	ErrInDoubt = errors.New("logstore: the wait ended while the record was being written, and it may be in the log " +
		"or not")
	ErrNotFound = fmt.Errorf("logstore: no such key: %w", fs.ErrNotExist)
)

// DamageError is the offset in the log of a record that was whole once and is not any more.
type DamageError int64

func (e DamageError) Error() string {
	return fmt.Sprintf("logstore: the log is damaged at offset %d", int64(e))
}

// Config configures a Store. Zero fields mean the defaults.
type Config struct {
	Batch int // bytes written and synced together, and the longest record; default 1 MiB; 64 bytes to 16 MiB
	Queue int // records that may wait for their batch before Append fails with ErrFull; default 1024
}

func (c *Config) set(from *Config) error {
	*c = *cmp.Or(from, c)
	c.Batch, c.Queue = cmp.Or(c.Batch, 1<<20), cmp.Or(c.Queue, 1024)
	if c.Batch < 64 || c.Batch > 16<<20 || c.Queue < 1 {
		return fmt.Errorf("logstore: Config%+v: want a Batch of 64 bytes to 16 MiB, and a Queue of 1 or more", *c)
	}
	return nil
}

// A Store is an open log. Any number of tasks and goroutines may use it at once. Open makes one.
type Store struct {
	fs         FS
	cfg        Config
	salt       uint64
	in, out    File                  // the log, for reading and for writing
	more, over *ringo.Chan[struct{}] // more wakes the committer, and holds one wake-up; over is closed at its end
	free       sync.Pool             // of *entry

	mu          sync.Mutex // held for a few lines, and never during a wait
	err, closed error      // set once: what ended the store; the error of closing the files
	queue       []*entry   // the callers that wait for the next batch, in order
	index       map[string]span

	end, zeros int64  // where the log and the zeros after it end; only the committer uses these and the fields below
	direct     bool   // writes go past the page cache
	buf        []byte // a batch, aligned, with room for as many zeros
}

// span is the place of a record in the log.
type span struct{ at, size int64 }

// entry is a record whose caller waits.
type entry struct {
	key         string
	rec         []byte
	taken, done bool              // under Store.mu: taken into a batch; finished
	span        span              // valid once done
	err         error             // likewise; the committer's before that
	wake        *ringo.Chan[bool] // the entry is done, or the context has ended; holds one wake-up
}

// Append adds a record and returns when it is durable: with its offset in the log. From then on Get finds it. Of
// several records with the same key the last one counts. ctx and the cancel of the calling task end the wait: with
// ErrInDoubt if the record was on its way to the disk; otherwise the record is not in the log, and will not be. Any
// goroutine may call it; a task parks.
func (s *Store) Append(ctx context.Context, key string, value []byte) (int64, error) {
	if key == "" || head+align+uint64(len(key))+uint64(len(value)) > uint64(s.cfg.Batch) {
		return 0, fmt.Errorf("logstore: a key of %d bytes with a value of %d: want a key, and a record of at most %d "+
			"bytes, with %d for its head", len(key), len(value), s.cfg.Batch, head+align)
	}
	e := s.free.Get().(*entry)
	e.key, e.rec, e.taken, e.done, e.err = key, encode(e.rec[:0], key, value), false, false, nil
	s.mu.Lock()
	err := cmp.Or(s.err, ctx.Err())
	if err == nil && len(s.queue) >= s.cfg.Queue {
		err = ErrFull
	} else if err == nil {
		s.queue = append(s.queue, e)
	}
	s.mu.Unlock()
	if err != nil {
		return 0, err
	}
	s.more.TrySend(struct{}{})
	stop := func() bool { return true }
	if ctx.Done() != nil {
		stop = context.AfterFunc(ctx, func() { e.wake.TrySend(true) })
	}
	_, err = e.wake.Recv()
	if alone := stop(); err == nil && alone { // the committer woke it, and is done with the entry
		defer s.free.Put(e)
		return e.span.at, e.err
	}
	return s.leave(e, cmp.Or(err, ctx.Err()))
}

// leave returns the result for a caller whose wait ended before the committer woke it, and removes its entry from the
// queue.
func (s *Store) leave(e *entry, why error) (int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case e.done:
		return e.span.at, e.err
	case e.taken:
		return 0, fmt.Errorf("%w: %w", ErrInDoubt, why)
	}
	s.queue = slices.DeleteFunc(s.queue, func(o *entry) bool { return o == e })
	return 0, why
}

// Get returns the value that was last appended with this key, or ErrNotFound. Any goroutine may call it; a task parks.
func (s *Store) Get(key string) ([]byte, error) {
	s.mu.Lock()
	span, ok := s.index[key]
	err := s.err
	s.mu.Unlock()
	if err != nil || !ok {
		return nil, cmp.Or(err, ErrNotFound)
	}
	b := make([]byte, span.size)
	if _, err := s.in.ReadAt(b, span.at); err != nil {
		return nil, err
	}
	size, k, v, _ := decode(b, s.salt, span.at)
	if int64(size) != span.size || string(k) != key {
		return nil, DamageError(span.at)
	}
	return v, nil
}

// Close writes the records that still wait, and closes the files. It returns the error that ended the store before, or
// that of closing. Any goroutine may call it, and more than once; a task parks. If the task is cancelled, Close
// returns at once and the store still closes.
func (s *Store) Close() error {
	s.mu.Lock()
	s.err = cmp.Or(s.err, ErrClosed)
	s.mu.Unlock()
	s.more.TrySend(struct{}{})
	if _, err := s.over.Recv(); !errors.Is(err, ringo.ErrClosed) {
		return err // the task was cancelled
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != ErrClosed {
		return s.err
	}
	return s.closed
}

// commit is the committer, a goroutine: it writes batch after batch until the store ends.
func (s *Store) commit() {
	for batch := s.take(); len(batch) > 0; batch = s.take() {
		s.finish(batch, s.write(batch))
		runtime.Gosched() // lets the callers that were woken append to the next batch
	}
	s.closed = s.closeAll()
	s.over.Close()
}

// take waits for entries and takes as many as one batch may have; none when the store has ended.
func (s *Store) take() (batch []*entry) {
	for {
		s.mu.Lock()
		for size := 0; len(batch) < len(s.queue); {
			e := s.queue[len(batch)]
			if size += len(e.rec); size > s.cfg.Batch {
				break
			}
			e.taken = true
			batch = append(batch, e)
		}
		s.queue = append(s.queue[:0], s.queue[len(batch):]...)
		over := s.err != nil
		s.mu.Unlock()
		if len(batch) > 0 || over {
			return batch
		}
		s.more.Recv()
	}
}

// write makes a batch durable. Records that do not fit into the log get an error of their own.
func (s *Store) write(batch []*entry) error {
	s.buf = s.buf[:0]
	for _, e := range batch {
		n, size := int64(len(s.buf)), int64(len(e.rec))
		if s.end+n+size+padding(n+size) > logMax {
			e.err = ErrLogFull
			continue
		}
		e.span = span{s.end + n, size}
		s.buf = append(s.buf, place(e.rec, s.salt, e.span.at, n)...)
	}
	if len(s.buf) == 0 {
		return nil
	}
	s.buf = pad(s.buf, s.salt, s.end)
	end := s.end + int64(len(s.buf))
	if s.direct && end > s.zeros { // a sync of what replaces zeros has no new size or blocks to make durable
		s.buf = append(s.buf, make([]byte, min(int64(s.cfg.Batch&^(block-1)), logMax-end))...)
		s.zeros = s.end + int64(len(s.buf))
	}
	if err := writeSync(s.out, s.buf, s.end); err != nil {
		return fmt.Errorf("logstore: writing a batch: %w", err)
	}
	s.end = end
	return nil
}

// finish wakes the callers of a batch, and if err ends the store also those in the queue.
func (s *Store) finish(batch []*entry, err error) {
	s.mu.Lock()
	if err != nil {
		s.err, batch, s.queue = err, append(batch, s.queue...), nil
	}
	for _, e := range batch {
		if e.done, e.err = true, cmp.Or(e.err, err); e.err == nil {
			s.index[e.key] = e.span
		}
	}
	s.mu.Unlock()
	for _, e := range batch {
		e.wake.TrySend(true)
	}
}

func (s *Store) closeAll() error {
	err := s.fs.Close()
	for _, f := range []File{s.in, s.out} {
		if f != nil {
			err = errors.Join(err, f.Close())
		}
	}
	return err
}
