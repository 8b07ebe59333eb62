package logstore

import (
	"bytes"
	"errors"
	"maps"
	"strings"
	"testing"
)

// logOf makes the bytes of a log that holds these records, batch by batch.
func logOf(salt uint64, batches ...[]string) []byte {
	b := first(salt)
	for _, keys := range batches {
		at := int64(len(b))
		b = append(b, pad(batchOf(salt, at, keys), salt, at)...)
	}
	return b
}

// batchOf makes the records of a batch that begins at this offset.
func batchOf(salt uint64, first int64, keys []string) (b []byte) {
	for _, key := range keys {
		n := int64(len(b))
		b = encode(b, key, valueOf(key))
		place(b[n:], salt, first+n, n)
	}
	return b
}

// stored makes a disk with such a log.
func stored(b []byte) *disk {
	d := newDisk()
	n := &node{name: "log", data: b, disk: b}
	d.names[n.name], d.kept[n.name] = n, n
	return d
}

// A broken place is the log's end only if nothing follows that was written later; else it is an error with its offset.
func TestDamage(t *testing.T) {
	one, two, three := []string{"0", "1"}, []string{"2", "3", "4"}, []string{"5"}
	whole := logOf(7, one, two, three)
	begin1, begin2, begin3, end := int64(block), int64(len(logOf(7, one))), int64(len(logOf(7, one, two))),
		int64(len(whole))
	at := func(begin int64, keys ...string) int64 { return begin + int64(len(batchOf(7, begin, keys))) }
	for _, c := range []struct {
		name    string
		broken  int64
		damaged int64 // offset of the error, or -1
		records int
	}{
		{"the first batch", at(begin1, "0"), at(begin1, "0"), 0},
		{"a batch in the middle", begin2, begin2, 0},
		{"the last record of a batch in the middle", at(begin2, "2", "3"), at(begin2, "2", "3"), 0},
		{"behind the records of a batch in the middle", begin3 - 1, at(begin2, "2", "3", "4"), 0},
		{"the last batch", begin3, -1, 5},
		{"behind the records of the last batch", end - 1, -1, 6},
		{"the head", 20, 0, 0},
		{"nothing", -1, -1, 6},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := bytes.Clone(whole)
			if c.broken >= 0 {
				b[c.broken] ^= 0x40
			}
			d := stored(b)
			s, err := OpenFS(d, nil)
			if c.damaged < 0 {
				if err != nil || len(s.index) != c.records {
					t.Fatalf("Open: %v, %d records; want %d", err, len(s.index), c.records)
				}
				s.Close()
				return
			}
			damage := DamageError(-1)
			if !errors.As(err, &damage) || damage != DamageError(c.damaged) {
				t.Fatalf("Open: %v; want damage at %d", err, c.damaged)
			}
			if !bytes.Equal(d.names["log"].data, b) {
				t.Error("Open changed a damaged log")
			}
		})
	}
}

// What a torn batch leaves is cut off, so that no record of it comes back where a later batch ends.
func TestTornEndIsCut(t *testing.T) {
	long := strings.Repeat("k", block-head)
	whole := logOf(7, []string{"0"}, []string{"1", long, "3"})
	b := bytes.Clone(whole)
	b[2*block] ^= 1 // the record "1"; "3" is whole
	d := stored(b)
	s, err := OpenFS(d, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(s.index) != 1 || s.end != 2*block || len(d.names["log"].data) != 2*block {
		t.Errorf("%d records, the log ends at %d, the file at %d; want 1, and the end at %d", len(s.index), s.end,
			len(d.names["log"].data), 2*block)
	}
	s.Close()
}

// Whatever is in the files, recovery ends, gives records that can be read, and gives the same ones again.
func FuzzRecovery(f *testing.F) {
	two := logOf(0, []string{"0", "1"}, []string{"2", "3"})
	f.Add([]byte{}, true)
	f.Add(two[block:], true)
	f.Add(two, false)
	f.Add(two[:len(two)-3], false)
	f.Fuzz(func(t *testing.T, b []byte, headed bool) {
		if headed {
			b = append(first(0), b...)
		}
		d := stored(b)
		s, err := OpenFS(d, nil)
		if err != nil {
			if d.open != 0 {
				t.Fatalf("Open failed and left %d files open", d.open)
			}
			return
		}
		for key := range s.index {
			if _, err := s.Get(key); err != nil {
				t.Fatalf("Get(%q) of a key that recovery found: %v", key, err)
			}
		}
		s.Close()
		again, err := OpenFS(d, nil)
		if err != nil {
			t.Fatalf("Open works once, and then: %v", err)
		}
		defer again.Close()
		if !maps.Equal(s.index, again.index) {
			t.Fatal("recovery finds something else the second time")
		}
	})
}
