//go:build linux

package file_test

import (
	"bytes"
	"path/filepath"
	"testing"

	"ringo"
	"ringo/file"
)

// A task's transfer of several slices goes out in pieces, as one of a single slice does:
// what is in memory is copied on the loop's thread, which others wait for. All of it
// arrives.
func TestVectorsInPieces(t *testing.T) {
	const size, piece = 5<<20 + 1234, 1 << 20
	all := bytesOf(size)
	split := func(p []byte) (ps [][]byte) {
		for n := 1; len(p) > 0; n = n*3 + 1 {
			n = min(n, len(p))
			ps, p = append(ps, p[:n], nil), p[n:]
		}
		return ps
	}
	for place, dir := range places(t) {
		t.Run(place, func(t *testing.T) {
			eachDriver(t, func(t *testing.T, cfg ringo.Config) {
				onLoop(t, cfg, func(l *ringo.Loop) {
					name := filepath.Join(dir, "file")
					f, err := file.Create(name)
					if err != nil {
						t.Fatal(err)
					}
					defer f.Close()
					before := submitted(l)
					if n, err := f.WriteVAt(split(all), 0); n != size || err != nil {
						t.Errorf("WriteVAt = %d, %v", n, err)
					}
					if n := submitted(l) - before; n < size/piece {
						t.Errorf("%d bytes went to the driver in %d ops, want %d or more", size, n, size/piece)
					}
					if got, err := readFile(name); err != nil || !bytes.Equal(got, all) {
						t.Errorf("written were %d bytes, %v", len(got), err)
					}
					got := make([]byte, size)
					if n, err := f.ReadVAt(split(got), 0); n != size || err != nil || !bytes.Equal(got, all) {
						t.Errorf("ReadVAt = %d, %v", n, err)
					}
				})
			})
		})
	}
}

// submitted is how many ops the loop's driver was given.
func submitted(l *ringo.Loop) (n uint64) {
	for _, o := range l.Stats().Ops {
		n += o.Submitted
	}
	return n
}
