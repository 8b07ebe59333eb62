//go:build linux

package file_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"ringo"
	"ringo/buf"
	"ringo/file"
	"ringo/internal/race"
	"ringo/internal/test/alloctest"
	"ringo/internal/test/socktest"
)

// wantRanges reads ranges and compares each with what the file has there.
func wantRanges(t *testing.T, f *file.File, content []byte, rs []file.ReadRange) {
	t.Helper()
	if err := f.ReadRanges(rs); err != nil {
		t.Fatalf("ReadRanges: %v", err)
	}
	for i, r := range rs {
		want := content[min(r.Off, int64(len(content))):]
		want = want[:min(len(r.P), len(want))]
		wantErr := error(nil)
		if len(want) < len(r.P) {
			wantErr = io.EOF
		}
		if r.N != len(want) || r.Err != wantErr || !bytes.Equal(r.P[:r.N], want) {
			t.Fatalf("range %d, of %d bytes at %d: %d, %v, want %d, %v; or other bytes", i, len(r.P), r.Off, r.N, r.Err,
				len(want), wantErr)
		}
	}
}

// Ranges anywhere, in any order, next to each other or over each other, beyond the end: all have what is there.
func TestReadRanges(t *testing.T) {
	const size = 300_000
	eachCaller(t, func(t *testing.T, _ *ringo.Loop) {
		name := filled(t, tempDir(t), size)
		content, err := readFile(name)
		if err != nil {
			t.Fatal(err)
		}
		f, err := file.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		wantRanges(t, f, content, nil)
		r := rand.New(rand.NewPCG(seedOf(t), 1))
		for round := range 40 {
			var rs []file.ReadRange
			at := int64(r.IntN(size))
			for range r.IntN(300) {
				if r.IntN(2) == 0 {
					at = int64(r.IntN(size + 10_000))
				}
				n := r.IntN(5000)
				rs = append(rs, file.ReadRange{Off: at, P: make([]byte, n), N: 7, Err: io.ErrNoProgress})
				at += int64(n) // which the next begins with, every other time
			}
			r.Shuffle(len(rs), func(i, j int) { rs[i], rs[j] = rs[j], rs[i] })
			if round%2 == 0 {
				f.Advise(file.AdviceDontNeed, 0, 0)
			}
			wantRanges(t, f, content, rs)
		}
	})
}

// With Direct all goes to the disk; a range that is not aligned has its own error, and the others are read.
func TestReadRangesDirect(t *testing.T) {
	const block, blocks = 4096, 200
	needDisk(t, tempDir(t))
	eachCallerHere(t, func(t *testing.T, _ *ringo.Loop) {
		f, content := directFile(t, block*blocks)
		mem := buf.Aligned(block*blocks, block)
		var rs []file.ReadRange
		for _, at := range rand.New(rand.NewPCG(seedOf(t), 2)).Perm(blocks) {
			rs = append(rs, file.ReadRange{Off: int64(at) * block, P: mem[at*block : (at+1)*block : (at+1)*block]})
		}
		wantRanges(t, f, content, rs)
		wantRanges(t, f, content, []file.ReadRange{
			{Off: 3 * block, P: mem[:2*block]}, {Off: (blocks - 1) * block, P: mem[2*block : 4*block]}})
		rs = rs[:5]
		rs[2].Off++
		err := f.ReadRanges(rs)
		var align *file.AlignError
		for i, r := range rs {
			if i != 2 && (r.Err != nil || r.N != block) {
				t.Errorf("range %d beside one that is not aligned: %d, %v", i, r.N, r.Err)
			}
		}
		if !errors.As(rs[2].Err, &align) || err != rs[2].Err {
			t.Errorf("a range that is not aligned: %v, and %v", rs[2].Err, err)
		}
		for i := range rs { // one read, of which the memory of one range is not aligned
			rs[i] = file.ReadRange{Off: int64(i) * block, P: mem[2*i*block : (2*i+1)*block]}
		}
		rs[1].P = mem[2*block+1 : 3*block+1]
		f.ReadRanges(rs)
		for i, r := range rs {
			if align.Mem > 1 && (i == 1) != errors.As(r.Err, &align) || i != 1 && r.N != block {
				t.Errorf("range %d beside one whose memory is not aligned: %d, %v", i, r.N, r.Err)
			}
		}
	})
}

// A range of more than one call moves is read whole.
func TestReadRangesLarge(t *testing.T) {
	const size = 9 << 20 // more than two
	needDisk(t, tempDir(t))
	eachCallerHere(t, func(t *testing.T, _ *ringo.Loop) {
		f, content := directFile(t, size)
		mem := buf.Aligned(size+4096, 4096)
		wantRanges(t, f, content, []file.ReadRange{{P: mem[:size-4096]}, {Off: size - 4096, P: mem[size-4096:]}})
	})
}

