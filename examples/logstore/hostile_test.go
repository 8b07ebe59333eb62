package logstore

import (
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"testing"
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
			binary.LittleEndian.PutUint64(b[4:], 1<<64-1)
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
