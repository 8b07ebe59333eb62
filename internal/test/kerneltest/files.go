package kerneltest

import (
	"io"
	"os"
	"strings"

	"ringo/internal/op"
	"ringo/internal/posix"
	"ringo/internal/sys"
)

func opens(b *bench) {
	fd, name := b.file("0123456789")
	if b.Inherited(fd) {
		b.fail("programs that are started get a descriptor that was opened with O_CLOEXEC")
	}
	how := sys.OpenHow{Flags: sys.OCreat | sys.OExcl | sys.ORdwr | sys.OCloexec, Mode: 0o600}
	b.want("Openat2 of what is there", b.k.Openat2(sys.AtFdcwd, nulled(name), &how), -sys.EEXIST)
	b.want("Openat2 of nothing", b.k.Openat2(sys.AtFdcwd, nulled(name+"x"), &sys.OpenHow{}), -sys.ENOENT)
	if got := b.content(b.again(name, 0)); got != "0123456789" {
		b.fail("the file has %q", got)
	}
	dir := b.again(b.Dir, sys.ODirectory)
	how = sys.OpenHow{Flags: sys.OCloexec}
	fd = b.given("Openat2 from a directory", b.k.Openat2(dir, nulled(strings.TrimPrefix(name, b.Dir+"/")), &how))
	if got := b.content(fd); got != "0123456789" {
		b.fail("from a directory the file has %q", got)
	}
}

// opensBeneath: a name can't lead out of its directory.
func opensBeneath(b *bench) {
	dir := b.again(b.Dir, sys.ODirectory)
	b.file("x")
	how := sys.OpenHow{Flags: sys.OCloexec, Resolve: sys.ResolveBeneath}
	for _, name := range []string{"..", "/", "name1/../.."} {
		switch res := b.k.Openat2(dir, nulled(name), &how); res {
		case -sys.EXDEV, -sys.ENOTDIR:
		case -sys.ENOSYS, -sys.EPERM:
			b.skip("openat2 is refused: %d", res)
		default:
			b.fail("Openat2 of %q = %d, want EXDEV", name, res)
		}
	}
	if fd := b.given("Openat2", b.k.Openat2(dir, nulled("name1"), &how)); b.content(fd) != "x" {
		b.fail("another file")
	}
}

func positions(b *bench) {
	fd, _ := b.file("0123456789")
	for _, c := range []struct {
		off    int64
		whence int
		at     int64
	}{{3, io.SeekStart, 3}, {2, io.SeekCurrent, 5}, {-3, io.SeekEnd, 7}, {5, sys.SeekData, 5}, {5, sys.SeekHole, 10},
		{1 << 40, io.SeekStart, 1 << 40}} {
		if at, res := b.k.Lseek(fd, c.off, c.whence); res != 0 || at != c.at {
			b.fail("Lseek to %d from %d came to %d, %d, want %d", c.off, c.whence, at, res, c.at)
		}
	}
	b.k.Lseek(fd, 4, io.SeekStart)
	if got := b.read(fd); got != "456789" {
		b.fail("from the position it reads %q", got)
	}
	_, res := b.k.Lseek(fd, -1, io.SeekStart)
	b.want("Lseek before the beginning", res, -sys.EINVAL)
	_, res = b.k.Lseek(fd, 100, sys.SeekData)
	b.want("Lseek to data behind the end", res, -int32(sys.ENXIO))
}

func stats(b *bench) {
	fd, name := b.file("0123456789")
	byName := b.stat(name)
	var st sys.Statx
	b.want("Statx of an open file", b.k.Statx(fd, nil, sys.AtEmptyPath, sys.StatxAll, &st), 0)
	if st.Ino != byName.Ino || st.Size != 10 || byName.Size != 10 || st.Mode != sys.SIfreg|0o600 || st.Nlink != 1 {
		b.fail("statx: by name %+v, open %+v", byName, st)
	}
	b.want("a link", b.op(op.Symlinkat, -1, func(o *op.Op) {
		o.Ext.Name.Path, o.Ext.Name.To = nulled(name+"link"), nulled(name)
	}), 0)
	if got := b.stat(name + "link"); got.Mode&sys.SIfmt != sys.SIflnk {
		b.fail("the link has mode %o", got.Mode)
	}
	b.want("Statx through a link", b.k.Statx(sys.AtFdcwd, nulled(name+"link"), 0, sys.StatxBasic, &st), 0)
	if st.Ino != byName.Ino {
		b.fail("through a link it is file %d, want %d", st.Ino, byName.Ino)
	}
	b.want("Statx of nothing", b.k.Statx(sys.AtFdcwd, nulled(name+"x"), 0, sys.StatxBasic, &st), -sys.ENOENT)
}

