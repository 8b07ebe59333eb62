package differ

import (
	"context"
	"io"
	"io/fs"
	"net"
	"time"
)

// Kind is a kind of callers.
type Kind uint8

const (
	Task      Kind = iota // a task of a loop: of the handle's own, or of another
	Iterator              // an iterator that a task runs
	Goroutine             // an ordinary goroutine
	Offload               // a function that a task has given to Loop.Offload
	Callback              // callbacks of package event
	kinds
)

func (k Kind) String() string {
	return [...]string{"task", "iterator", "goroutine", "offload", "callback"}[k]
}

// A Caller is who makes an actor's calls.
type Caller struct {
	Kind Kind
	Loop int
}

// Loops is how many loops a plan uses.
const Loops = 2

// A Machine is what plans run on.
type Machine interface {
	Name() string
	// Open makes what several plans can use one after the other.
	Open() (Session, error)
}

// A Session runs one plan at a time. Run calls setup, and then body for each actor, as the caller that the plan says,
// all at the same time. Its error is one of the machine's own: something was left behind.
type Session interface {
	// Ground makes what the plan finds, and clear takes it away.
	Ground(p *Plan) (g Ground, clear func(), err error)
	Run(p *Plan, setup func(w World), body func(i int, w World)) error
	Close() error
}

// World is what an actor calls. Only that actor uses it.
type World interface {
	Listen(loop int, network, address string) (Listener, error)
	Dial(ctx context.Context, loop int, network, address string) (Conn, error)
	// Serve answers what comes with the same until stop is called, which waits for the end.
	Serve(ln Listener, how int) (stop func() error)
	ListenPacket(loop int, network, address string) (Packet, error)
	// DialPacket makes a socket whose datagrams go to an address.
	DialPacket(loop int, network, address string) (Packet, error)
	Files() Files
	Pipe() (r, w File, err error)

	NewChan(capacity int) Chan
	NewMutex() Mutex
	NewCond(m Mutex) Cond
	NewSemaphore(n int64) Semaphore
	NewWaitGroup() WaitGroup
	// Either receives from one of two channels, and returns which.
	Either(a, b Chan) (which, v int, err error)

	Sleep(ctx context.Context, d time.Duration) error
	AfterFunc(d time.Duration, f func()) Timer
	Ticks(d time.Duration, n int) error
	Post(loop int, f func()) error
	Call(loop int, f func() error) error
	Go(loop int, how int, f func(w World)) Child
	Group(fs []func() error) error
	Offload(f func() error) error
	Yield()

	// Aside runs f, which may wait, for a caller that may not.
	Aside(f func())
	// Scope runs f where its waits could end, and nothing ends them. How is one of the scopes.
	Scope(how int, f func())

	// Under runs f, which waits on d, and lets ctx end that. d is nil where f is given ctx anyhow.
	Under(ctx context.Context, d Deadline, f func() error) error
	// Within is Under with a time.
	Within(t time.Duration, d Deadline, f func(ctx context.Context) error) error
	// Late runs wait, which reads from c, and has the peer send p to it; and then a deadline of c passes, of which
	// nobody learns before the bytes are there.
	Late(c, peer Conn, p []byte, wait func()) error
	// Here runs f, which waits on d, so that the cancel of the Child that this is ends it.
	Here(d Deadline, f func(ctx context.Context) error) error
}

// Deadline sets the deadline of a wait.
type Deadline func(t time.Time) error

// Child is a task that an actor has started.
type Child interface {
	Cancel()
	Wait() error
}

// Timer is what AfterFunc makes.
type Timer interface {
	Stop() bool
	Reset(d time.Duration) bool
}

// Listener is a socket that listens.
type Listener interface {
	Accept(typed bool) (Conn, error)
	Addr() net.Addr
	SetDeadline(t time.Time) error
	Close() error
}

