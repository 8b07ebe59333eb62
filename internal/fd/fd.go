// Package fd keeps what a descriptor must not outlive: the ops in flight on it.
//
// Closing a descriptor under an op is the oldest bug of the trade. The kernel
// keeps the file alive, so the peer sees no FIN, while the number is given to
// somebody else and a late cancel or event hits a stranger. So every op holds a
// reference from submission to its last completion, and a descriptor is closed
// only when nobody holds one.
package fd

import "fmt"

// FD is a descriptor and the state that its loop keeps for it. One loop owns it;
// only that loop's thread may touch it. It is embedded in the handle that owns
// the descriptor and never copied.
//
//	open ──Seal──▶ sealed ──(refs = 0) Take──▶ gone
type FD struct {
	sys  int32
	refs int32
	// Slot is where a poller keeps this descriptor's registration, plus one;
	// 0: none. Only the driver touches it.
	Slot   uint32
	sealed bool
	// For each direction of a stream: whether an op is in flight, and how many
	// wait for their turn.
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

// Sys is the descriptor's number, or -1 once it was taken to be closed.
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

// Claim takes a direction for one op. If another op has it, the claim counts as
// waiting and is false.
func (f *FD) Claim(dir uint8) bool {
	if f.claimed&dir != 0 {
		f.waiting[dir-1]++
		return false
	}
	f.claimed |= dir
	return true
}

// Unclaim ends an op's claim and says how many ops wait for the direction.
func (f *FD) Unclaim(dir uint8) (waiting int) {
	f.claimed &^= dir
	return int(f.waiting[dir-1])
}

// Unwait takes back the claim of an op that waited: it got its turn, or left.
func (f *FD) Unwait(dir uint8) { f.waiting[dir-1]-- }

// Seal marks the descriptor as closing. It reports false if it was already.
func (f *FD) Seal() bool {
	if f.sealed {
		return false
	}
	f.sealed = true
	return true
}

// Sealed reports whether Seal was called.
func (f *FD) Sealed() bool { return f.sealed }

// Take gives the number to the one who closes it and leaves none behind.
func (f *FD) Take() int32 {
	if f.refs != 0 {
		panic(fmt.Sprintf("fd: closed under %d ops in flight (fd %d)", f.refs, f.sys))
	}
	sys := f.sys
	f.sys = gone
	f.sealed = true
	return sys
}
