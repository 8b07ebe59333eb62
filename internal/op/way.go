package op

import "ringo/uring"

// How is the manner in which a driver over io_uring runs an op.
type How uint8

const (
	// ByEntry: one entry, and the kernel does the rest. A multishot op yields all its
	// completions from it.
	ByEntry How = iota
	// ByEntries: a multishot op by one entry after the other.
	ByEntries
	// ByReadiness: an entry that waits for readiness, then the plain call.
	ByReadiness
	// ByCall: the plain call at once, for ops that never wait.
	ByCall
	// ByOffload: the plain call, on a thread where it may wait.
	ByOffload
)

// A Way is one way to run an op. A row lists its own in the order of preference; the
// first whose needs are met is taken, once, when a ring is opened.
type Way struct {
	Name   string // for people
	How    How
	Opcode uring.Op // of the entry, if there is one
	Prep   func(o *Op, e *uring.SQE)
	// Checks are self-tests of package uring that must have passed.
	Checks []string
	// Only and Never are flags of the ops that this way can serve.
	Only, Never Flags
	// NeedsExt: Prep fills in the op's Ext, which the driver provides.
	NeedsExt bool
}

// Serves reports whether ops with these flags can go this way.
func (w *Way) Serves(f Flags) bool { return f&w.Only == w.Only && f&w.Never == 0 }

// single is the way of an entry that completes once, for ops that do.
func single(code uring.Op, prep func(*Op, *uring.SQE), checks ...string) Way {
	return Way{Name: "entry", How: ByEntry, Opcode: code, Prep: prep, Checks: checks, Never: Multishot}
}

// shots is the way of a multishot entry.
func shots(code uring.Op, prep func(*Op, *uring.SQE), checks ...string) Way {
	return Way{Name: "multishot entry", How: ByEntry, Opcode: code, Prep: prep, Checks: checks, Only: Multishot}
}

func readiness() Way {
	return Way{Name: "readiness, then a call", How: ByReadiness, Opcode: uring.OpPollAdd}
}
func call() Way    { return Way{Name: "call", How: ByCall} }
func offload() Way { return Way{Name: "offload", How: ByOffload} }

// ways are the rows' lists. Sends are never entries: see the package comment of
// driver/uring.
var ways = [Codes][]Way{
	Nop: {single(uring.OpNop, prepNop), call()},
	Accept: {
		single(uring.OpAccept, prepAccept),
		shots(uring.OpAccept, prepAccept, uring.CheckAcceptMultishot),
		{Name: "entries, one after the other", How: ByEntries, Opcode: uring.OpAccept,
			Prep: prepAcceptOne, Only: Multishot},
		readiness(),
	},
	Connect: {single(uring.OpConnect, prepConnect), readiness()},
	Recv: {
		single(uring.OpRecv, prepRecv).never(Select),
		single(uring.OpRecv, prepRecv, uring.CheckBufRing).only(Select),
		shots(uring.OpRecv, prepRecv, uring.CheckBufRing, uring.CheckRecvMultishot),
		readiness(),
	},
	Send:   {readiness()},
	SendZC: {single(uring.OpSendZC, prepSendZC), readiness()},
	Recvmsg: {
		single(uring.OpRecvmsg, prepRecvmsg).never(Select),
		single(uring.OpRecvmsg, prepRecvmsg, uring.CheckBufRing).only(Select),
		shots(uring.OpRecvmsg, prepRecvmsg, uring.CheckBufRing, uring.CheckRecvMultishot),
		readiness(),
	},
	Sendmsg:  {readiness()},
	Shutdown: {single(uring.OpShutdown, prepShutdown), call()},
	Close:    {single(uring.OpClose, prepClose), call()},
	Socket:   {single(uring.OpSocket, prepSocket), call()},
	Poll: {
		single(uring.OpPollAdd, prepPoll),
		shots(uring.OpPollAdd, prepPoll, uring.CheckPollMultishot),
		// It ends with its first completion, as a multishot op may at any time.
		{Name: "entry", How: ByEntry, Opcode: uring.OpPollAdd, Prep: prepPollOne, Only: Multishot},
	},
	Timeout: {single(uring.OpTimeout, prepTimeout)},
	Cancel:  {single(uring.OpAsyncCancel, prepCancel)},
	Read: {
		single(uring.OpRead, prepRead),
		{Name: "vectored entry", How: ByEntry, Opcode: uring.OpReadv, Prep: prepReadv, NeedsExt: true},
		offload(),
	},
	Write: {
		single(uring.OpWrite, prepWrite),
		{Name: "vectored entry", How: ByEntry, Opcode: uring.OpWritev, Prep: prepWritev, NeedsExt: true},
		offload(),
	},
	ReadAt: {
		single(uring.OpRead, prepRead),
		{Name: "vectored entry", How: ByEntry, Opcode: uring.OpReadv, Prep: prepReadv, NeedsExt: true},
		offload(),
	},
	WriteAt: {
		single(uring.OpWrite, prepWriteAt),
		{Name: "vectored entry", How: ByEntry, Opcode: uring.OpWritev, Prep: prepWritevAt, NeedsExt: true},
		offload(),
	},
	Open:      {offload()},
	CloseFile: {offload()},
	// An entry of these is half the price of a worker, and ends with a thread of the
	// kernel's as well.
	Openat2:    {single(uring.OpOpenat2, prepOpenat2), offload()},
	Statx:      {single(uring.OpStatx, prepStatx), offload()},
	Mkdirat:    {single(uring.OpMkdirat, prepMkdirat), offload()},
	Unlinkat:   {single(uring.OpUnlinkat, prepUnlinkat), offload()},
	Renameat:   {single(uring.OpRenameat, prepRenameat), offload()},
	Linkat:     {single(uring.OpLinkat, prepLinkat), offload()},
	Symlinkat:  {single(uring.OpSymlinkat, prepSymlinkat), offload()},
	Readlinkat: {offload()},
	Getdents:   {offload()},
	Chmodat:    {offload()},
	Chownat:    {offload()},
	Utimensat:  {offload()},
	Mknodat:    {offload()},
	Truncate:   {offload()},
	CopyRange:  {offload()},
	Clone:      {offload()},
	Lseek:      {offload()},
	ReadVec:    {single(uring.OpReadv, prepReadVec), offload()},
	WriteVec:   {single(uring.OpWritev, prepWriteVec), offload()},
	Sync:       {single(uring.OpFsync, prepSync), offload()},
	SyncRange:  {offload()},
	Allocate:   {single(uring.OpFallocate, prepAllocate), offload()},
	Advise:     {offload()},
	Ftruncate:  {single(uring.OpFtruncate, prepFtruncate), offload()},
	Stat:       {offload()},
	StatFS:     {offload()},
	Chmod:      {offload()},
	Chown:      {offload()},
	Chtimes:    {offload()},
	GetAttr:    {offload()},
	SetAttr:    {offload()},
	ListAttrs:  {offload()},
	RemoveAttr: {offload()},
	Lock:       {offload()},
	Recvmmsg:   {readiness()},
	Sendmmsg:   {readiness()},
	SpliceIn:   {readiness()},
	SpliceOut:  {readiness()},
	Sendfile:   {readiness()},
}

func (w Way) only(f Flags) Way  { w.Only |= f; return w }
func (w Way) never(f Flags) Way { w.Never |= f; return w }

// Ways lists the row's ways, the best one first.
func (c Code) Ways() []Way { return ways[c] }
