package kernel

import "ringo/internal/sys"

// Kernel is what is asked of a kernel without a wait. See the package comment for what
// holds for all methods.
type Kernel interface {
	Descriptors
	Sockets
	Files
	Names
}

// Descriptors are the calls on descriptors of every kind.
type Descriptors interface {
	// Close frees the number, whatever the result. On a socket that lingers it waits
	// for the peer: such a one is closed on a goroutine. A loop's own descriptors are
	// closed by loop.Loop.CloseFD.
	Close(fd int32) int32
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

// Files are the calls on files that wait for no disk.
type Files interface {
	// Resident is 1 if all of n bytes from off on are in memory, and 0 if not. -ENOSYS,
	// -EPERM or -EOPNOTSUPP: it can't be told, here or of this file.
	Resident(fd int32, off, n int64) int32
}

// Names are the calls on names of files that no op is worth: the one of a Unix socket. A
// path ends with a NUL, and starts from the working directory if it is relative. They
// may wait for a disk.
type Names interface {
	// Lstat describes what has the name, be it a link itself.
	Lstat(path []byte, st *sys.Statx) int32
	// Unlink removes the name.
	Unlink(path []byte) int32
}

// Sockets are the calls on sockets.
type Sockets interface {
	// Socket makes a socket, non-blocking and close-on-exec.
	Socket(family, kind, protocol int) int32
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
	// SetLinger makes Close wait so many seconds for unsent bytes; negative: not at all.
	SetLinger(fd int32, seconds int) int32
}
