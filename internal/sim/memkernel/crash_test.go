package memkernel

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"ringo/internal/op"
	"ringo/internal/sim/world"
	"ringo/internal/sys"
)

// disk is a host with calls that fail the test.
type disk struct {
	*two
	h *Host
}

func newDisk(t *testing.T, seed uint64) *disk {
	x := &two{t: t, w: world.New(seed)}
	x.net = NewNetwork(x.w)
	return &disk{x, x.net.Host("a", addrA)}
}

func (d *disk) open(name string, flags uint64) int32 {
	d.t.Helper()
	how := sys.OpenHow{Flags: flags}
	if flags&sys.OCreat != 0 {
		how.Mode = 0o600
	}
	fd := d.h.Openat2(sys.AtFdcwd, append([]byte(name), 0), &how)
	if fd < 0 {
		d.t.Fatalf("open %s = %d", name, fd)
	}
	return fd
}

func (d *disk) write(fd int32, p []byte, off int64) int32 {
	return d.do(d.h, op.WriteAt, fd, func(o *op.Op) { o.Buf, o.Off = p, off })
}

func (d *disk) sync(fd int32) int32 { return d.do(d.h, op.Sync, fd, nil) }

// syncDir syncs the names in a directory.
func (d *disk) syncDir(name string) {
	d.t.Helper()
	fd := d.open(name, sys.ODirectory)
	if res := d.sync(fd); res != 0 {
		d.t.Fatalf("a sync of %s = %d", name, res)
	}
	d.h.Close(fd)
}

func (d *disk) name(code op.Code, path, to string) {
	d.t.Helper()
	names := &op.Name{Path: append([]byte(path), 0), To: append([]byte(to), 0), How: sys.OpenHow{Mode: 0o700}}
	o := &op.Op{Code: code, Off: -1, Ext: &op.Ext{Name: names}}
	if res := d.h.Attempt(o); res != 0 {
		d.t.Fatalf("%s of %s and %s = %d", o.Def().Name, path, to, res)
	}
}

// content is a file's, or false if there is none.
func (d *disk) content(name string) (string, bool) {
	fd := d.h.Openat2(sys.AtFdcwd, append([]byte(name), 0), &sys.OpenHow{})
	if fd < 0 {
		return "", false
	}
	defer d.h.Close(fd)
	p := make([]byte, 1<<20)
	return string(p[:d.h.read(fd, [][]byte{p}, 0)]), true
}

func (d *disk) crash() { d.h.Crash(); d.h.Restart() }

// What was synced is there after a crash, in a file whose name was synced.
func TestSyncedStays(t *testing.T) {
	for seed := range uint64(50) {
		d := newDisk(t, seed)
		fd := d.open("/data/log", sys.OCreat|sys.ORdwr)
		var want []byte
		for i := range 20 {
			part := bytes.Repeat([]byte{byte('a' + i)}, 1000+i*300)
			d.write(fd, part, int64(len(want)))
			want = append(want, part...)
			if res := d.sync(fd); res != 0 {
				t.Fatal(res)
			}
			if i == 0 {
				d.syncDir("/data")
			}
		}
		d.write(fd, []byte("not synced"), int64(len(want)))
		d.crash()
		got, ok := d.content("/data/log")
		if !ok || !strings.HasPrefix(got, string(want)) || len(got) > len(want)+10 {
			t.Fatalf("seed %d: of %d bytes that were synced there are %d, %v", seed, len(want), len(got), ok)
		}
		if n := d.h.Open(); n != 0 {
			t.Fatalf("seed %d: %d descriptors have outlived the crash", seed, n)
		}
	}
}