func modes(b *bench) {
	fd, name := b.file("")
	b.want("Fchdir of a file", b.k.Fchdir(fd), -int32(sys.ENOTDIR))
	b.want("Fchmod", b.k.Fchmod(fd, 0o640), 0)
	if got := b.stat(name).Mode; got != sys.SIfreg|0o640 {
		b.fail("after Fchmod it is %o", got)
	}
	b.want("Fchmodat", b.k.Fchmodat(sys.AtFdcwd, nulled(name), 0o604, 0), 0)
	if got := b.stat(name).Mode; got != sys.SIfreg|0o604 {
		b.fail("after Fchmodat it is %o", got)
	}
	for _, flags := range []uint32{0, sys.AtEaccess, sys.AtEaccess | sys.AtSymlinkNofollow} {
		b.want("Faccessat to read and write", b.k.Faccessat(sys.AtFdcwd, nulled(name), 6, flags), 0)
		b.want("Faccessat to execute", b.k.Faccessat(sys.AtFdcwd, nulled(name), 1, flags), -sys.EACCES)
		b.want("Faccessat for nothing", b.k.Faccessat(sys.AtFdcwd, nulled(name), 8, flags), -sys.EINVAL)
		b.want("Faccessat of nothing", b.k.Faccessat(sys.AtFdcwd, nulled(name+"x"), 0, flags), -sys.ENOENT)
	}
	b.want("Faccessat of an open file", b.k.Faccessat(fd, nulled(""), 4, sys.AtEaccess|sys.AtEmptyPath), 0)
}

func owners(b *bench) {
	fd, name := b.file("")
	const leave = ^uint32(0)
	uid, gid := uint32(os.Getuid()), uint32(os.Getgid())
	if uid == 0 || uid == leave { // the superuser may change the owner to any; some systems have no owners
		uid, gid = 1234, 5678
	}
	b.want("Fchownat", b.k.Fchownat(sys.AtFdcwd, nulled(name), uid, leave, 0), 0)
	b.want("Fchownat of an open file", b.k.Fchownat(fd, nil, leave, gid, sys.AtEmptyPath), 0)
	if st := b.stat(name); st.UID != uid || st.GID != gid {
		b.fail("it is %d's and %d's, want %d and %d", st.UID, st.GID, uid, gid)
	}
	b.want("Fchownat of nothing", b.k.Fchownat(sys.AtFdcwd, nulled(name+"x"), uid, gid, 0), -sys.ENOENT)
}

func times(b *bench) {
	fd, name := b.file("")
	both := sys.TimePair{{Sec: 1, Nsec: 5e6}, {Sec: 1e9, Nsec: 7e6}}
	b.want("Utimensat", b.k.Utimensat(sys.AtFdcwd, nulled(name), &both, 0), 0)
	one := sys.TimePair{{Nsec: sys.UtimeOmit}, {Sec: 2e9}}
	b.want("Utimensat of an open file", b.k.Utimensat(fd, nil, &one, 0), 0)
	if st := b.stat(name); st.Atime.Sec != 1 || st.Atime.Nsec != 5e6 || st.Mtime.Sec != 2e9 || st.Mtime.Nsec != 0 {
		b.fail("the times are %+v and %+v", st.Atime, st.Mtime)
	}
}

func truncates(b *bench) {
	fd, name := b.file("0123456789")
	b.want("Truncate", b.k.Truncate(nulled(name), 4), 0)
	if got := b.content(fd); got != "0123" {
		b.fail("the file has %q", got)
	}
	b.want("Truncate to more", b.k.Truncate(nulled(name), 5<<30), 0)
	if size := b.stat(name).Size; size != 5<<30 {
		b.fail("the file has %d bytes", size)
	}
	b.want("Truncate of nothing", b.k.Truncate(nulled(name+"x"), 0), -sys.ENOENT)
}

