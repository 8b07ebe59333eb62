package offload

import (
	"time"

	"ringo/internal/sys"
)

// Engine runs requests to their end. One thread owns it and makes all calls; none
// but Close waits. How it tells the owner that Next has something is given to its
// constructor.
type Engine interface {
	// Submit hands the request over: 0, or a negated errno that says why this
	// engine doesn't take it. Then the request was not touched. What is submitted
	// may not begin before Flush.
	Submit(r *Request) int32
	// Flush has all begin that was submitted.
	Flush()
	// Cancel asks for the request's end; it must be submitted and not have come
	// from Next. If it reports true the request is its owner's again and Next
	// will not give it: it had not begun and never will. If false, it ends as its
	// call ends.
	Cancel(r *Request) bool
	// Next gives a request that has ended, with its Res, or nil if there is none
	// at present. Each comes once.
	Next() *Request
	// Pending is how many requests are submitted and have not come back.
	Pending() int
	// Close refuses later requests and waits until those submitted have ended, at
	// most for the time given; Next then still gives them. What has not ended
	// keeps its memory for ever, and is counted.
	Close(within time.Duration) (left int)
}

var (
	_ Engine = (*Workers)(nil)
	_ Engine = (*AIO)(nil)
)

// Kind says what a request is.
type Kind uint8

// The kinds.
const (
	// Call calls Call.
	Call Kind = iota
	// Read and Write move Buf from or to FD at Off, once: a count may come short.
	// A negative Off is the file's position. With Vec they move what that names.
	Read
	Write
	// Sync and SyncData are fsync(2) and fdatasync(2) of FD.
	Sync
	SyncData
)

// Request is one call that may block. Its owner fills it in and leaves it alone
// while it is submitted.
type Request struct {
	Kind Kind
	FD   int32
	// Res is the result, a value or a negated errno. A Call that ends its
	// goroutine has -ECANCELED.
	Res int32
	Buf []byte
	Vec []sys.Iovec // in Buf's place if it is not nil
	Off int64
	// Call is run on a goroutine of its own. It is bound once and kept.
	Call func() int32
	// User is the owner's.
	User any

	worker *workerCall // in Workers
	slot   *slot       // in AIO
	next   *Request    // in AIO: ended, and not given back yet
}