// Conn is a connection with all that a stream can do.
type Conn interface {
	net.Conn
	CloseWrite() error
	CloseSoon()
	Flush() error
	Peek(n int) ([]byte, error)
	Discard(n int) (int, error)
	Buffered() int
	Next() (Lease, error)
	WriteLease(b Lease) (int, error)
	ReadV(bufs [][]byte) (int, error)
	WriteV(bufs [][]byte) (int, error)
	// CopyTo writes all that comes to w, which may be a Conn of the same machine.
	CopyTo(w io.Writer) (int64, error)
	CopyFrom(r io.Reader) (int64, error)
	SendFile(head []byte, f File, off, n int64) (int, error)
	TryWrite(p []byte) (int, error)
	SetLinger(sec int) error
	SetNoDelay(on bool) error
	SetBatching(on bool) error
	SetIdle(on bool) error
	SetWriteBuffer(bytes int) error
	SetReadBuffer(bytes int) error
	MoveTo(loop int) (Conn, error)
	// Leave takes the socket out of Ringo, reads the n bytes that are unread with package net alone, in a function that
	// is offloaded, and comes back to a loop.
	Leave(loop, n int, offload func(f func() error) error) (p []byte, back Conn, err error)
}

// Lease is a piece of memory that came from a connection.
type Lease interface {
	Bytes() []byte
	Release()
}

// Packet is a socket of datagrams.
type Packet interface {
	net.PacketConn
	// Write is for those that DialPacket has made.
	Write(p []byte) (int, error)
	// WriteAll sends datagrams by as few calls as there are.
	WriteAll(ps [][]byte, addr net.Addr) error
	// ReadAll reads datagrams, n of them.
	ReadAll(n int) ([][]byte, error)
}

// File is an open file.
type File interface {
	io.ReadWriteSeeker
	io.ReaderAt
	io.WriterAt
	io.WriterTo
	io.ReaderFrom
	Close() error
	Truncate(size int64) error
	Stat() (fs.FileInfo, error)
	Sync() error
	Datasync() error
	ReadDir(n int) ([]fs.DirEntry, error)
	Chmod(mode fs.FileMode) error
	SetDeadline(t time.Time) error
	Name() string
	// Vectors reads into, or writes, all of the slices.
	ReadVAt(ps [][]byte, off int64) (int, error)
	WriteVAt(ps [][]byte, off int64) (int, error)
	// Streams copy by a Reader or a Writer of package file, by bufio elsewhere.
	StreamOut(w io.Writer, off int64) (int64, error)
	StreamIn(ps [][]byte, off int64) error
}

// Files are the calls on names.
type Files interface {
	OpenFile(name string, flag int, perm fs.FileMode) (File, error)
	ReadFile(name string) ([]byte, error)
	WriteFile(name string, data []byte, perm fs.FileMode) error
	WriteFileAtomic(name string, data []byte, perm fs.FileMode) error
	CopyFile(dst, src string) (int64, error)
	Stat(name string) (fs.FileInfo, error)
	Lstat(name string) (fs.FileInfo, error)
	ReadDir(name string) ([]fs.DirEntry, error)
	Mkdir(name string, perm fs.FileMode) error
	MkdirAll(name string, perm fs.FileMode) error
	Remove(name string) error
	RemoveAll(name string) error
	Rename(from, to string) error
	Link(from, to string) error
	Symlink(from, to string) error
	ReadLink(name string) (string, error)
	Truncate(name string, size int64) error
	Chmod(name string, mode fs.FileMode) error
	Walk(root string, fn fs.WalkDirFunc) error
}

// Chan is a channel of numbers. A closed one gives ErrChanClosed, or the machine's own error of that class.
type Chan interface {
	Send(ctx context.Context, v int) error
	Recv(ctx context.Context) (int, error)
	TrySend(v int) bool
	TryRecv() (int, bool)
	Len() int
	Close()
}

// Mutex is a lock.
type Mutex interface {
	Lock()
	LockContext(ctx context.Context) error
	TryLock() bool
	Unlock()
}

// Cond is a condition that a Mutex guards.
type Cond interface {
	Wait()
	WaitContext(ctx context.Context) error
	Signal()
	Broadcast()
}

// Semaphore hands out units.
type Semaphore interface {
	Acquire(ctx context.Context, n int64) error
	TryAcquire(n int64) bool
	Release(n int64)
}

// WaitGroup waits for a number of functions.
type WaitGroup interface {
	Add(n int)
	Done()
	Go(f func())
	Wait()
	WaitContext(ctx context.Context) error
}
