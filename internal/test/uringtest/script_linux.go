//go:build linux

package uringtest

import (
	"fmt"
	"math/rand/v2"
)

// A Point is a place at which a kernel has a choice.
type Point uint8

// The points, with the meaning of each choice other than 0. 0 is always what a kernel with room, memory and time does.
const (
	EnterFails Point = iota // nothing is taken: 1 EAGAIN, 2 EBUSY
	TakeLess                // k entries fewer are taken, and the call does not wait
	Interrupt               // the wait ends at once: EINTR if nothing was taken
	Punt                    // the op is not tried at first, but waits for readiness
	// the op is not done but completes: 1 EAGAIN, 2 EINTR, 3 ERESTARTSYS; a close is done, and 2 is its result all the
	// same
	NotReady
	NoBuffers    // the group is found empty: ENOBUFS
	Short        // only k bytes of what is there are received
	RunLater     // a descriptor's readiness is noticed k rounds late
	PostLater    // a completion appears k rounds late
	PickCQE      // the k-th of the completions that are due comes first
	EndMultishot // 1 ends it with a result, 2 and 3 with an error after one
	AnswerCancel // 1 ENOENT though the op waits, 2 EALREADY, 3 the op ends first, 4 EALREADY though the op waits
	PollAgain    // a multishot poll reports again what is still true
	LieTaskrun   // work is announced, but there is none
	Scribble     // lent memory is overwritten where nothing was received
	// a zero-copy send: 1 copies and has no notification, 2 has one much later, 3 fails for want of memory
	Notify
	FileFails // an op on a file or a name is not done: 1 EIO, 2 ENOSPC, 3 EDQUOT, 4 EROFS
	SendShort // a send that does not wait finds room for k bytes only
	Refuse    // a send that does not wait is refused as it is taken: 1 ENOMEM
	GiveUp    // an op is not done, for want of a thread to run it: 1 ECANCELED
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

// A Script decides at a point. It returns a number from 0 to n-1; n is at least 2. r is the request that the choice is
// about, or nil if there is none. The script must not change it.
type Script func(p Point, n int, r *Request) int

// Random returns the unruly kernel of a seed. Each seed has its own temper: it does some things often, some seldom and
// some never. So over many seeds all combinations occur, including those in which one fault would hide another.
func Random(seed uint64) Script {
	rng := rand.New(rand.NewPCG(seed, 0x5eed))
	var chance [Points]int  // in 1024
	for p := range GiveUp { // GiveUp is left out: the driver's workers have only the real clock
		chance[p] = []int{0, 0, 16, 128, 512}[rng.IntN(5)]
	}
	inRow := 0 // how often in a row an enter achieved nothing
	return func(p Point, n int, _ *Request) int {
		if p == GiveUp || rng.IntN(1024) >= chance[p] {
			if p == TakeLess || p == Interrupt {
				inRow = 0
			}
			return 0
		}
		if p == EnterFails || p == TakeLess || p == Interrupt {
			// Even a kernel short of memory makes progress in the end.
			if inRow++; inRow > 4 {
				return 0
			}
		}
		return 1 + rng.IntN(n-1)
	}
}

// Once returns a script that takes choice k at the next point p about a request for which is returns true, and that is
// calm otherwise. A nil is accepts all.
func Once(p Point, k int, is func(r *Request) bool) Script { return Times(1, p, k, is) }

// Times is Once for the next so many times.
func Times(times int, p Point, k int, is func(r *Request) bool) Script {
	return func(at Point, n int, r *Request) int {
		if at != p || times == 0 || k >= n || is != nil && (r == nil || !is(r)) {
			return 0
		}
		times--
		return k
	}
}
