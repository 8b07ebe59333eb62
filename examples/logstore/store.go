package logstore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"sync"

	"ringo"
)

// Errors of a Store.
var (
	ErrClosed   = errors.New("logstore: the store is closed")
	ErrFull     = errors.New("logstore: as many records wait as Config.Queue lets")
	ErrInDoubt  = errors.New("logstore: the wait ended while the record was being written, and it may be in the log or not")
	ErrNotFound = fmt.Errorf("logstore: no such key: %w", fs.ErrNotExist)
)

// A DamageError is a place in the log that once was whole and is not any more.
type DamageError struct {
	Segment string // name of the file
	Offset  int64  // in the file, of the first record that can't be read
}

func (e *DamageError) Error() string {
	return fmt.Sprintf("logstore: %s is damaged at offset %d", e.Segment, e.Offset)
}

const (
	segmentMax = 1 << 30
	batchMax   = 16 << 20
)

// Config is how a Store works. Zero fields mean the default.
type Config struct {
	Segment int64 // bytes after which a new segment begins; 64 MiB, at most 1 GiB
	Batch   int   // bytes that are written and synced together, and the longest record; 1 MiB, at most 16 MiB
	Queue   int   // records that may wait for their batch before Append gives ErrFull; 1024
}

func (c *Config) complete() (full Config, err error) {
	if c != nil {
		full = *c
	}
	full = Config{cmp.Or(full.Segment, 64<<20), cmp.Or(full.Batch, 1<<20), cmp.Or(full.Queue, 1024)}
	if full.Segment < 1 || full.Segment > segmentMax || full.Batch < headSize || full.Batch > batchMax || full.Queue < 1 {
		err = fmt.Errorf("logstore: Config%+v: want 1 to %d bytes in a Segment, %d to %d in a Batch, and a Queue of 1 or more", full, segmentMax, headSize, batchMax)
	}
	return full, err
}

// A Store is an open log. Any number of tasks and goroutines may use it at once. Open makes it.
type Store struct {
	fs   FS
	cfg  Config
	more chan struct{}         // wakes the committer; room for the one word that there is
	over *ringo.Chan[struct{}] // closed at the committer's end
	free sync.Pool             // of *entry

	mu     sync.Mutex // held for a few stores, and never while anybody waits
	err    error      // set once: what ended the store
	closed error      // what closing the files gave
	queue  []*entry   // those who wait for the next batch, in order
	index  map[string]span

	segments []*segment // in order, of which the last one grows; these are the committer's
	end      int64      // of the log
	buf      []byte
}

type segment struct {
	File
	base int64
	salt uint64
}

// span is where a record is in the log.
type span struct {
	in   *segment
	at   int64
	size int
}

// entry is a record whose caller waits.
type entry struct {
	key   string
	rec   []byte
	state int               // under Store.mu
	span  span              // of one that is done
	err   error             // likewise
	wake  *ringo.Chan[bool] // says that it is done, or that the context ended; room for one word
}

// An entry's states.
const (
	queued = iota
	taken  // the committer has it
	done
)

// Append adds a record and returns when it is durable: with its offset in the log, after which Get finds it. Of several
// records with a key the last one counts. ctx and the cancel of the calling task end the wait: with ErrInDoubt if the
// record was on its way to the disk, and otherwise it is in the log neither now nor later. Any goroutine may call it; a
// task parks.
func (s *Store) Append(ctx context.Context, key string, value []byte) (int64, error) {
	if key == "" || recordHead+align+uint64(len(key))+uint64(len(value)) > uint64(s.cfg.Batch) {
		return 0, fmt.Errorf("logstore: a key of %d bytes with a value of %d: want a key, and a record of at most %d bytes, its head of %d included", len(key), len(value), s.cfg.Batch, recordHead)
	}
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	e, _ := s.free.Get().(*entry)
	if e == nil {
		e = &entry{wake: ringo.NewChan[bool](1)}
	}
	e.key, e.rec, e.state, e.err = key, encode(e.rec[:0], key, value), queued, nil
	if err := s.enqueue(e); err != nil {
		return 0, err
	}
	stop := func() bool { return true }
	if ctx.Done() != nil {
		stop = context.AfterFunc(ctx, func() { e.wake.TrySend(true) })
	}
	_, err := e.wake.Recv()
	if alone := stop(); err == nil && alone { // so it was the committer's word, which was its last
		at, err := e.span.at, e.err
		s.free.Put(e)
		return at, err
	}
	return s.leave(e, cmp.Or(err, ctx.Err()))
}

// leave is for a caller whose wait was ended by something else.
func (s *Store) leave(e *entry, why error) (int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch e.state {
	case queued:
		i := slices.Index(s.queue, e)
		s.queue = slices.Delete(s.queue, i, i+1)
		return 0, why
	case taken:
		return 0, fmt.Errorf("%w: %w", ErrInDoubt, why)
	}
	return e.span.at, e.err
}

func (s *Store) enqueue(e *entry) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil && len(s.queue) >= s.cfg.Queue {
		return ErrFull
	}
	if s.err != nil {
		return s.err
	}
	s.queue = append(s.queue, e)
	s.tell()
	return nil
}

// tell wakes the committer.
func (s *Store) tell() {
	select {
	case s.more <- struct{}{}:
	default: // it has been told already
	}
}

// Get gives the value that was last appended with this key, or ErrNotFound. Any goroutine may call it; a task parks.
func (s *Store) Get(key string) ([]byte, error) {
	s.mu.Lock()
	span, ok := s.index[key]
	err := s.err
	s.mu.Unlock()
	if err != nil || !ok {
		return nil, cmp.Or(err, ErrNotFound)
	}
	in := span.in
	b := make([]byte, span.size)
	if _, err := in.ReadAt(b, span.at-in.base); err != nil {
		return nil, err
	}
	size, k, v, _ := decode(b, in.salt, span.at)
	if size != span.size || string(k) != key {
		return nil, &DamageError{name(in.base), span.at - in.base}
	}
	return v, nil
}

// Close writes what still waits, and closes the files. The error is what ended the store before, or what closing gave.
// Any goroutine may call it, and again; a task parks, and if it is cancelled the store closes behind its back.
func (s *Store) Close() error {
	s.mu.Lock()
	s.err = cmp.Or(s.err, ErrClosed)
	s.mu.Unlock()
	s.tell()
	if _, err := s.over.Recv(); !errors.Is(err, ringo.ErrClosed) {
		return err // of the waiting task
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != ErrClosed {
		return s.err
	}
	return s.closed
}