// What was not synced is there in part: whole sectors of it, and not always the same ones.
func TestUnsyncedTears(t *testing.T) {
	outcomes := map[string]int{}
	for seed := range uint64(100) {
		d := newDisk(t, seed)
		fd := d.open("/data/page", sys.OCreat|sys.ORdwr)
		d.write(fd, bytes.Repeat([]byte{'o'}, 2*pageSize), 0)
		d.sync(fd)
		d.syncDir("/data")
		d.write(fd, bytes.Repeat([]byte{'n'}, 2*pageSize), 0)
		d.crash()
		got, _ := d.content("/data/page")
		if len(got) != 2*pageSize {
			t.Fatalf("seed %d: %d bytes", seed, len(got))
		}
		shape := ""
		for i := 0; i < len(got); i += sector {
			part := got[i : i+sector]
			if strings.Trim(part, part[:1]) != "" || part[0] != 'o' && part[0] != 'n' {
				t.Fatalf("seed %d: a sector of old and new", seed)
			}
			shape += part[:1]
		}
		outcomes[shape]++
	}
	if len(outcomes) < 50 {
		t.Errorf("100 crashes have %d outcomes", len(outcomes))
	}
}

// What takes synced bytes away, and is undone by a crash, leaves them, or what was written over them since: no zeros.
func TestUndoneLossLeavesBytes(t *testing.T) {
	for name, lose := range map[string]func(d *disk, fd int32){
		"unlink":             func(d *disk, fd int32) { d.h.Close(fd); d.name(op.Unlinkat, "/data/f", "") },
		"unlink, then close": func(d *disk, fd int32) { d.name(op.Unlinkat, "/data/f", ""); d.h.Close(fd) },
		"rename over it": func(d *disk, fd int32) {
			d.h.Close(fd)
			d.h.Close(d.open("/data/other", sys.OCreat|sys.ORdwr))
			d.name(op.Renameat, "/data/other", "/data/f")
		},
		"truncate": func(d *disk, fd int32) { d.do(d.h, op.Ftruncate, fd, func(o *op.Op) { o.Off = 0 }) },
	} {
		t.Run(name, func(t *testing.T) {
			seen := map[byte]int{}
			for seed := range uint64(100) {
				d := newDisk(t, seed)
				fd := d.open("/data/f", sys.OCreat|sys.ORdwr)
				d.write(fd, bytes.Repeat([]byte{'A'}, 2*pageSize), 0)
				d.sync(fd)
				d.syncDir("/data")
				d.write(fd, bytes.Repeat([]byte{'B'}, 2*pageSize), 0)
				lose(d, fd)
				d.crash()
				got, _ := d.content("/data/f")
				if len(got) != 0 && len(got) != 2*pageSize {
					t.Fatalf("seed %d: %d bytes", seed, len(got))
				}
				for _, b := range []byte(got) {
					seen[b]++
				}
			}
			for b := range seen {
				if b != 'A' && b != 'B' {
					t.Errorf("after crashes there is %q", seen)
				}
			}
			if seen['A'] == 0 {
				t.Error("nothing was ever undone")
			}
		})
	}
}

// A hole that was punched is there after a crash as a whole, or not.
func TestHolesAreWhole(t *testing.T) {
	seen := map[string]int{}
	for seed := range uint64(50) {
		d := newDisk(t, seed)
		fd := d.open("/data/f", sys.OCreat|sys.ORdwr)
		d.write(fd, bytes.Repeat([]byte{'A'}, 3*pageSize), 0)
		d.sync(fd)
		d.syncDir("/data")
		if res := d.do(d.h, op.Allocate, fd, func(o *op.Op) {
			o.CallFlags, o.Off = sys.FallocPunchHole|sys.FallocKeepSize, pageSize
			o.Ext = &op.Ext{Len: pageSize}
		}); res != 0 {
			t.Fatal(res)
		}
		d.crash()
		got, _ := d.content("/data/f")
		hole := got[pageSize : 2*pageSize]
		if strings.Trim(hole, hole[:1]) != "" || strings.Count(got, "A") != 3*pageSize-strings.Count(hole, "\x00") {
			t.Fatalf("seed %d: a part of a hole", seed)
		}
		seen[hole[:1]]++
	}
	if len(seen) != 2 {
		t.Errorf("the outcomes are %v", seen)
	}
}

