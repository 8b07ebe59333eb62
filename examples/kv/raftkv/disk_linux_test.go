//go:build linux

package raftkv

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"

	"go.etcd.io/raft/v3/raftpb"

	"ringo"
	"ringo/sim"
)

// filled is a directory with a log of a few records, and where each of them ends.
func filled(t *testing.T) (dir string, ends []int64) {
	t.Helper()
	dir = t.TempDir()
	d, _, err := openDisk(dir, []string{"one", "two", "three"})
	if err != nil {
		t.Fatal(err)
	}
	defer d.close()
	ends = append(ends, d.at)
	for i := range 4 {
		entry := &raftpb.Entry{Index: new(uint64(2 + i)), Term: new(uint64(2)), Data: make([]byte, 700*i)}
		m := &raftpb.Message{Term: new(uint64(2)), Vote: new(uint64(7)), Commit: new(uint64(1)),
			Entries: []*raftpb.Entry{entry}}
		if err := d.save([]*raftpb.Message{m, m}); err != nil {
			t.Fatal(err)
		}
		ends = append(ends, d.at)
	}
	return dir, ends
}

// reopened is the last entry that is there.
func reopened(t *testing.T, dir string) (last uint64, err error) {
	t.Helper()
	d, _, err := openDisk(dir, nil)
	if err != nil {
		return 0, err
	}
	defer d.close()
	if hard, _, _ := d.mem.InitialState(); hard.GetVote() != 7 {
		t.Errorf("the vote is %d, want 7", hard.GetVote())
	}
	return d.mem.LastIndex()
}

// spoil changes a byte of a file.
func spoil(t *testing.T, name string, at int64) {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	b[at] ^= 1
	if err := os.WriteFile(name, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// The last record, wherever it is torn, is cut off, and the next one takes its place.
func TestTorn(t *testing.T) {
	for _, c := range []struct {
		name string
		tear func(t *testing.T, log string, ends []int64)
	}{
		{"shorter by a sector", func(t *testing.T, log string, ends []int64) { truncate(t, log, ends[4]-sector) }},
		{"only its length", func(t *testing.T, log string, ends []int64) { truncate(t, log, ends[3]+4) }},
		{"a byte of its body", func(t *testing.T, log string, ends []int64) { spoil(t, log, ends[4]-sector) }},
		{"its length", func(t *testing.T, log string, ends []int64) { spoil(t, log, ends[3]) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir, ends := filled(t)
			c.tear(t, filepath.Join(dir, "log"), ends)
			for range 2 {
				if last, err := reopened(t, dir); err != nil || last != 4 {
					t.Fatalf("the last entry is %d, %v, want 4", last, err)
				}
			}
			if info, err := os.Stat(filepath.Join(dir, "log")); err != nil || info.Size() != ends[3] {
				t.Errorf("the log has %d bytes, %v, want %d", info.Size(), err, ends[3])
			}
		})
	}
}

func truncate(t *testing.T, name string, size int64) {
	t.Helper()
	if err := os.Truncate(name, size); err != nil {
		t.Fatal(err)
	}
}

// What is broken with a whole record behind it, or is the log's beginning, or a snapshot, is an error, and nothing is
// cut off.
func TestCorrupt(t *testing.T) {
	for _, c := range []struct {
		name, file string
		at         func(ends []int64) int64
	}{
		{"the first record", "log", func([]int64) int64 { return 20 }},
		{"a length", "log", func(ends []int64) int64 { return ends[1] }},
		{"a body", "log", func(ends []int64) int64 { return ends[2] + 30 }},
		{"a checksum", "log", func(ends []int64) int64 { return ends[2] + 5 }},
		{"a snapshot", snapshotName(1), func([]int64) int64 { return 30 }},
		{"a snapshot's end", snapshotName(1), func([]int64) int64 { return 150 }},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir, ends := filled(t)
			name := filepath.Join(dir, c.file)
			spoil(t, name, c.at(ends))
			before, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := reopened(t, dir); !errors.Is(err, ErrCorrupt) {
				t.Errorf("the error is %v, want ErrCorrupt", err)
			}
			if after, err := os.ReadFile(name); err != nil || string(after) != string(before) {
				t.Errorf("%s is another: %v", c.file, err)
			}
		})
	}
}

// What a sync that failed has left unwritten is there to be read as long as the machine runs. A replica that is started
// again there has what it found written before it answers for that: after a crash of the machine it is there, too.
func TestFailedSync(t *testing.T) {
	sim.Run(t, 1, func(w *sim.World) {
		h := w.Host("one")
		var found []uint64
		open := func(do func(d *disk) error) {
			ran := false
			w.Check(w.Wait(h.Run(nil, func(*ringo.Loop) error {
				if ran { // a restart of the machine starts all
					return nil
				}
				ran = true
				d, _, err := openDisk("/", []string{"one"})
				if err != nil {
					return err
				}
				defer d.close()
				last, err := d.mem.LastIndex()
				found = append(found, last)
				return errors.Join(err, do(d))
			})))
		}
		save := func(d *disk, i uint64) error {
			return d.save([]*raftpb.Message{{Term: new(uint64(2)), Vote: new(uint64(7)), Commit: new(uint64(1)),
				Entries: []*raftpb.Entry{{Index: new(i), Term: new(uint64(2)), Data: make([]byte, 700)}}}})
		}
		open(func(d *disk) error { return save(d, 2) })
		open(func(d *disk) error {
			h.Disk.FailSync = 1
			defer func() { h.Disk.FailSync = 0 }()
			if err := save(d, 3); !errors.Is(err, syscall.EIO) {
				w.Errorf("a save whose sync fails: %v, want EIO", err)
			}
			return nil
		})
		open(func(*disk) error { return nil })
		h.Crash()
		h.Restart()
		open(func(*disk) error { return nil })
		if want := []uint64{1, 2, 3, 3}; !slices.Equal(found, want) {
			w.Errorf("the last entries that it found are %v, want %v", found, want)
		}
	})
}

// A snapshot has the log begin again, with what is behind it, and the one before is removed.
func TestCompact(t *testing.T) {
	dir, _ := filled(t)
	d, s, err := openDisk(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer d.close()
	for i := range 1000 {
		s.data[fmt.Sprint(i)] = make([]byte, 1000)
	}
	s.applied = 3
	snap, err := d.keep(s, 2)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.compact(snap, 0); err != nil {
		t.Fatal(err)
	}
	again, s, err := openDisk(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer again.close()
	first, _ := again.mem.FirstIndex()
	last, _ := again.mem.LastIndex()
	hard, _, _ := again.mem.InitialState()
	if first != 4 || last != 5 || hard.GetVote() != 7 || hard.GetCommit() != 3 || len(s.data) != 1000 ||
		s.applied != 3 {
		t.Errorf("there are entries %d to %d, %v, %d pairs, of entry %d", first, last, hard, len(s.data), s.applied)
	}
	if _, err := os.Stat(filepath.Join(dir, snapshotName(1))); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the old snapshot: %v", err)
	}
}
