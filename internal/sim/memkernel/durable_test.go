package memkernel

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"ringo/internal/op"
	"ringo/internal/sys"
)

// afterCrash counts what is in /data/f after n crashes, each of a disk with 16 synced pages of 'o' in it that change
// has changed since.
func afterCrash(t *testing.T, n int, change func(d *disk, fd int32), is func(d *disk, content string) string) []string {
	t.Helper()
	seen := map[string]int{}
	for seed := range uint64(n) {
		d := newDisk(t, seed)
		fd := d.open("/data/f", sys.OCreat|sys.ORdwr)
		d.write(fd, bytes.Repeat([]byte{'o'}, 16*pageSize), 0)
		d.sync(fd)
		d.syncDir("/data")
		change(d, fd)
		d.h.Fail = nil
		d.crash()
		got, ok := d.content("/data/f")
		if !ok {
			t.Fatalf("seed %d: the file is gone", seed)
		}
		seen[is(d, got)]++
	}
	return slices.Sorted(maps.Keys(seen))
}

func (d *disk) truncate(fd int32, size int64) {
	d.do(d.h, op.Ftruncate, fd, func(o *op.Op) { o.Off = size })
}

// failSyncs makes syncs fail.
func (d *disk) failSyncs() {
	d.h.Fail = func(o *op.Op) int32 {
		if o.Code == op.Sync {
			return -sys.EIO
		}
		return 0
	}
}

// A log that nobody has synced ends after a crash anywhere: in the middle of a record, too, and as it was at some time.
func TestUnsyncedTails(t *testing.T) {
	const synced, appends = 16 * pageSize, 60
	for _, record := range []int{100, 1500} {
		lengths := map[int]bool{}
		afterCrash(t, 300, func(d *disk, fd int32) {
			for i := range appends {
				d.write(fd, bytes.Repeat([]byte{'n'}, record), int64(synced+i*record))
			}
		}, func(_ *disk, got string) string {
			if !strings.HasPrefix(got, strings.Repeat("o", synced)) || len(got) > synced+appends*record {
				t.Fatalf("%d bytes, %d of them old", len(got), strings.Count(got, "o"))
			}
			lengths[len(got)-synced] = true
			return ""
		})
		var whole, torn int // what is neither all nor nothing
		for n := range lengths {
			switch {
			case n%record != 0:
				torn++
			case n != 0 && n != appends*record:
				whole++
			}
		}
		if torn == 0 || whole == 0 || !lengths[0] || !lengths[appends*record] {
			t.Errorf("after records of %d bytes lengths are %v", record, slices.Sorted(maps.Keys(lengths)))
		}
	}
}

// A byte that was written again and again has after a crash one of its values, and what was synced is no longer there
// only if something came after it.
func TestUnsyncedVersions(t *testing.T) {
	got := afterCrash(t, 300, func(d *disk, fd int32) {
		for i := range 10 {
			d.write(fd, []byte{'0' + byte(i)}, 0)
			if i == 4 {
				d.sync(fd)
			}
		}
	}, func(_ *disk, got string) string { return got[:1] })
	if !slices.Equal(got, []string{"4", "5", "6", "7", "8", "9"}) {
		t.Errorf("the values are %q", got)
	}
}

// A file that was cut off and written again has after a crash its old bytes or those of after the cut.
func TestUnsyncedCut(t *testing.T) {
	got := afterCrash(t, 200, func(d *disk, fd int32) {
		d.truncate(fd, 0)
		d.write(fd, bytes.Repeat([]byte{'n'}, 16*pageSize), 0)
	}, func(_ *disk, got string) string {
		return fmt.Sprint(strings.Contains(got, "o"), strings.Contains(got, "n"))
	})
	if !slices.Equal(got, []string{"false false", "false true", "true false"}) {
		t.Errorf("with old bytes, with new ones: %q", got)
	}
}