func unlinks(b *bench) {
	_, name := b.file("")
	dir := b.name()
	b.want("mkdir", b.op(op.Mkdirat, -1, func(o *op.Op) {
		o.Ext.Name.Path, o.Ext.Name.How.Mode = nulled(dir), 0o700
	}), 0)
	b.want("Unlinkat", b.k.Unlinkat(sys.AtFdcwd, nulled(name), 0), 0)
	b.want("Unlinkat again", b.k.Unlinkat(sys.AtFdcwd, nulled(name), 0), -sys.ENOENT)
	b.want("Unlinkat of a directory", b.k.Unlinkat(sys.AtFdcwd, nulled(dir), 0), -sys.EISDIR)
	b.want("Unlinkat with AT_REMOVEDIR", b.k.Unlinkat(sys.AtFdcwd, nulled(dir), sys.AtRemovedir), 0)
	b.want("Unlinkat again", b.k.Unlinkat(sys.AtFdcwd, nulled(dir), sys.AtRemovedir), -sys.ENOENT)
}

func links(b *bench) {
	link := b.name()
	b.want("a link", b.op(op.Symlinkat, -1, func(o *op.Op) {
		o.Ext.Name.Path, o.Ext.Name.To = nulled(link), nulled("where/ever")
	}), 0)
	p := make([]byte, 32)
	n := b.k.Readlinkat(sys.AtFdcwd, nulled(link), p)
	if n != 10 || string(p[:n]) != "where/ever" {
		b.fail("Readlinkat = %d, %q", n, p)
	}
	b.want("Readlinkat into less", b.k.Readlinkat(sys.AtFdcwd, nulled(link), p[:5]), 5)
	_, name := b.file("")
	b.want("Readlinkat of no link", b.k.Readlinkat(sys.AtFdcwd, nulled(name), p), -sys.EINVAL)
}

func nodes(b *bench) {
	name := b.name()
	b.want("Mknodat", b.k.Mknodat(sys.AtFdcwd, nulled(name), sys.SIfifo|0o600, 0), 0)
	if got := b.stat(name).Mode; got != sys.SIfifo|0o600 {
		b.fail("the FIFO has mode %o", got)
	}
	b.want("Mknodat again", b.k.Mknodat(sys.AtFdcwd, nulled(name), sys.SIfifo|0o600, 0), -sys.EEXIST)
}

func entries(b *bench) {
	fd, _ := b.file("")
	dir, p, got := b.again(b.Dir, sys.ODirectory), make([]byte, 1024), ""
	for {
		n := b.k.Getdents(dir, p)
		if n <= 0 {
			b.want("the end of the entries", n, 0)
			break
		}
		got += string(p[:n])
	}
	for _, name := range []string{".\x00", "..\x00", "name1\x00"} {
		if !strings.Contains(got, name) {
			b.fail("no entry %q in %q", name, got)
		}
	}
	b.want("Getdents of a file", b.k.Getdents(fd, p), -sys.ENOTDIR)
}

func attributes(b *bench) {
	fd, _ := b.file("")
	name, p := nulled("user.a"), make([]byte, 100)
	switch res := b.k.Fsetxattr(fd, name, []byte("value"), 0); posix.Bare(res) {
	case 0:
	case -sys.EOPNOTSUPP:
		b.skip("no extended attributes of users in %s", b.Dir)
	default:
		b.fail("Fsetxattr = %d", res)
	}
	b.want("Fgetxattr of its length", b.k.Fgetxattr(fd, name, nil), 5)
	if n := b.k.Fgetxattr(fd, name, p); n != 5 || string(p[:n]) != "value" {
		b.fail("Fgetxattr = %d, %q", n, p)
	}
	b.want("Fgetxattr into less", b.k.Fgetxattr(fd, name, p[:2]), -sys.ERANGE)
	b.want("Fsetxattr of a new one", b.k.Fsetxattr(fd, name, p, sys.XattrCreate), -sys.EEXIST)
	n := b.k.Flistxattr(fd, p)
	if n < 7 || !strings.Contains(string(p[:n]), "user.a\x00") {
		b.fail("Flistxattr = %d, %q", n, p)
	}
	b.want("Fremovexattr", b.k.Fremovexattr(fd, name), 0)
	b.want("Fgetxattr of none", b.k.Fgetxattr(fd, name, p), -sys.ENODATA)
	b.want("Fremovexattr of none", b.k.Fremovexattr(fd, name), -sys.ENODATA)
}

// A lock belongs to the open file: another open file can't lock the same bytes, and its attempt does not wait.
func locks(b *bench) {
	mine, name := b.file("")
	others := b.again(name, sys.ORdwr)
	b.want("Lock", b.k.Lock(mine, sys.FWrlck, 0, 0), 0)
	b.want("Lock of what is locked", b.k.Lock(others, sys.FRdlck, 0, 0), -sys.EAGAIN)
	b.want("Lock again", b.k.Lock(mine, sys.FWrlck, 0, 0), 0)
	b.want("Lock given back in part", b.k.Lock(mine, sys.FUnlck, 0, 10), 0)
	b.want("Lock of that part", b.k.Lock(others, sys.FRdlck, 0, 10), 0)
	b.want("Lock of the rest", b.k.Lock(others, sys.FRdlck, 10, 1), -sys.EAGAIN)
}

