//go:build linux

package uringtest

import (
	"fmt"
	"math/rand/v2"
)

// A Point is a place at which a kernel is free to choose.
type Point uint8

// The points, with what each choice but 0 means. 0 is always what a kernel does
// that has room, memory and time.
const (
	EnterFails Point = iota // nothing is taken: 1 EAGAIN, 2 EBUSY
	TakeLess                // k entries fewer are taken, and the call does not wait
	Interrupt               // the wait ends at once: EINTR if nothing was taken
	Punt                    // the op is not tried at first, but waits for readiness
	// the op is not done but completes: 1 EAGAIN, 2 EINTR, 3 ERESTARTSYS; a close is done and 2
	NotReady
	NoBuffers    // the group is found empty: ENOBUFS
	Short        // of what is there only k bytes are received
	RunLater     // a descriptor's readiness is noticed k rounds late
	PostLater    // a completion appears k rounds late
	PickCQE      // the k-th of the completions that are due comes first
	EndMultishot // 1 with a result, 2 and 3 with an error behind it
	AnswerCancel // 1 ENOENT though it waits, 2 EALREADY, 3 the op is faster, 4 EALREADY though it waits
	PollAgain    // a multishot poll tells once more what is still true
	LieTaskrun   // work is announced, and there is none
	Scribble     // lent memory that nothing was received into is overwritten
	// a zero-copy send: 1 copies and has no notification, 2 has it much later, 3 is refused for lack of memory
	Notify
	FileFails // an op of a file or a name is not done: 1 EIO, 2 ENOSPC, 3 EDQUOT, 4 EROFS
	SendShort // of a send that does not wait only k bytes find room
	Refuse    // a send that does not wait is refused as it is taken: 1 ENOMEM
	GiveUp    // an op is not done, for want of a thread that could: 1 ECANCELED
	Points    // how many there are
)

var pointNames = [Points]string{"EnterFails", "TakeLess", "Interrupt", "Punt", "NotReady", "NoBuffers", "Short",
	"RunLater", "PostLater", "PickCQE", "EndMultishot", "AnswerCancel", "PollAgain", "LieTaskrun",
	"Scribble", "Notify", "FileFails", "SendShort", "Refuse", "GiveUp"}

func (p Point) String() string {
	if p < Points {
		return pointNames[p]
	}
	return fmt.Sprintf("Point(%d)", uint8(p))
}

// A Script decides. It returns a number below n, which is at least 2. r is the
// request that the choice is about, nil where there is none; the script must not
// change it.
type Script func(p Point, n int, r *Request) int

// Random makes the unruly kernel of a seed. Each seed has its own temper: it does
// some things often, some seldom and some never, so that over many seeds all
// combinations meet, also those in which one fault would hide another.
func Random(seed uint64) Script {
	rng := rand.New(rand.NewPCG(seed, 0x5eed))
	var chance [Points]int  // in 1024
	for p := range GiveUp { // which is left to others: the driver's workers know no clock but the real one
		chance[p] = []int{0, 0, 16, 128, 512}[rng.IntN(5)]
	}
	inRow := 0 // how often an enter got nowhere
	return func(p Point, n int, _ *Request) int {
		if p == GiveUp || rng.IntN(1024) >= chance[p] {
			if p == TakeLess || p == Interrupt {
				inRow = 0
			}
			return 0
		}
		if p == EnterFails || p == TakeLess || p == Interrupt {
			// However short of memory, the kernel gets on.
			if inRow++; inRow > 4 {
				return 0
			}
		}
		return 1 + rng.IntN(n-1)
	}
}

// Once makes a script that takes choice k at the next point p that is about a
// request for which is holds, and is calm elsewhere. A nil is holds for all.
func Once(p Point, k int, is func(r *Request) bool) Script { return Times(1, p, k, is) }

// Times is Once for the next times.
func Times(times int, p Point, k int, is func(r *Request) bool) Script {
	return func(at Point, n int, r *Request) int {
		if at != p || times == 0 || k >= n || is != nil && (r == nil || !is(r)) {
			return 0
		}
		times--
		return k
	}
}
