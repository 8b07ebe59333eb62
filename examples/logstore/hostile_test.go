package logstore

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"ringo/internal/test/patience"
)

// A log whose records have right checksums and wrong distances, or wrong lengths, is no log
// of ours; whoever made it must not bring Open down.
func TestHostileLog(t *testing.T) {
	const salt = 42
	record := func(at, back int64) []byte {
		return place(encode(nil, "key", make([]byte, block-head-3)), salt, at, back)
	}
	for _, c := range []struct {
		name string
		tail []byte
		want error
	}{
		{"its batch begins before the log", record(block, 1<<20), nil},
		{"its batch begins in the first block", record(block, 8), nil},
		{"its batch begins far behind", record(block, -8), nil},
		{"and so does one behind a broken one", append(make([]byte, block), record(2*block, 1<<31)...), nil},
		{"one of a later batch", append(make([]byte, block), record(2*block, 0)...), DamageError(block)},
		{"lengths that overflow", func() []byte {
			b := make([]byte, block)
			le.PutUint64(b[8:], 1<<64-1)
			le.PutUint32(b, checksum(b[4:head], salt, block))
			return b
		}(), nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, "log"), append(first(salt), c.tail...), 0o600); err != nil {
				t.Fatal(err)
			}
			s, err := Open(dir, nil)
			if !errors.Is(err, c.want) {
				t.Fatalf("Open: %v, want %v", err, c.want)
			}
			if err != nil {
				return
			}
			if v, err := s.Get("key"); !errors.Is(err, ErrNotFound) {
				t.Errorf("Get = %d bytes, %v, want ErrNotFound", len(v), err)
			}
			at, err := s.Append(t.Context(), "mine", []byte("value"))
			if err != nil {
				t.Errorf("Append = %d, %v", at, err)
			}
			if v, err := s.Get("mine"); string(v) != "value" || err != nil {
				t.Errorf("Get = %q, %v", v, err)
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// Values that look like heads of long records, all over, don't make Open look at each of these: it would
// take hours. The record that holds them is torn, so Open looks for one behind its begin.
func TestHostileValues(t *testing.T) {
	const salt, length = 42, 8 << 20
	value := make([]byte, length)
	for i := 0; i < length; i += 8 {
		le.PutUint32(value[i:], length/2) // a length, wherever in a head it is
	}
	// a key of 4 bytes: so lengths are where a head has them
	torn := pad(place(encode(nil, "keys", value), salt, block, 0), salt, block)
	torn[len(torn)-block-1] ^= 1
	opened := make(chan error, 1)
	go func() {
		s, err := OpenFS(stored(append(first(salt), torn...)), nil)
		if err == nil {
			err = s.Close()
		}
		opened <- err
	}()
	if err := patience.Recv(t, "the end of Open", opened); err != nil {
		t.Error(err)
	}
}
