package logstore

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"os"

	"ringo"
	"ringo/buf"
	"ringo/file"
)

const (
	magic, logMax = "ringolog", 1 << 30
	// head is the length of a record before its key; records begin at multiples of align, and batches at multiples of
	// block
	head, align, block = 20, 8, 4096
)

var castagnoli, le = crc32.MakeTable(crc32.Castagnoli), binary.LittleEndian

// Open opens the store in an existing directory that no other store uses. A task parks.
func Open(dir string, cfg *Config) (*Store, error) {
	d, err := file.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	return OpenFS(folder{d}, cfg)
}

// OpenFS is Open for any file system. It recovers the store: all records whose Append returned are there, and some of
// those that were being written may be. The Store closes fsys, also if OpenFS fails. A DamageError means that records
// were lost in another way than by a crash; the log is left as it was. A task parks.
func OpenFS(fsys FS, cfg *Config) (*Store, error) {
	s := &Store{fs: fsys, index: map[string]span{}, more: ringo.NewChan[struct{}](1), over: ringo.NewChan[struct{}](0)}
	s.free.New = func() any { return &entry{wake: ringo.NewChan[bool](1)} }
	err := s.cfg.set(cfg)
	if err == nil {
		s.buf = buf.Aligned(2*s.cfg.Batch+2*block, block)
		err = s.recover()
	}
	if err != nil {
		s.closeAll()
		return nil, err
	}
	go s.commit()
	return s, nil
}

// create makes the log under another name, and gives it its own once it is complete.
func (s *Store) create() error {
	f, _, err := openDirect(s.fs, "new", os.O_RDWR|os.O_CREATE|os.O_TRUNC)
	if err != nil {
		return err
	}
	err = writeSync(f, append(s.buf[:0], first(rand.Uint64())...), 0)
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return s.fs.Rename("new", "log")
}

// recover reads the log into the index, cuts off its torn end, and makes the rest durable.
func (s *Store) recover() (err error) {
	if s.in, err = s.fs.OpenFile("log", os.O_RDWR, 0); errors.Is(err, os.ErrNotExist) {
		if err = s.create(); err == nil {
			s.in, err = s.fs.OpenFile("log", os.O_RDWR, 0)
		}
	}
	if err != nil {
		return err
	}
	data, err := io.ReadAll(io.NewSectionReader(s.in, 0, logMax+1))
	if err == nil && len(data) > logMax {
		err = ErrLogFull
	}
	if err != nil {
		return fmt.Errorf("logstore: reading the log: %w", err)
	}
	batch := s.scan(data)
	if s.end < block || later(data[s.end:], s.salt, s.end) {
		return DamageError(s.end)
	}
	if err := s.in.Truncate(s.end); err != nil {
		return err
	}
	if s.out, s.direct, err = openDirect(s.fs, "log", os.O_RDWR); err != nil {
		return err
	}
	// If a sync failed before, the kernel may no longer consider the last batch's pages dirty. So write it again.
	last := pad(append(buf.Aligned(int(s.end-batch)+2*block, block)[:0], data[batch:s.end]...), s.salt, batch)
	if err := writeSync(s.out, last, batch); err != nil {
		return err
	}
	s.end = batch + int64(len(last))
	return s.fs.Sync() // the name may not be durable, new or old
}

// scan adds records to the index, up to the first that can't be read, and returns where the last batch begins.
func (s *Store) scan(data []byte) (batch int64) {
	size, key, salt, _ := decode(data, 0, 0)
	if size != block || string(key) != magic {
		return 0
	}
	s.salt, s.end, batch = le.Uint64(salt), block, block
	for {
		size, key, _, first := decode(data[s.end:], s.salt, s.end)
		if size == 0 || first < block {
			return batch
		}
		if len(key) > 0 {
			s.index[string(key)] = span{s.end, int64(size)}
		}
		s.end, batch = s.end+int64(size), first
	}
}

// later reports whether b, whose first record can't be read, has a record that was written after that one was synced.
func later(b []byte, salt uint64, at int64) bool {
	for i := align; i < len(b); i += align {
		if size, _, _, first := decode(b[i:], salt, at+int64(i)); size > 0 && first > at {
			return true
		}
	}
	return false
}

// encode appends a record, without the fields that depend on its place.
func encode(b []byte, key string, value []byte) []byte {
	size := (head + len(key) + len(value) + align - 1) &^ (align - 1)
	b = append(b, make([]byte, size)...)
	r := b[len(b)-size:]
	le.PutUint32(r[8:], uint32(len(key)))
	le.PutUint32(r[12:], uint32(len(value)))
	copy(r[head+copy(r[head:], key):], value)
	return b
}

// place completes a record for its offset in the log and in its batch.
func place(r []byte, salt uint64, at, inBatch int64) []byte {
	le.PutUint32(r[16:], uint32(inBatch))
	le.PutUint32(r[4:], checksum(r[head:], salt, at))
	le.PutUint32(r, checksum(r[4:head], salt, at))
	return r
}

// pad fills b up to a block with a record without a key. The first byte of b begins its batch, at offset at of the
// log.
func pad(b []byte, salt uint64, at int64) []byte {
	n := int64(len(b))
	gap := padding(n)
	if gap == 0 {
		return b
	}
	b = encode(b, "", make([]byte, gap-head))
	place(b[n:], salt, at+n, n)
	return b
}

// padding returns the length of that record after n bytes.
func padding(n int64) int64 {
	gap := -n & (block - 1)
	if 0 < gap && gap < head {
		gap += block
	}
	return gap
}

// first returns the record with which a log begins.
func first(salt uint64) []byte {
	return place(encode(nil, magic, append(le.AppendUint64(nil, salt), make([]byte, block-head-len(magic)-8)...)), 0, 0,
		0)
}

// checksum returns the checksum of a part of the record at this offset.
func checksum(part []byte, salt uint64, at int64) uint32 {
	place := le.AppendUint64(le.AppendUint64(make([]byte, 0, 16), salt), uint64(at))
	return crc32.Update(crc32.Checksum(place, castagnoli), castagnoli, part)
}

// decode returns the record that b begins with, at offset at of the log, and where its batch begins. size is 0 if
// there is no record. The head has a checksum of its own, which usually shows that, so that decode need not read far.
func decode(b []byte, salt uint64, at int64) (size int, key, value []byte, batch int64) {
	if len(b) < head || le.Uint32(b) != checksum(b[4:head], salt, at) {
		return 0, nil, nil, 0
	}
	k, v := int64(le.Uint32(b[8:])), int64(le.Uint32(b[12:]))
	n := (head + k + v + align - 1) &^ (align - 1)
	if n > int64(len(b)) || le.Uint32(b[4:]) != checksum(b[head:n], salt, at) {
		return 0, nil, nil, 0
	}
	return int(n), b[head : head+k], b[head+k : head+k+v], at - int64(le.Uint32(b[16:]))
}
