package file

import (
	"encoding/binary"
	"testing"
)

// rawEntry is an entry as the kernel writes it.
func rawEntry(sort byte, name string) []byte {
	n := (entryNameAt + len(name) + 1 + 7) &^ 7
	b := make([]byte, n)
	binary.NativeEndian.PutUint16(b[entryLenAt:], uint16(n))
	b[entryTypeAt] = sort
	copy(b[entryNameAt:], name)
	return b
}

func TestNextEntry(t *testing.T) {
	all := append(append(rawEntry(4, ".."), rawEntry(8, "seven67")...), rawEntry(0, "")...)
	for _, want := range []struct {
		name    string
		sort    byte
		useless bool
	}{{"..", 4, true}, {"seven67", 8, false}, {"", 0, true}} {
		name, sort, rest, ok := nextEntry(all)
		if !ok || string(name) != want.name || sort != want.sort || isNoEntry(name) != want.useless {
			t.Errorf("entry %q, %d, %v, want %+v", name, sort, ok, want)
		}
		all = rest
	}
	if len(all) != 0 {
		t.Errorf("%d bytes are left", len(all))
	}
	full := rawEntry(8, "name")
	for n := range full {
		if _, _, _, ok := nextEntry(full[:n]); ok {
			t.Errorf("%d bytes of %d pass for an entry", n, len(full))
		}
	}
}

// FuzzNextEntry: whatever a file system gives, the parser goes on or stops, within it.
func FuzzNextEntry(f *testing.F) {
	f.Add(rawEntry(4, "dir"))
	f.Add(append(rawEntry(8, "a"), rawEntry(10, "link")...))
	f.Add(make([]byte, 40))
	f.Fuzz(func(t *testing.T, b []byte) {
		for len(b) > 0 {
			name, _, rest, ok := nextEntry(b)
			if !ok {
				return
			}
			if len(rest) >= len(b) || len(name) > len(b)-len(rest)-entryNameAt {
				t.Fatalf("an entry of %d bytes has a name of %d", len(b)-len(rest), len(name))
			}
			for _, c := range name {
				if c == 0 {
					t.Fatalf("a NUL in %q", name)
				}
			}
			b = rest
		}
	})
}
