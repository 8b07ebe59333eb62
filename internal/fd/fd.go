// Package fd counts the ops in flight on a descriptor, so that it is not closed under them.
//
// Closing a descriptor under an op is the oldest bug of the trade. The kernel keeps the file alive, so the peer sees
// no FIN, while the number goes to another file, and a late cancel or event hits a stranger. So every op holds a
// reference from submission to its last completion, and a descriptor is closed only when no op holds one.
package fd

import "fmt"

// FD is a descriptor and the state that its loop keeps for it. Only the thread of the loop that owns it may use it. It
// is embedded in the handle that owns the descriptor, and never copied.
//
//	open ──Seal──▶ sealed ──(refs = 0) Take──▶ gone
type FD struct {
	sys  int32
	refs int32
	// Slot is the place, plus one, of this descriptor's registration in a poller; 0: none. Only the driver uses it.
	Slot   uint32
	sealed bool
	// For each direction of a stream: whether an op has claimed it, and how many ops wait for it.
	claimed uint8
	waiting [2]uint16
}

// The directions of a stream.
const (
	In  uint8 = 1
	Out uint8 = 2
)

const gone = -1

// Init makes f stand for the descriptor sys.
func (f *FD) Init(sys int32) { *f = FD{sys: sys} }

// Sys returns the descriptor's number, or -1 after Take.
func (f *FD) Sys() int32 { return f.sys }

// Ref holds the descriptor for one op.
func (f *FD) Ref() {
	if f.sys == gone {
		panic("fd: an op on a descriptor that was closed")
	}
	f.refs++
}

// Unref ends one op's hold.
func (f *FD) Unref() {
	if f.refs--; f.refs < 0 {
		panic(fmt.Sprintf("fd: more ops ended than began (fd %d)", f.sys))
	}
}

// Busy reports whether an op still holds the descriptor.
func (f *FD) Busy() bool { return f.refs > 0 }

// Claim takes a direction for one op. If another op has it, Claim counts the op as waiting and reports false.
func (f *FD) Claim(dir uint8) bool {
	if f.claimed&dir != 0 {
		f.waiting[dir-1]++
		return false
	}
	f.claimed |= dir
	return true
}

// Unclaim ends an op's claim, and returns how many ops wait for the direction.
func (f *FD) Unclaim(dir uint8) (waiting int) {
	f.claimed &^= dir
	return int(f.waiting[dir-1])
}

// Unwait uncounts an op that waited: it got its turn, or gave up.
func (f *FD) Unwait(dir uint8) { f.waiting[dir-1]-- }

// Seal marks the descriptor as closing. It reports false if it was sealed already.
func (f *FD) Seal() bool {
	if f.sealed {
		return false
	}
	f.sealed = true
	return true
}

// Sealed reports whether Seal was called.
func (f *FD) Sealed() bool { return f.sealed }

// Take returns the number to the caller, which closes it or keeps it, and sets it to -1. No op may hold the
// descriptor.
func (f *FD) Take() int32 {
	if f.refs != 0 {
		panic(fmt.Sprintf("fd: closed under %d ops in flight (fd %d)", f.refs, f.sys))
	}
	sys := f.sys
	f.sys = gone
	f.sealed = true
	return sys
}
