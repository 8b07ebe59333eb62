package uring

import "ringo/internal/op"

// A completion carries a token: the op's slot and generation, and in the top bits
// what the submission was for.
//
//	63    60 59          32 31          0
//	┌──────┬──────────────┬─────────────┐
//	│ mark │  generation  │    slot     │
//	└──────┴──────────────┴─────────────┘
const (
	markOp     = uint64(0) << op.TokenShift // the op itself
	markPoll   = uint64(1) << op.TokenShift // readiness that the op waits for first
	markCancel = uint64(2) << op.TokenShift // a cancel of the op
	markWake   = uint64(3) << op.TokenShift // the eventfd's poll
	markTimer  = uint64(4) << op.TokenShift // the deadline of a wait
	markProbe  = uint64(5) << op.TokenShift // the test at opening
	markSend   = uint64(6) << op.TokenShift // a send of the outbox, see sends.go
)

func mark(token uint64) uint64 { return token & op.TokenMarks }

// How an op waits, in Op.Mode.
const (
	waitsItself  = iota // in its own submission
	waitsNext           // in the next of its own submissions
	waitsReady          // for readiness, by a poll that ends with it
	waitsEdge           // for the next change of readiness, by a multishot poll
	waitsPause          // for a moment to pass, where readiness tells nothing
	waitsPollEnd        // it is done, and the multishot poll has still to end
	waitsFile           // for a worker, who makes the call
	waitsPlain          // for readiness, and then for plain calls, whatever its way
	waitsNotif          // it is done, and what it was lent has still to come back
)

// byItself reports whether completions are the op's own, and not those of a poll.
func byItself(mode uint8) bool { return mode <= waitsNext }

// byReadiness reports whether a call of ours follows a poll.
func byReadiness(mode uint8) bool { return mode == waitsReady || mode == waitsEdge }