// What can't be read is told of the range, or of all.
func TestReadRangesErrors(t *testing.T) {
	eachCaller(t, func(t *testing.T, _ *ringo.Loop) {
		dir := tempDir(t)
		f, err := file.Open(filled(t, dir, 100))
		if err != nil {
			t.Fatal(err)
		}
		rs := []file.ReadRange{{Off: -1, P: make([]byte, 1)}, {P: make([]byte, 10)}, {Off: 100, P: make([]byte, 1)}, {}}
		err = f.ReadRanges(rs)
		if err == nil || err != rs[0].Err || rs[1].N != 10 || rs[1].Err != nil || rs[2].Err != io.EOF ||
			rs[3].Err != nil {
			t.Errorf("%v, and %v", err, rs)
		}
		f.Close()
		if err := f.ReadRanges(rs); !errors.Is(err, os.ErrClosed) {
			t.Errorf("of a closed file: %v", err)
		}
		d, err := file.Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		rs = []file.ReadRange{{P: make([]byte, 10)}, {Off: 10, P: make([]byte, 10)}}
		if err := d.ReadRanges(rs); !errors.Is(err, unix.EISDIR) || !errors.Is(rs[1].Err, unix.EISDIR) {
			t.Errorf("of a folder: %v, and %v", err, rs[1].Err)
		}
	})
}

// A task that was cancelled has no read begin: all ranges say so, or were read before.
func TestReadRangesCancel(t *testing.T) {
	const block, blocks = 4096, 400 // more than are under way at a time
	needDisk(t, tempDir(t))
	socktest.EachDriver(t, func(t *testing.T, cfg ringo.Config) {
		onLoop(t, cfg, func(l *ringo.Loop) {
			f, content := directFile(t, 2*block*blocks)
			mem := buf.Aligned(block*blocks, block)
			for _, before := range []bool{true, false} {
				var rs []file.ReadRange
				for i := range blocks {
					rs = append(rs, file.ReadRange{Off: int64(2 * i * block), P: mem[i*block : (i+1)*block]})
				}
				if before {
					rs = rs[:10] // so few that the task need not yield on its way
				}
				var err error
				reads := l.Go(func() {
					if before {
						_, me := ringo.Current()
						me.Cancel()
					}
					err = f.ReadRanges(rs)
				})
				l.Yield() // it waits for the disk
				reads.Cancel()
				reads.Wait()
				whole := 0
				for i, r := range rs {
					if r.Err == nil && bytes.Equal(r.P, content[r.Off:r.Off+block]) {
						whole++
					} else if r.N != 0 || !errors.Is(r.Err, context.Canceled) {
						t.Fatalf("range %d: %d, %v", i, r.N, r.Err)
					}
				}
				if before && whole > 0 || (err == nil) != (whole == len(rs)) {
					t.Errorf("%d ranges were read, and %v", whole, err)
				}
			}
		})
	})
}

// Ranges that are next to each other are one read.
func TestReadRangesMerge(t *testing.T) {
	const block, blocks = 4096, 64
	needDisk(t, tempDir(t))
	socktest.EachDriver(t, func(t *testing.T, cfg ringo.Config) {
		onLoop(t, cfg, func(l *ringo.Loop) {
			f, content := directFile(t, 2*block*blocks)
			mem := buf.Aligned(block*blocks, block)
			submitted := func(step int) (n uint64) {
				var rs []file.ReadRange
				for i := range blocks {
					rs = append(rs, file.ReadRange{Off: int64(i * step * block), P: mem[i*block : (i+1)*block]})
				}
				before := l.Stats().Ops
				wantRanges(t, f, content, rs)
				for _, o := range l.Stats().Ops {
					n += o.Submitted
				}
				for _, o := range before {
					n -= o.Submitted
				}
				return n
			}
			submitted(1)
			if n := submitted(1); n != 1 {
				t.Errorf("%d ranges in a row are %d reads", blocks, n)
			}
			if n := submitted(2); n != blocks {
				t.Errorf("%d ranges with gaps are %d reads", blocks, n)
			}
		})
	})
}

// Nothing is allocated for what is in memory, nor for what is not.
func TestReadRangesAllocs(t *testing.T) {
	if race.Enabled {
		t.Skip("the race detector allocates")
	}
	const block, blocks = 4096, 32
	socktest.EachDriver(t, func(t *testing.T, cfg ringo.Config) {
		onLoop(t, cfg, func(l *ringo.Loop) {
			f, err := file.Open(filled(t, tempDir(t), block*blocks))
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			rs := make([]file.ReadRange, blocks)
			for i := range rs {
				rs[i] = file.ReadRange{Off: int64(blocks-1-i) * block, P: make([]byte, block)}
			}
			read := func() {
				if err := f.ReadRanges(rs); err != nil {
					t.Error(err)
				}
			}
			read()
			if n := alloctest.Least(50, 0.1, read); n > 0.1 {
				t.Errorf("%v allocations for %d ranges", n, blocks)
			}
		})
	})
}
