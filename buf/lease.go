package buf

import "ringo/internal/bufs"

// A Lease is a buffer that the program holds, with the bytes received in it. It is a value: copies refer to the same
// buffer, which must be released once. The zero Lease is empty.
type Lease bufs.Lease

// Bytes returns the received bytes. The caller may read and write them until Release; after that the memory is used for
// other connections. Any goroutine may call it.
func (b Lease) Bytes() []byte { return bufs.Lease(b).Bytes() }

// Release gives the buffer back. Any goroutine may call it, even after the loop has ended. Releasing the zero Lease
// does nothing; releasing a buffer twice panics, because by then it may hold another connection's bytes.
func (b Lease) Release() { bufs.Lease(b).Release() }

// Of makes a lease of ordinary memory, for sock.Conn.WriteLease and the like. Release gives nothing back, but must be
// called once, as for other leases. Any goroutine may call it.
func Of(p []byte) Lease { return Lease(bufs.Of(p, nil)) }