func copies(b *bench) {
	in, _ := b.file("0123456789")
	out, _ := b.file("")
	b.k.Lseek(in, 0, io.SeekStart)
	switch res := b.k.CopyRange(out, in, 4); res {
	case 4:
	case -sys.EXDEV, -sys.ENOSYS, -sys.EOPNOTSUPP:
		b.skip("no copy_file_range in %s: %d", b.Dir, res)
	default:
		b.fail("CopyRange = %d", res)
	}
	b.want("CopyRange of the rest", b.k.CopyRange(out, in, 100), 6)
	b.want("CopyRange at the end", b.k.CopyRange(out, in, 100), 0)
	if got := b.content(out); got != "0123456789" {
		b.fail("the copy has %q", got)
	}
}

func clones(b *bench) {
	in, _ := b.file("0123456789")
	out, _ := b.file("")
	switch res := b.k.Clone(out, in); posix.Bare(res) {
	case 0:
		if got := b.content(out); got != "0123456789" {
			b.fail("the clone has %q", got)
		}
	case -sys.EOPNOTSUPP, -int32(sys.ENOTTY), -sys.EINVAL: // most file systems
	default:
		b.fail("Clone = %d", res)
	}
}

func types(b *bench) {
	one, _ := b.file("")
	other, _ := b.file("")
	var first, second, named sys.Statfs
	b.want("Fstatfs", b.k.Fstatfs(one, &first), 0)
	b.want("Fstatfs", b.k.Fstatfs(other, &second), 0)
	b.want("Statfs", b.k.Statfs(nulled(b.Dir), &named), 0)
	for _, st := range []sys.Statfs{second, named} {
		if first.Type == 0 || st.Type != first.Type || st.BlockSize != first.BlockSize || st.Blocks != first.Blocks ||
			st.NameMax != first.NameMax || st.Flags != first.Flags {
			b.fail("files of a folder, and it, are on file systems %+v and %+v", first, st)
		}
	}
	if first.BlockSize <= 0 || first.BlocksFree > first.Blocks || first.BlocksUsable > first.BlocksFree ||
		first.FilesFree > first.Files || first.NameMax < 14 { // the minimum of POSIX
		b.fail("a file system has %+v", first)
	}
	b.want("Statfs of nothing", b.k.Statfs(nulled(b.Dir+"/none"), &named), -sys.ENOENT)
}

// hints have no effect that a program could see, apart from their errors.
func hints(b *bench) {
	fd, _ := b.file("0123456789")
	r, w, res := b.k.Pipe(0)
	b.want("Pipe", res, 0)
	b.given("Pipe", r)
	b.given("Pipe", w)
	b.want("SyncRange", b.k.SyncRange(fd, 0, 0, sys.SyncRangeWrite), 0)
	b.want("SyncRange of no such way", b.k.SyncRange(fd, 0, 0, 1<<20), -sys.EINVAL)
	b.want("Advise", b.k.Advise(fd, 0, 0, sys.FadvWillneed), 0)
	b.want("Advise of no such advice", b.k.Advise(fd, 0, 0, 1<<20), -sys.EINVAL)
	b.want("Advise about a pipe", b.k.Advise(r, 0, 0, sys.FadvWillneed), -int32(sys.ESPIPE))
}

// Bytes that were just written are in memory; a hole that was never read is not.
func resident(b *bench) {
	const hole = 1 << 20
	fd, name := b.file("0123456789")
	b.want("Truncate", b.k.Truncate(nulled(name), hole), 0)
	switch res := b.k.Resident(fd, 0, 10); res {
	case -sys.ENOSYS, -sys.EPERM, -sys.EOPNOTSUPP:
		b.skip("it can't be told here: %d", res)
	default:
		b.want("Resident of what was written", res, 1)
	}
	b.want("Resident of a hole", b.k.Resident(fd, hole/2, hole/2), 0)
	b.want("Resident of both", b.k.Resident(fd, 0, hole), 0)
	b.want("Resident of no descriptor", b.k.Resident(-1, 0, 1), -sys.EBADF)
}