// A file that was written, synced and renamed over another is after a crash the old one or the new one, and nothing
// else; once the directory was synced, the new one.
func TestRenameIsWhole(t *testing.T) {
	seen := map[string]int{}
	for seed := range uint64(200) {
		d := newDisk(t, seed)
		fd := d.open("/data/conf", sys.OCreat|sys.ORdwr)
		d.write(fd, []byte("old"), 0)
		d.sync(fd)
		d.syncDir("/data")
		fd = d.open("/data/conf.tmp", sys.OCreat|sys.ORdwr)
		d.write(fd, []byte("newer"), 0)
		d.sync(fd)
		d.name(op.Renameat, "/data/conf.tmp", "/data/conf")
		certain := seed%2 == 1
		if certain {
			d.syncDir("/data")
		}
		d.crash()
		got, ok := d.content("/data/conf")
		if !ok || got != "old" && got != "newer" || certain && got != "newer" {
			t.Fatalf("seed %d: %q, %v", seed, got, ok)
		}
		if _, left := d.content("/data/conf.tmp"); left && got == "newer" {
			t.Fatalf("seed %d: both names are there", seed)
		}
		seen[fmt.Sprint(certain, got)]++
	}
	if len(seen) != 3 || seen["falseold"] < 30 || seen["falsenewer"] < 10 {
		t.Errorf("the outcomes are %v", seen)
	}
}

// A tree of directories that were made, moved and filled stays a tree, whatever of it a crash leaves: each file has one
// name, and each name leads to what it led to once.
func TestTreesStayTrees(t *testing.T) {
	for seed := range uint64(300) {
		d := newDisk(t, seed)
		r := d.w.Rand()
		dirs, made := []string{"/data"}, 0
		var files []string
		for range 40 {
			in := dirs[r.IntN(len(dirs))]
			switch made++; r.IntN(6) {
			case 0, 1:
				dirs = append(dirs, fmt.Sprintf("%s/d%d", in, made))
				d.name(op.Mkdirat, dirs[len(dirs)-1], "")
			case 2, 3:
				files = append(files, fmt.Sprintf("%s/f%d", in, made))
				fd := d.open(files[len(files)-1], sys.OCreat|sys.ORdwr)
				d.write(fd, []byte("x"), 0)
				d.sync(fd)
				d.h.Close(fd)
			case 4:
				if len(files) > 0 {
					i := r.IntN(len(files))
					to := fmt.Sprintf("%s/f%d", in, made)
					d.name(op.Renameat, files[i], to)
					files[i] = to
				}
			default:
				d.syncDir(in)
			}
		}
		d.crash()
		seen := map[*inode]string{}
		var walk func(path string, n *inode)
		walk = func(path string, n *inode) {
			if was, twice := seen[n]; twice {
				t.Fatalf("seed %d: %s and %s are one", seed, was, path)
			}
			seen[n] = path
			names := map[string]bool{}
			for e := range n.entries.all() {
				if names[e.name] {
					t.Fatalf("seed %d: two entries %s in %s", seed, e.name, path)
				}
				names[e.name] = true
				if e.isDir() && e.parent != n {
					t.Fatalf("seed %d: %s/%s has another parent", seed, path, e.name)
				}
				walk(path+"/"+e.name, e.inode)
			}
		}
		walk("", d.h.root)
	}
}

