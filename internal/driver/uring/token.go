package uring

import "ringo/internal/op"

// A completion carries a token: the op's slot and generation, and in the top bits a mark of what the submission was
// for.
//
//	63    60 59          32 31          0
//	┌──────┬──────────────┬─────────────┐
//	│ mark │  generation  │    slot     │
//	└──────┴──────────────┴─────────────┘
const (
	markOp     = uint64(0) << op.TokenShift // the op itself
	markPoll   = uint64(1) << op.TokenShift // the poll for readiness that the op waits for first
	markCancel = uint64(2) << op.TokenShift // a cancel of the op
	markWake   = uint64(3) << op.TokenShift // the eventfd's poll
	markTimer  = uint64(4) << op.TokenShift // the deadline of a Wait
	markProbe  = uint64(5) << op.TokenShift // the test at opening
	markSend   = uint64(6) << op.TokenShift // a send of the outbox, see sends.go
)

func mark(token uint64) uint64 { return token & op.TokenMarks }

// How an op waits, stored in Op.Mode.
const (
	waitsItself  = iota // in its own entry
	waitsNext           // in the next one of its entries
	waitsReady          // for readiness, by a one-shot poll
	waitsEdge           // for the next change of readiness, by a multishot poll
	waitsPause          // for some time to pass, where readiness tells nothing
	waitsPollEnd        // the op is done, and its multishot poll has still to end
	waitsFile           // for a worker, which makes the call
	waitsPlain          // for readiness, and then makes plain calls, whatever its way
	waitsNotif          // the op is done, and the kernel still has its memory
)

// byItself reports whether the op's completions are those of its own entry, and not of a poll.
func byItself(mode uint8) bool { return mode <= waitsNext }

// byReadiness reports whether the driver makes a plain call after a poll.
func byReadiness(mode uint8) bool { return mode == waitsReady || mode == waitsEdge }
