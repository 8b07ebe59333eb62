package buf

import "ringo/internal/bufs"

// Lease is a buffer in the user's hands, with the bytes that came in it. It is a
// value: copies stand for the same buffer, and it must be released once. The
// zero Lease is empty.
type Lease bufs.Lease

// Bytes is what came. The caller may read and write it until Release; afterwards
// the memory belongs to somebody else. Any goroutine may call it.
func (b Lease) Bytes() []byte { return bufs.Lease(b).Bytes() }

// Release gives the buffer back. Any goroutine may call it, also after the loop
// has ended. Releasing the zero Lease does nothing; releasing a buffer twice
// panics, because by then it may hold another connection's bytes.
func (b Lease) Release() { bufs.Lease(b).Release() }

// Of makes a lease of plain memory, for sock.Conn.WriteLease and the like. Releasing
// it gives nothing back. Any goroutine may call it.
func Of(p []byte) Lease { return Lease(bufs.Of(p, nil)) }