// What a file says of itself is after a crash what was synced of it, or what it was last; once it was synced, that.
func TestUnsyncedFacts(t *testing.T) {
	seen := map[string]int{}
	for seed := range uint64(200) {
		d := newDisk(t, seed)
		name, certain := "/data/f", seed%2 == 1
		fd := d.open(name, sys.OCreat|sys.ORdwr)
		if seed%4 >= 2 {
			name = "/data/d"
			d.name(op.Mkdirat, name, "")
			d.h.Close(fd)
			fd = d.open(name, sys.ODirectory)
		}
		d.h.Fsetxattr(fd, []byte("user.a\x00"), []byte("old"), 0)
		d.h.Fchmod(fd, 0o600)
		d.sync(fd)
		d.syncDir("/data")
		d.h.Fsetxattr(fd, []byte("user.a\x00"), []byte("new"), 0)
		d.h.Fchmod(fd, 0o640)
		d.h.Fchownat(sys.AtFdcwd, append([]byte(name), 0), 7, 8, 0)
		if certain {
			d.sync(fd)
		}
		d.crash()
		fd = d.open(name, 0)
		var st sys.Statx
		d.h.Statx(fd, []byte{0}, sys.AtEmptyPath, sys.StatxAll, &st)
		value := make([]byte, 3)
		d.h.Fgetxattr(fd, []byte("user.a\x00"), value)
		isDir := st.Mode&sys.SIfmt == sys.SIfdir
		seen[fmt.Sprintf("%v %v %o %d %d %s", isDir, certain, st.Mode&0o777, st.UID, st.GID, value)]++
	}
	want := map[string]int{"false true 640 7 8 new": 50, "true true 640 7 8 new": 50}
	for _, s := range []string{"false false 600 0 0 old", "false false 640 7 8 new", "true false 600 0 0 old",
		"true false 640 7 8 new"} {
		if want[s] = seen[s]; seen[s] < 10 {
			t.Errorf("%s: %d times", s, seen[s])
		}
	}
	if !maps.Equal(seen, want) {
		t.Errorf("the outcomes are %v", seen)
	}
}

// What nobody syncs does not add up: neither names, nor the content of files that are gone.
func TestUnsyncedIsBounded(t *testing.T) {
	d := newDisk(t, 1)
	data := make([]byte, 1<<20)
	kept := func() (pages int) {
		seen := map[*inode]bool{}
		for _, c := range d.h.pending {
			for _, p := range c.parts {
				if !seen[p.is] {
					seen[p.is] = true
					pages += len(p.is.pages) + len(p.is.platter.pages)
				}
			}
		}
		for _, n := range d.h.cuts {
			if !seen[n] {
				pages += len(n.pages) + len(n.platter.pages)
			}
		}
		return pages
	}
	for i := range 100 {
		name := fmt.Sprint("/data/seg", i)
		fd := d.open(name, sys.OCreat|sys.ORdwr)
		d.write(fd, data, 0)
		d.sync(fd)
		d.write(fd, data, 0)
		d.h.Close(fd)
		d.name(op.Unlinkat, name, "")
		if n := kept(); n > 40<<20/pageSize {
			t.Fatalf("after %d files of 1 MiB that are gone, %d MiB are kept", i+1, n*pageSize>>20)
		}
	}
	for i := range 3000 {
		d.name(op.Mkdirat, fmt.Sprint("/data/d", i), "")
		if n := len(d.h.pending); n > 1024 {
			t.Fatalf("after %d names, %d are kept", i+1, n)
		}
	}
	d.crash()
	if n := d.h.root.find("data").entries.len(); n < 3000-1025 {
		t.Errorf("of 3000 names there are %d", n)
	}
}

// A full disk takes what fits, and has room again when something goes.
func TestFullDisk(t *testing.T) {
	d := newDisk(t, 1)
	d.h.Capacity = 10 * pageSize
	fd := d.open("/data/big", sys.OCreat|sys.ORdwr)
	if n := d.write(fd, make([]byte, 12*pageSize), 0); n != 10*pageSize {
		t.Errorf("a write of more than fits = %d", n)
	}
	if n := d.write(fd, make([]byte, 10), 10*pageSize); n != -sys.ENOSPC {
		t.Errorf("a write to a full disk = %d", n)
	}
	if n := d.write(fd, make([]byte, 10), 0); n != 10 {
		t.Errorf("a write to what is there = %d", n)
	}
	d.name(op.Unlinkat, "/data/big", "")
	other := d.open("/data/other", sys.OCreat|sys.ORdwr)
	if n := d.write(other, make([]byte, 10), 0); n != -sys.ENOSPC {
		t.Errorf("a write beside a file that is open = %d", n)
	}
	d.h.Close(fd)
	if n := d.write(other, make([]byte, 10*pageSize), 0); n != 10*pageSize {
		t.Errorf("a write when there is room again = %d", n)
	}
}

