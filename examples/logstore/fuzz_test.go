package logstore

import (
	"errors"
	"maps"
	"testing"
)

// log makes the bytes of a segment that holds these records, batch by batch.
func logOf(salt uint64, base int64, batches ...[]string) []byte {
	b := place(encode(nil, magic, le.AppendUint64(nil, salt)), 0, base, 0)
	for _, keys := range batches {
		begin := len(b)
		for _, key := range keys {
			at := len(b)
			b = encode(b, key, valueOf(key))
			place(b[at:], salt, base+int64(at), int64(at-begin))
		}
	}
	return b
}

// stored makes a disk with these segments.
func stored(segments map[int64][]byte) *disk {
	d := newDisk()
	for base, b := range segments {
		n := &node{name: name(base), data: b, disk: b}
		d.names[n.name], d.kept[n.name] = n, n
	}
	return d
}

// A broken place is the log's end only if nothing follows that was written later; else it is an error with its offset.
func TestDamage(t *testing.T) {
	first := logOf(7, 0, []string{"0", "1"}, []string{"2", "3", "4"}, []string{"5"})
	at := func(batches ...[]string) int64 { return int64(len(logOf(7, 0, batches...))) }
	whole := at([]string{"0", "1"}, []string{"2", "3", "4"}, []string{"5"})
	next := logOf(8, whole, []string{"6"})
	for _, c := range []struct {
		name    string
		broken  int64 // in the first segment
		next    bool  // there is a second one
		damaged int64 // offset of the error, or -1
		records int
	}{
		{"the first batch", at([]string{"0"}), false, at([]string{"0"}), 0},
		{"a batch in the middle", at([]string{"0", "1"}), false, at([]string{"0", "1"}), 0},
		{"the end of a batch in the middle", at([]string{"0", "1"}, []string{"2", "3", "4"}) - 1, false, at([]string{"0", "1"}, []string{"2", "3"}), 0},
		{"the last batch", whole - 1, false, -1, 5},
		{"the last batch of a segment that another follows", whole - 1, true, at([]string{"0", "1"}, []string{"2", "3", "4"}), 0},
		{"the header", 20, false, 0, 0},
		{"nothing", -1, true, -1, 7},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := append([]byte(nil), first...)
			if c.broken >= 0 {
				b[c.broken] ^= 0x40
			}
			segments := map[int64][]byte{0: b}
			if c.next {
				segments[whole] = next
			}
			d := stored(segments)
			s, err := OpenFS(d, nil)
			if c.damaged < 0 {
				if err != nil || len(s.index) != c.records {
					t.Fatalf("Open: %v, %d records; want %d", err, len(s.index), c.records)
				}
				s.Close()
				return
			}
			damage := (*DamageError)(nil)
			if !errors.As(err, &damage) || *damage != (DamageError{name(0), c.damaged}) {
				t.Fatalf("Open: %v; want damage at %d", err, c.damaged)
			}
			if string(d.names[name(0)].data) != string(b) {
				t.Error("Open changed a damaged file")
			}
		})
	}
}

// A segment that is missing, or too many.
func TestWrongFiles(t *testing.T) {
	first := logOf(7, 0, []string{"0", "1"})
	second := logOf(8, int64(len(first)), []string{"2"})
	third := logOf(9, int64(len(first)+len(second)), []string{"3"})
	for what, segments := range map[string]map[int64][]byte{
		"without the first":  {int64(len(first)): second},
		"without the second": {0: first, int64(len(first) + len(second)): third},
		"cut short":          {0: first[:len(first)-8], int64(len(first)): second},
		"of another place":   {0: first, int64(len(first)): third},
	} {
		if s, err := OpenFS(stored(segments), nil); !errors.As(err, new(*DamageError)) {
			t.Errorf("a log %s: Open gives %v, %v; want damage", what, s, err)
		}
	}
	d := stored(map[int64][]byte{0: first})
	d.names["1.log"] = &node{name: "1.log"}
	if _, err := OpenFS(d, nil); err == nil {
		t.Error("Open took a folder with a strange file of a segment's kind")
	}
}

// Whatever is in the files, recovery ends, gives records that can be read, and gives the same ones again.
func FuzzRecovery(f *testing.F) {
	two := logOf(0, 0, []string{"0", "1"}, []string{"2", "3"})
	f.Add([]byte{}, []byte{}, true)
	f.Add(two[headSize:], []byte{}, true)
	f.Add(two, logOf(1, int64(len(two)), []string{"4"}), false)
	f.Add(two[:len(two)-3], two, true)
	f.Fuzz(func(t *testing.T, first, second []byte, headed bool) {
		if headed {
			first = append(logOf(0, 0), first...)
		}
		segments := map[int64][]byte{0: first}
		if len(second) > 0 {
			segments[int64(len(first))] = second
		}
		d := stored(segments)
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
		same := func(a, b span) bool { return a.at == b.at && a.size == b.size }
		if !maps.EqualFunc(s.index, again.index, same) {
			t.Fatal("recovery finds something else the second time")
		}
	})
}
