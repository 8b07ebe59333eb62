package differ

import (
	"context"
	"io"
	"io/fs"
	"net"
	"time"
)

// Kind is a kind of caller.
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

// A Caller says how an actor makes its calls: its kind, and its loop.
type Caller struct {
	Kind Kind
	Loop int
}

// Loops is how many loops a plan uses.
const Loops = 2

// A Machine is what plans run on.
type Machine interface {
	Name() string
	// Open makes a session, which several plans can use one after the other.
	Open() (Session, error)
}

// A Session runs one plan at a time. Run calls setup, and then body once for each actor, all concurrently, each as the
// kind of caller that the plan says. Its error is one of the machine itself, for example that something was left
// behind.
type Session interface {
	// Ground makes what the plan needs, and clear removes it.
	Ground(p *Plan) (g Ground, clear func(), err error)
	Run(p *Plan, setup func(w World), body func(i int, w World)) error
	Close() error
}

// World is what an actor makes its calls on. Only that actor uses it.
type World interface {
	Listen(loop int, network, address string) (Listener, error)
	Dial(ctx context.Context, loop int, network, address string) (Conn, error)
	// Serve answers everything that comes with the same bytes. stop ends it and waits for its end.
	Serve(ln Listener, how int) (stop func() error)
	ListenPacket(loop int, network, address string) (Packet, error)
	// DialPacket makes a socket whose datagrams go to one address.
	DialPacket(loop int, network, address string) (Packet, error)
	Files() Files
	Pipe() (r, w File, err error)

	NewChan(capacity int) Chan
	NewMutex() Mutex
	NewCond(m Mutex) Cond
	NewSemaphore(n int64) Semaphore
	NewWaitGroup() WaitGroup
	NewRWMutex() RWMutex
	NewBarrier(n int) Barrier
	NewOnce() Once
	OnceValues(f func() (int, error)) func() (int, error)
	NewWatch() Watch
	NewBroadcast(capacity int) Broadcast
	// Either receives from one of two channels, and returns which one.
	Either(a, b Chan) (which, v int, err error)

	Sleep(ctx context.Context, d time.Duration) error
	AfterFunc(d time.Duration, f func()) Timer
	Ticks(d time.Duration, n int) error
	Post(loop int, f func()) error
	Call(loop int, f func() error) error
	// Go starts a task: how is one of childWays, or inGoroutine, which starts a goroutine beside the loops.
	Go(loop int, how int, f func(w World)) Child
	Group(fs []func() error) error
	Offload(f func() error) error
	Yield()

	// Aside runs f, which may wait, on behalf of a caller that may not.
	Aside(f func())
	// Scope runs f in a scope that could end its waits, but never does. how is one of the scopes.
	Scope(how int, f func())

	// Under runs f, which waits on d, and lets ctx end the wait. d is nil if f uses ctx itself.
	Under(ctx context.Context, d Deadline, f func() error) error
	// Within is Under with a timeout.
	Within(t time.Duration, d Deadline, f func(ctx context.Context) error) error
	// Late runs wait, which reads from c, and makes the peer send p to it; then a deadline of c passes, which must not
	// be noticed before the bytes are there.
	Late(c, peer Conn, p []byte, wait func()) error
	// Here runs f, which waits on d, so that a cancel of the Child that it runs in ends the wait.
	Here(d Deadline, f func(ctx context.Context) error) error
}

// Deadline sets the deadline of a wait.
type Deadline func(t time.Time) error

// Child is a task that an actor has started.
type Child interface {
	Cancel()
	Wait() error
}

// Timer is what AfterFunc returns.
type Timer interface {
	Stop() bool
	Reset(d time.Duration) bool
}

// Listener is a listening socket.
type Listener interface {
	Accept(typed bool) (Conn, error)
	Addr() net.Addr
	SetDeadline(t time.Time) error
	Close() error
}

// Conn is a connection, with everything that a stream can do.
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
	// CopyTo writes everything that comes to w, which may be a Conn of the same machine.
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
	// Leave takes the socket out of Ringo, reads the n unread bytes through package net alone, in an offloaded
	// function, and returns it to a loop.
	Leave(loop, n int, offload func(f func() error) error) (p []byte, back Conn, err error)
}

// Lease is memory with bytes from a connection.
type Lease interface {
	Bytes() []byte
	Release()
}

// Packet is a datagram socket.
type Packet interface {
	net.PacketConn
	// Write is for sockets that DialPacket made.
	Write(p []byte) (int, error)
	// WriteAll sends datagrams with as few calls as possible.
	WriteAll(ps [][]byte, addr net.Addr) error
	// ReadAll reads n datagrams.
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
	// ReadVAt and WriteVAt fill, or write, all of the slices.
	ReadVAt(ps [][]byte, off int64) (int, error)
	WriteVAt(ps [][]byte, off int64) (int, error)
	// StreamOut and StreamIn copy by a Reader or Writer of package file, and elsewhere by bufio.
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

// Chan is a channel of numbers. When it is closed, calls fail with ErrChanClosed or the machine's own error of that
// class.
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

// Cond is a condition variable of a Mutex.
type Cond interface {
	Wait()
	WaitContext(ctx context.Context) error
	Signal()
	Broadcast()
}

// Semaphore grants units.
type Semaphore interface {
	Acquire(ctx context.Context, n int64) error
	TryAcquire(n int64) bool
	Release(n int64)
}

// WaitGroup waits for several functions.
type WaitGroup interface {
	Add(n int)
	Done()
	Go(f func())
	Wait()
	WaitContext(ctx context.Context) error
}

// RWMutex is a lock for one writer or several readers.
type RWMutex interface {
	Mutex
	RLock()
	RLockContext(ctx context.Context) error
	TryRLock() bool
	RUnlock()
}

// Barrier lets callers pass when all have come.
type Barrier interface {
	Wait(ctx context.Context) (last bool, err error)
}

// Once runs a function once.
type Once interface{ Do(f func()) }

// Watch holds the latest of several values.
type Watch interface {
	Set(v int) error
	Get() (v int, version uint64)
	Next(ctx context.Context, version uint64) (v int, next uint64, err error)
	Close()
}

// Broadcast delivers values to all its subscriptions.
type Broadcast interface {
	Publish(v int) error
	Subscribe() Subscription
	Close()
}

// Subscription receives the values of a Broadcast. It fails with a ringo.MissedError if it has missed some.
type Subscription interface {
	Recv(ctx context.Context) (int, error)
}
