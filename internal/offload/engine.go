package offload

import (
	"time"

	"ringo/internal/sys"
)

// Engine runs requests until they end. One thread owns it and makes all calls; only Close waits. How it signals that
// Next has a request is an argument of its constructor.
type Engine interface {
	// Submit hands the request over. It returns 0, or a negated errno that says why this engine does not take the
	// request, which it has not touched then. A submitted request may not begin before Flush.
	Submit(r *Request) int32
	// Flush lets all submitted requests begin.
	Flush()
	// Cancel asks for the request's end; the request must be submitted and Next must not have returned it. If Cancel
	// returns true, the request never began, belongs to its owner again, and Next will not return it. If it returns
	// false, the request ends when its call ends.
	Cancel(r *Request) bool
	// Next returns a request that has ended, with its Res, or nil if there is none at present. It returns each request
	// once.
	Next() *Request
	// Pending returns how many requests were submitted and have not come back.
	Pending() int
	// Close refuses later requests and waits until those submitted have ended, at most for the time within; Next still
	// returns them. It returns the number of requests that have not ended, whose memory is kept for ever.
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
	// Read and Write move Buf from or to FD at Off, by one call: the count may be short. A negative Off means the
	// file's position. With Vec they move what that names.
	Read
	Write
	// Sync and SyncData are fsync(2) and fdatasync(2) of FD.
	Sync
	SyncData
)

// Request is one call that may block. Its owner fills it in, and does not touch it while it is submitted.
type Request struct {
	Kind Kind
	FD   int32
	// Res is the result, a value or a negated errno. It is -ECANCELED for a Call that ends its goroutine.
	Res int32
	Buf []byte
	Vec []sys.Iovec // in Buf's place if it is not nil
	Off int64
	// Call runs on a goroutine of a worker. It is bound once and kept.
	Call func() int32
	// User is for the owner.
	User any

	worker *workerCall // in Workers
	slot   *slot       // in AIO
	next   *Request    // in AIO: ended, and not returned by Next yet
}
