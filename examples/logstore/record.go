package logstore

import (
	"encoding/binary"
	"hash/crc32"
	"slices"
)

const (
	magic      = "ringolog"
	recordHead = 16
	headSize   = recordHead + 8 + 8 // of a segment's first record: magic and salt
	align      = 8
)

var (
	castagnoli = crc32.MakeTable(crc32.Castagnoli)
	le         = binary.LittleEndian
)

// encode appends a record without what depends on its place.
func encode(b []byte, key string, value []byte) []byte {
	size := (recordHead + len(key) + len(value) + align - 1) &^ (align - 1)
	b = slices.Grow(b, size)[:len(b)+size]
	r := b[len(b)-size:]
	clear(r[size-align:])
	le.PutUint32(r[4:], uint32(len(key)))
	le.PutUint32(r[8:], uint32(len(value)))
	copy(r[recordHead+copy(r[recordHead:], key):], value)
	return b
}

// place completes a record for its offset in the log and in its batch.
func place(r []byte, salt uint64, at, inBatch int64) []byte {
	le.PutUint32(r[12:], uint32(inBatch))
	le.PutUint32(r, checksum(r, salt, at))
	return r
}

func checksum(r []byte, salt uint64, at int64) uint32 {
	var seed [16]byte
	le.PutUint64(seed[:], salt)
	le.PutUint64(seed[8:], uint64(at))
	return crc32.Update(crc32.Checksum(seed[:], castagnoli), castagnoli, r[4:])
}

// decode gives the record that b begins with, at this offset in the log. size is 0 if there is none; first is the offset
// of its batch.
func decode(b []byte, salt uint64, at int64) (size int, key, value []byte, first int64) {
	if len(b) < recordHead {
		return 0, nil, nil, 0
	}
	k, v := int64(le.Uint32(b[4:])), int64(le.Uint32(b[8:]))
	n := (recordHead + k + v + align - 1) &^ (align - 1)
	if n > int64(len(b)) || le.Uint32(b) != checksum(b[:n], salt, at) {
		return 0, nil, nil, 0
	}
	return int(n), b[recordHead : recordHead+k], b[recordHead+k : recordHead+k+v], at - int64(le.Uint32(b[12:]))
}