// What makes something durable makes no more so than it says.
func TestNoMoreIsDurable(t *testing.T) {
	there := func(_ *disk, got string) string { return fmt.Sprint(strings.Contains(got, "n")) }
	mode := func(d *disk, _ string) string {
		var st sys.Statx
		d.h.Statx(sys.AtFdcwd, []byte("/data/f\x00"), 0, sys.StatxAll, &st)
		return fmt.Sprintf("%o", st.Mode&0o777)
	}
	datasync := func(d *disk, fd int32) { d.do(d.h, op.Sync, fd, func(o *op.Op) { o.CallFlags = op.DataOnly }) }
	opened := func(flags uint64, off int64) func(d *disk, fd int32) {
		return func(d *disk, _ int32) { d.write(d.open("/data/f", sys.OWronly|flags), []byte("s"), off) }
	}
	part := func(d *disk, fd int32) { d.write(fd, []byte("n"), 10*pageSize) }
	grow := func(d *disk, fd int32) { d.write(fd, bytes.Repeat([]byte("n"), 2*pageSize), 16*pageSize) }
	cut := func(d *disk, fd int32) { d.truncate(fd, 0); part(d, fd) }
	chmod := func(d *disk, fd int32) { d.h.Fchmod(fd, 0o400) }
	names := func(d *disk, _ int32) {
		for i := range pendingMax + 1 {
			d.name(op.Mkdirat, fmt.Sprint("/data/", i), "")
		}
	}
	for _, c := range []struct {
		name         string
		change, then func(d *disk, fd int32)
		is           func(d *disk, got string) string
		want         []string
	}{
		{"a sync, another's write", part, func(d *disk, fd int32) { d.sync(fd) }, there, []string{"true"}},
		{"O_DSYNC, another's write", part, opened(sys.ODsync, 0), there, []string{"false", "true"}},
		{"O_DSYNC, another's write behind it", grow, opened(sys.ODsync, 0), there, []string{"false", "true"}},
		{"O_DSYNC, a write in its page", part, opened(sys.ODsync, 10*pageSize+7), there, []string{"true"}},
		{"a datasync, a write", part, datasync, there, []string{"true"}},
		{"a sync, the mode", chmod, func(d *disk, fd int32) { d.sync(fd) }, mode, []string{"400"}},
		{"a datasync, the mode", chmod, datasync, mode, []string{"400", "600"}},
		{"O_DSYNC, the mode", chmod, opened(sys.ODsync, 0), mode, []string{"400", "600"}},
		{"O_SYNC, the mode", chmod, opened(sys.OSync, 0), mode, []string{"400"}},
		{"a full journal, a write", part, names, there, []string{"false", "true"}},
		{"a full journal, a write behind a cut", cut, names, there, []string{"false", "true"}},
	} {
		got := afterCrash(t, 60, func(d *disk, fd int32) { c.change(d, fd); c.then(d, fd) }, c.is)
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

// A write that syncs is there after a crash, as long as what it has made of the file.
func TestODsyncStays(t *testing.T) {
	for _, off := range []int64{0, pageSize - 3, 10 * pageSize, 16*pageSize - 3, 16 * pageSize, 30*pageSize - 3} {
		got := afterCrash(t, 60, func(d *disk, fd int32) {
			d.truncate(fd, 12*pageSize)
			d.write(fd, bytes.Repeat([]byte{'n'}, 2*pageSize), 40*pageSize)
			d.write(d.open("/data/f", sys.OWronly|sys.ODsync), []byte("synced"), off)
		}, func(_ *disk, got string) string {
			if int64(len(got)) < off+6 {
				return fmt.Sprintf("%d bytes", len(got))
			}
			return got[off:off+6] + fmt.Sprint(strings.Contains(got[12*pageSize:], "o"))
		})
		if !slices.Equal(got, []string{"syncedfalse"}) {
			t.Errorf("at %d: %q", off, got)
		}
	}
}

// A sync that fails leaves of its data what it has written until then: all, nothing or sectors of it. The next one does
// not tell, and writes the rest, which the failed one did not have to write.
func TestFailedSync(t *testing.T) {
	data := bytes.Repeat([]byte("n"), 2*sector)
	for _, c := range []struct {
		name   string
		ranged bool
		sync   func(d *disk, fd int32) int32
	}{
		{"fsync", false, func(d *disk, fd int32) int32 { return d.sync(fd) }},
		{"O_DSYNC", true, func(d *disk, _ int32) int32 {
			return d.write(d.open("/data/f", sys.OWronly|sys.ODsync), data, 0)
		}},
		{"SyncRange", true, func(d *disk, fd int32) int32 {
			return d.h.SyncRange(fd, 0, int64(len(data)), sys.SyncRangeWaitAfter)
		}},
		{"SyncRange to the end", false, func(d *disk, fd int32) int32 {
			return d.h.SyncRange(fd, 0, 0, sys.SyncRangeWaitAfter)
		}},
	} {
		rest := map[byte]bool{} // what the last byte was
		got := afterCrash(t, 100, func(d *disk, fd int32) {
			d.write(fd, data, 0)
			d.write(fd, []byte("n"), 16*pageSize-1)
			d.failSyncs()
			if res := c.sync(d, fd); res != -sys.EIO {
				t.Fatalf("%s = %d", c.name, res)
			}
			d.h.Fail = nil
			if res := d.sync(fd); res != 0 {
				t.Fatalf("%s: the next sync = %d", c.name, res)
			}
			if got, _ := d.content("/data/f"); got[0] != 'n' || got[16*pageSize-1] != 'n' {
				t.Fatalf("%s: in memory there is %q", c.name, got)
			}
		}, func(_ *disk, got string) string {
			rest[got[16*pageSize-1]] = true
			return got[:1] + got[sector:sector+1]
		})
		if !slices.Equal(got, []string{"nn", "no", "on", "oo"}) || rest['o'] == c.ranged || !rest['n'] {
			t.Errorf("%s: the outcomes are %q, and %v of the rest", c.name, got, rest)
		}
	}
}