// A copy onto a disk that takes a part of it leaves both files behind that part.
func TestCopyToFullDisk(t *testing.T) {
	d := newDisk(t, 1)
	d.h.Capacity = 5 * pageSize
	from, to := d.open("/data/from", sys.OCreat|sys.ORdwr), d.open("/data/to", sys.OCreat|sys.ORdwr)
	d.write(from, make([]byte, 3*pageSize), 0)
	for _, want := range []int32{2 * pageSize, -sys.ENOSPC} {
		if n := d.h.CopyRange(to, from, 3*pageSize); n != want {
			t.Errorf("a copy = %d, want %d", n, want)
		}
		for _, fd := range []int32{from, to} {
			if at, res := d.h.Lseek(fd, 0, sys.SeekCur); at != 2*pageSize || res != 0 {
				t.Errorf("behind it descriptor %d is at %d (%d), want %d", fd, at, res, 2*pageSize)
			}
		}
	}
}

// Descriptors run out, and come back.
func TestDescriptorsRunOut(t *testing.T) {
	d := newDisk(t, 1)
	d.h.SetDescriptors(3)
	var fds []int32
	for range 3 {
		fds = append(fds, d.open("/data", sys.ODirectory))
	}
	if fd := d.h.Socket(sys.AFInet, sys.SockStream, 0); fd != -sys.EMFILE {
		t.Errorf("a fourth = %d", fd)
	}
	if _, _, res := d.h.Pipe(0); res != -sys.EMFILE {
		t.Errorf("a pipe = %d", res)
	}
	how := sys.OpenHow{Flags: sys.OCreat, Mode: 0o600}
	if fd := d.h.Openat2(sys.AtFdcwd, []byte("/data/new\x00"), &how); fd != -sys.EMFILE {
		t.Errorf("a new file = %d", fd)
	}
	d.h.Close(fds[1])
	how = sys.OpenHow{}
	if fd := d.h.Openat2(sys.AtFdcwd, []byte("/data/new\x00"), &how); fd != -sys.ENOENT {
		t.Errorf("a file for which there was no descriptor = %d", fd)
	}
	if fd := d.h.Socket(sys.AFInet, sys.SockStream, 0); fd != fds[1] {
		t.Errorf("the lowest that is free is %d, and it got %d", fds[1], fd)
	}
}

// A host that has crashed says nothing; when it runs again it knows of no connection, and says so to who goes on.
func TestPeersOfACrash(t *testing.T) {
	x := newTwo(t, 3, Link{Latency: time.Millisecond})
	a, b := x.pair()
	if n := x.a.Send(a, []byte("before")); n != 6 {
		t.Fatal(n)
	}
	x.settle(time.Second)
	x.b.Crash()
	if n := x.a.Send(a, []byte("into the dark")); n != 13 {
		t.Fatal(n)
	}
	x.settle(time.Minute)
	if ready := x.a.Ready(a); ready&(sys.PollHup|sys.PollErr|sys.PollIn) != 0 {
		t.Errorf("a minute after the crash of its peer: ready %#x", ready)
	}
	if res := x.dial(x.a, "10.0.0.2:7000").try(); res != -sys.EAGAIN {
		t.Errorf("a connect to a host that is down = %d", res)
	}
	x.b.Restart()
	if res := x.until("a receive", func() int32 { return x.a.Receive(a, make([]byte, 10)) }); res != -sys.ECONNRESET {
		t.Errorf("the peer of a host that runs again = %d", res)
	}
	if res := x.b.Receive(b, make([]byte, 10)); res != -sys.EBADF {
		t.Errorf("a descriptor of before = %d", res)
	}
	if !slices.ContainsFunc(x.net.all, func(h *Host) bool { return h == x.b && !h.Down() }) {
		t.Error("the host is down")
	}
}
