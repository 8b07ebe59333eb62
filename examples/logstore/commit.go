package logstore

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
)

// commit is the committer, a goroutine: it writes batch after batch until the store ends.
func (s *Store) commit() {
	var batch []*entry
	for {
		runtime.Gosched() // those whom the last batch woke have a chance to be in the next
		if batch = s.take(batch[:0]); len(batch) == 0 {
			break
		}
		s.finish(batch, s.write(batch))
	}
	s.closed = s.closeAll()
	s.over.Close()
}

// take waits for entries and takes as many as one batch may have; none when the store has ended.
func (s *Store) take(batch []*entry) []*entry {
	for {
		s.mu.Lock()
		for size := 0; len(batch) < len(s.queue); {
			e := s.queue[len(batch)]
			if size += len(e.rec); size > s.cfg.Batch {
				break
			}
			e.state = taken
			batch = append(batch, e)
		}
		s.queue = append(s.queue[:0], s.queue[len(batch):]...)
		over := s.err != nil
		s.mu.Unlock()
		if len(batch) > 0 || over {
			return batch
		}
		<-s.more
	}
}

// write makes a batch durable. All of it is in one segment.
func (s *Store) write(batch []*entry) error {
	size := int64(0)
	for _, e := range batch {
		size += int64(len(e.rec))
	}
	in := s.segments[len(s.segments)-1]
	if s.end > in.base+headSize && s.end+size > in.base+s.cfg.Segment {
		if err := s.roll(); err != nil {
			return fmt.Errorf("logstore: beginning a segment: %w", err)
		}
		in = s.segments[len(s.segments)-1]
	}
	s.buf = s.buf[:0]
	for _, e := range batch {
		e.span = span{in, s.end + int64(len(s.buf)), len(e.rec)}
		place(e.rec, in.salt, e.span.at, e.span.at-s.end)
		s.buf = append(s.buf, e.rec...)
	}
	if err := writeSync(in, s.buf, s.end-in.base); err != nil {
		return fmt.Errorf("logstore: writing a batch: %w", err)
	}
	s.end += size
	return nil
}

// finish tells the callers, and those in line too if the store ends with this.
func (s *Store) finish(batch []*entry, err error) {
	s.mu.Lock()
	if err != nil {
		s.err, batch, s.queue = err, append(batch, s.queue...), nil
	}
	for _, e := range batch {
		if e.state, e.err = done, err; err == nil {
			s.index[e.key] = e.span
		}
	}
	s.mu.Unlock()
	for _, e := range batch {
		e.wake.TrySend(true)
	}
}

// roll begins a segment. It has its name only once it is whole.
func (s *Store) roll() error {
	f, err := s.fs.OpenFile(unborn, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o666)
	if err != nil {
		return err
	}
	in := &segment{f, s.end, rand.Uint64()}
	s.segments = append(s.segments, in)
	if err := writeSync(f, place(encode(nil, magic, le.AppendUint64(nil, in.salt)), 0, in.base, 0), 0); err != nil {
		return err
	}
	if err := s.fs.Rename(unborn, name(in.base)); err != nil {
		return err
	}
	s.end += headSize
	return s.fs.Sync()
}

func writeSync(f File, b []byte, at int64) error {
	if _, err := f.WriteAt(b, at); err != nil {
		return err
	}
	return f.Datasync()
}

func (s *Store) closeAll() error {
	errs := []error{s.fs.Close()}
	for _, seg := range s.segments {
		errs = append(errs, seg.Close())
	}
	return errors.Join(errs...)
}
