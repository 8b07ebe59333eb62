package kernel

import "ringo/internal/sys"

// Kernel has the calls to a kernel other than the ops of a driver. See the package comment for what holds for all
// methods.
type Kernel interface {
	Descriptors
	Sockets
	Files
	Names
}

// Descriptors are the calls on descriptors of every kind.
type Descriptors interface {
	// Close frees the number, whatever the result. For a file it may wait for the disk, because bytes have to be
	// written or blocks freed. Descriptors of a loop are closed by loop.Loop.CloseFD.
	Close(fd int32) int32
	// CloseLingering is Close for a socket that lingers, which waits for the peer: it must be called on a goroutine. A
	// signal to the thread does not end the wait.
	CloseLingering(fd int32) int32
	// Dup returns another descriptor of the same open file, close-on-exec.
	Dup(fd int32) int32
	// Getfl returns the status flags of the open file and its access mode, as O_ flags.
	Getfl(fd int32) int32
	// Setfl sets the status flags, for all users of the open file.
	Setfl(fd int32, flags int32) int32
	// Polls returns 1 if the kernel reports the descriptor's readiness, and 0 if the descriptor is always ready, as a
	// file on a disk is.
	Polls(fd int32) int32
	// Pipe makes a pipe whose ends are non-blocking and close-on-exec. It has room for size bytes, if that is not 0
	// and the system allows it.
	Pipe(size int) (r, w, res int32)
}

// Files has the calls on open files that are not ops, because they never wait for a disk, or because io_uring has no
// entry for them. Except for Resident and Lseek they may wait: for a task a worker makes them.
type Files interface {
	// Resident returns 1 if all of the n bytes at off are in memory, and 0 if not; -ENOSYS, -EPERM or -EOPNOTSUPP if
	// that can't be found out, here or for this file.
	Resident(fd int32, off, n int64) int32
	// Lseek moves the position to off, as whence says, and returns where it is then. Only for the file's end, its data
	// and its holes it may wait.
	Lseek(fd int32, off int64, whence int) (at int64, res int32)
	// SyncRange writes n bytes at off to the disk, as flags say (SYNC_FILE_RANGE_).
	SyncRange(fd int32, off, n int64, flags int) int32
	// Advise tells the kernel how n bytes at off will be used (POSIX_FADV_).
	Advise(fd int32, off, n int64, advice int) int32
	// Fstatfs describes the file system that a file is on, in st.
	Fstatfs(fd int32, st *sys.Statfs) int32
	// Fchmod sets the mode.
	Fchmod(fd int32, mode uint32) int32
	Fchdir(fd int32) int32
	// Fgetxattr reads an extended attribute into p. With an empty p the result is the attribute's length.
	Fgetxattr(fd int32, name, p []byte) int32
	// Fsetxattr sets an extended attribute to the bytes of p; flags are XATTR_ flags.
	Fsetxattr(fd int32, name, p []byte, flags int) int32
	// Flistxattr reads all names into p, each followed by a NUL. With an empty p the result is their length.
	Flistxattr(fd int32, p []byte) int32
	// Fremovexattr removes an extended attribute.
	Fremovexattr(fd int32, name []byte) int32
	// Lock sets or removes a lock of the open file on n bytes at off, 0 for all to the end; kind is F_RDLCK, F_WRLCK
	// or F_UNLCK. -EAGAIN: another open file holds one.
	Lock(fd int32, kind int16, off, n int64) int32
	// Getdents reads the next entries of a directory into p, as getdents64(2) does; 0 at the end.
	Getdents(fd int32, p []byte) int32
	// CopyRange copies up to n bytes from in to out, between their positions; 0 at the end.
	CopyRange(out, in int32, n int) int32
	// Clone makes out a copy of in that shares its blocks.
	Clone(out, in int32) int32
}

