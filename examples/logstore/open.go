package logstore

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"ringo"
)

const (
	suffix  = ".log"
	unborn  = "new" // a segment that has no name yet
	baseMax = 1 << 62
)

// name is that of the segment which begins at this offset of the log.
func name(base int64) string { return fmt.Sprintf("%016x"+suffix, base) }

// OpenFS opens the store in a folder that no other store uses, and brings it back to where it was: all records whose
// Append returned are there, and of those that were on their way some may be. The Store closes fsys, also when opening
// fails. A *DamageError says that records were lost otherwise; the files are as they were then.
func OpenFS(fsys FS, cfg *Config) (*Store, error) {
	s := &Store{fs: fsys, more: make(chan struct{}, 1), over: ringo.NewChan[struct{}](0), index: map[string]span{}}
	err := s.recover(cfg)
	if err != nil {
		s.closeAll()
		return nil, err
	}
	go s.commit()
	return s, nil
}

func (s *Store) recover(cfg *Config) (err error) {
	if s.cfg, err = cfg.complete(); err != nil {
		return err
	}
	bases, err := s.bases()
	if err != nil {
		return err
	}
	if len(bases) == 0 {
		return s.roll()
	}
	prev := int64(0)
	for i, base := range bases {
		if base != s.end {
			return &DamageError{name(prev), s.end - prev}
		}
		if err := s.load(base, i == len(bases)-1); err != nil {
			return err
		}
		prev = base
	}
	return s.fs.Sync() // a name that is seen may not be durable
}

// bases lists the segments, by where they begin.
func (s *Store) bases() (bases []int64, err error) {
	names, err := s.fs.Names()
	for _, n := range names {
		if digits, ok := strings.CutSuffix(n, suffix); ok {
			base, err := strconv.ParseInt(digits, 16, 64)
			if err != nil || n != name(base) || base < 0 || base > baseMax {
				return nil, fmt.Errorf("logstore: %q is no segment of a log, and stands among them", n)
			}
			bases = append(bases, base)
		}
	}
	slices.Sort(bases)
	return bases, err
}

// load reads a segment into the index. Only the last one may have a torn end.
func (s *Store) load(base int64, last bool) error {
	f, err := s.fs.OpenFile(name(base), os.O_RDWR, 0)
	if err != nil {
		return err
	}
	in := &segment{File: f, base: base}
	s.segments = append(s.segments, in)
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if info.Size() > segmentMax+batchMax {
		return fmt.Errorf("logstore: %s has %d bytes, more than a segment ever has (%d)", name(base), info.Size(), segmentMax+batchMax)
	}
	data := make([]byte, info.Size())
	if n, err := f.ReadAt(data, 0); n < len(data) {
		return fmt.Errorf("logstore: reading %s: %w", name(base), err)
	}
	whole, batch := s.scan(data, in)
	s.end = base + int64(whole)
	if whole < headSize || whole < len(data) && (!last || later(data[whole:], in.salt, s.end)) {
		return &DamageError{name(base), int64(whole)}
	}
	if last {
		return settle(f, data[:whole], batch, len(data))
	}
	return nil
}

// scan puts the records of a segment into the index, up to the first that can't be read. It gives where that is, and
// where the last batch begins.
func (s *Store) scan(data []byte, in *segment) (whole, batch int) {
	whole, key, salt, _ := decode(data, 0, in.base)
	if whole != headSize || string(key) != magic {
		return 0, 0
	}
	in.salt, batch = le.Uint64(salt), whole
	for {
		at := in.base + int64(whole)
		size, key, _, first := decode(data[whole:], in.salt, at)
		if size == 0 || first < in.base+headSize {
			return whole, batch
		}
		s.index[string(key)] = span{in, at, size}
		whole, batch = whole+size, int(first-in.base)
	}
}

// later tells whether b, of which the first record can't be read, has one that was written after that had been synced.
func later(b []byte, salt uint64, at int64) bool {
	for i := align; i < len(b); i += align {
		if size, _, _, first := decode(b[i:], salt, at+int64(i)); size > 0 && first > at {
			return true
		}
	}
	return false
}

// settle makes what was found durable: it cuts off the torn end and writes the last batch again, since a sync that
// failed before may have dropped it from memory's list of what to write.
func settle(f File, whole []byte, batch, size int) error {
	if len(whole) < size {
		if err := f.Truncate(int64(len(whole))); err != nil {
			return err
		}
	}
	return writeSync(f, whole[batch:], int64(batch))
}
