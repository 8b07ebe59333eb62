package kernel

import "ringo/internal/sys"

// Kernel is what is asked of a kernel beside the ops of a driver. See the package comment
// for what holds for all methods.
type Kernel interface {
	Descriptors
	Sockets
	Files
	Names
}

// Descriptors are the calls on descriptors of every kind.
type Descriptors interface {
	// Close frees the number, whatever the result. Of a file it may wait for the disk: bytes may have
	// to be written, or blocks freed. A loop's own descriptors are closed by loop.Loop.CloseFD.
	Close(fd int32) int32
	// CloseLingering is Close of a socket that lingers, which waits for the peer: such a one is closed
	// on a goroutine. A signal to its thread, which would end that wait, does not.
	CloseLingering(fd int32) int32
	// Dup is another descriptor of the same open file, close-on-exec.
	Dup(fd int32) int32
	// Getfl is the status flags of the open file and its access mode, O_ flags.
	Getfl(fd int32) int32
	// Setfl sets the status flags, for all who share the open file.
	Setfl(fd int32, flags int32) int32
	// SetCloexec keeps the descriptor from programs that this one starts.
	SetCloexec(fd int32) int32
	// Pipe makes a pipe whose ends are non-blocking and close-on-exec. It holds size
	// bytes, where that is not 0 and the system allows it.
	Pipe(size int) (r, w, res int32)
}

// Files are the calls on open files that are no op: they wait for no disk, or io_uring has no entry for them. But for
// Resident and Lseek they may wait: a task has a worker make them.
type Files interface {
	// Resident is 1 if all of n bytes from off on are in memory, and 0 if not. -ENOSYS,
	// -EPERM or -EOPNOTSUPP: it can't be told, here or of this file.
	Resident(fd int32, off, n int64) int32
	// Lseek moves the position to off, as whence says, and returns where it is then. It waits at most for the file's
	// end, its data and its holes.
	Lseek(fd int32, off int64, whence int) (at int64, res int32)
	// SyncRange has n bytes from off on written, as flags say (SYNC_FILE_RANGE_).
	SyncRange(fd int32, off, n int64, flags int) int32
	// Advise says how n bytes from off on will be used (POSIX_FADV_).
	Advise(fd int32, off, n int64, advice int) int32
	// Fstatfs puts what is known of the file system that a file is on into st.
	Fstatfs(fd int32, st *sys.Statfs) int32
	// Fchmod sets the mode.
	Fchmod(fd int32, mode uint32) int32
	Fchdir(fd int32) int32
	// Fgetxattr puts an extended attribute into p. With an empty p the result is its length.
	Fgetxattr(fd int32, name, p []byte) int32
	// Fsetxattr sets an extended attribute to the bytes of p; flags are XATTR_ flags.
	Fsetxattr(fd int32, name, p []byte, flags int) int32
	// Flistxattr puts the names of all into p, each with a NUL behind it. With an empty p the result is their length.
	Flistxattr(fd int32, p []byte) int32
	// Fremovexattr removes an extended attribute.
	Fremovexattr(fd int32, name []byte) int32
	// Lock sets or removes a lock of the open file on n bytes from off on, 0 for all to the end; kind is F_RDLCK,
	// F_WRLCK or F_UNLCK. -EAGAIN: somebody else holds one.
	Lock(fd int32, kind int16, off, n int64) int32
	// Getdents puts the next entries of a directory into p, as getdents64(2) does; 0 at the end.
	Getdents(fd int32, p []byte) int32
	// CopyRange copies up to n bytes from in to out, between their positions; 0 at the end.
	CopyRange(out, in int32, n int) int32
	// Clone makes out a copy of in that shares its blocks.
	Clone(out, in int32) int32
}

// Names are the calls on names of files that are no op, for want of an entry or of a loop. A name ends with a NUL. A
// relative one starts from the directory dir, or from the working directory if that is sys.AtFdcwd; with
// sys.AtEmptyPath an empty one is dir itself. All may wait for a disk.
type Names interface {
	// Openat2 opens or makes a file, as how says.
	Openat2(dir int32, path []byte, how *sys.OpenHow) int32
	// Statx puts what is known of a file into st: what mask asks for (STATX_), and what else is at hand.
	Statx(dir int32, path []byte, flags, mask uint32, st *sys.Statx) int32
	// Unlinkat removes a name.
	Unlinkat(dir int32, path []byte, flags uint32) int32
	// Readlinkat puts what a link leads to into p, cut where that ends.
	Readlinkat(dir int32, path, p []byte) int32
	// Fchmodat sets the mode.
	Fchmodat(dir int32, path []byte, mode, flags uint32) int32
	// Faccessat says whether the process may do with a file what mode asks for (access(2)): -EACCES if not. flags are
	// sys.AtEaccess, sys.AtSymlinkNofollow and sys.AtEmptyPath. -ENOSYS, -EPERM: it has no flags.
	Faccessat(dir int32, path []byte, mode, flags uint32) int32
	// Statfs puts what is known of the file system that a file is on into st. A relative name starts from the working
	// directory.
	Statfs(path []byte, st *sys.Statfs) int32
	// Fchownat sets owner and group; all ones leave one as it is.
	Fchownat(dir int32, path []byte, uid, gid, flags uint32) int32
	// Utimensat sets the times of the last access and of the last change; without a path those of the open file dir.
	Utimensat(dir int32, path []byte, times *sys.TimePair, flags uint32) int32
	// Mknodat makes a file of the sort and with the mode in mode; dev is the device that it stands for.
	Mknodat(dir int32, path []byte, mode, dev uint32) int32
	// Truncate makes a file size bytes long.
	Truncate(path []byte, size int64) int32
}

// Sockets are the calls on sockets.
type Sockets interface {
	// Socket makes a socket, non-blocking and close-on-exec.
	Socket(family, kind, protocol int) int32
	// Socketpair makes two Unix sockets that are connected to each other, non-blocking and close-on-exec.
	Socketpair(kind int) (a, b, res int32)
	// Bind gives the socket an address of its own.
	Bind(fd int32, to *sys.Sockaddr) int32
	// Connect sets the peer of a socket of datagrams, or by an AF_UNSPEC address ends a
	// connection.
	Connect(fd int32, to *sys.Sockaddr) int32
	// Listen has peers queue at the socket.
	Listen(fd int32, backlog int) int32
	// Shutdown ends one direction, or both; how is one of the SHUT_ numbers.
	Shutdown(fd int32, how int) int32
	// Peek reads what has come, and leaves it there: -EAGAIN if nothing has.
	Peek(fd int32, p []byte) int32
	// Getsockname puts the socket's own address into sa.
	Getsockname(fd int32, sa *sys.Sockaddr) int32
	// Getpeername puts the peer's address into sa.
	Getpeername(fd int32, sa *sys.Sockaddr) int32
	// Getsockopt is the value of an option that is a number.
	Getsockopt(fd int32, level, name int) (value, res int32)
	// Setsockopt sets an option that is a number.
	Setsockopt(fd int32, level, name, value int) int32
	// GetsockoptBytes puts an option into p. The result is how long it is, or how much
	// of it there was room for.
	GetsockoptBytes(fd int32, level, name int, p []byte) int32
	// SetsockoptBytes sets an option to the bytes of p.
	SetsockoptBytes(fd int32, level, name int, p []byte) int32
	// SetsockoptFilter sets an option to a filter of what comes.
	SetsockoptFilter(fd int32, level, name int, program []sys.Filter) int32
	// SetLinger makes Close wait so many seconds for unsent bytes; negative: not at all.
	SetLinger(fd int32, seconds int) int32
}