// Names has the calls on names of files that are not ops, because io_uring has no entry or the caller has no loop. A
// name ends with a NUL. A relative name starts from the directory dir, or from the working directory if dir is
// sys.AtFdcwd; with sys.AtEmptyPath an empty name is dir itself. All may wait for a disk.
type Names interface {
	// Openat2 opens or makes a file, as how says.
	Openat2(dir int32, path []byte, how *sys.OpenHow) int32
	// Statx describes a file in st: what mask asks for (STATX_), and what else is at hand.
	Statx(dir int32, path []byte, flags, mask uint32, st *sys.Statx) int32
	// Unlinkat removes a name.
	Unlinkat(dir int32, path []byte, flags uint32) int32
	// Readlinkat reads the target of a link into p, truncated to its length.
	Readlinkat(dir int32, path, p []byte) int32
	// Fchmodat sets the mode.
	Fchmodat(dir int32, path []byte, mode, flags uint32) int32
	// Faccessat checks whether the process may use a file as mode says (access(2)): -EACCES if not. flags are
	// sys.AtEaccess, sys.AtSymlinkNofollow and sys.AtEmptyPath. -ENOSYS, -EPERM: the kernel does not support flags.
	Faccessat(dir int32, path []byte, mode, flags uint32) int32
	// Statfs describes the file system that a file is on, in st. A relative name starts from the working directory.
	Statfs(path []byte, st *sys.Statfs) int32
	// Fchownat sets owner and group; one whose bits are all ones stays unchanged.
	Fchownat(dir int32, path []byte, uid, gid, flags uint32) int32
	// Utimensat sets the times of the last access and change; without a path, those of the open file dir.
	Utimensat(dir int32, path []byte, times *sys.TimePair, flags uint32) int32
	// Mknodat makes a file of the type and mode in mode; dev is the device that it stands for.
	Mknodat(dir int32, path []byte, mode, dev uint32) int32
	// Truncate makes a file size bytes long.
	Truncate(path []byte, size int64) int32
}

// Sockets has the calls on sockets.
type Sockets interface {
	// Socket makes a socket, non-blocking and close-on-exec.
	Socket(family, kind, protocol int) int32
	// Socketpair makes two connected Unix sockets, non-blocking and close-on-exec.
	Socketpair(kind int) (a, b, res int32)
	// Bind sets the socket's own address.
	Bind(fd int32, to *sys.Sockaddr) int32
	// Connect sets the peer of a datagram socket, or dissolves the connection if the address is AF_UNSPEC.
	Connect(fd int32, to *sys.Sockaddr) int32
	// Listen lets peers queue at the socket.
	Listen(fd int32, backlog int) int32
	// Shutdown ends one direction, or both; how is one of the SHUT_ numbers.
	Shutdown(fd int32, how int) int32
	// Peek reads what has come without removing it; -EAGAIN if nothing has.
	Peek(fd int32, p []byte) int32
	// Getsockname stores the socket's own address in sa.
	Getsockname(fd int32, sa *sys.Sockaddr) int32
	// Getpeername stores the peer's address in sa.
	Getpeername(fd int32, sa *sys.Sockaddr) int32
	// Getsockopt returns the value of an option that is a number.
	Getsockopt(fd int32, level, name int) (value, res int32)
	// Setsockopt sets an option that is a number.
	Setsockopt(fd int32, level, name, value int) int32
	// GetsockoptBytes reads an option into p. The result is its length, or how much of it fitted.
	GetsockoptBytes(fd int32, level, name int, p []byte) int32
	// SetsockoptBytes sets an option to the bytes of p.
	SetsockoptBytes(fd int32, level, name int, p []byte) int32
	// SetsockoptFilter sets an option to a filter for incoming packets.
	SetsockoptFilter(fd int32, level, name int, program []sys.Filter) int32
	// SetLinger makes Close wait so many seconds for unsent bytes; if negative, not at all.
	SetLinger(fd int32, seconds int) int32
}
