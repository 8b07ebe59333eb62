package buf_test

import (
	"fmt"

	"ringo/buf"
)

// A lease comes from sock.Conn.Next. The bytes are the holder's until Release, which must be called once; here the
// buffer's pool stands for a connection.
func ExampleLease() {
	pool := buf.NewPool(1, 1, 16, nil)
	b := pool.Take()
	b.Off, b.End = 0, copy(b.Mem(), "what came")

	lease := b.Lease(nil)
	fmt.Printf("%s, %d buffer in use\n", lease.Bytes(), pool.InUse())
	lease.Release()
	fmt.Println(pool.Available(), "buffer free")

	defer func() { fmt.Println("panic:", recover()) }()
	lease.Release()
	// Output:
	// what came, 1 buffer in use
	// 1 buffer free
	// panic: buf: lease released twice (buffer 0, generation 0, now 1)
}
