package buf_test

import (
	"fmt"

	"ringo/buf"
)

// A lease comes from sock.Conn.Next, or from bytes of one's own. The bytes are the holder's until Release, which must
// be called once.
func ExampleLease() {
	lease := buf.Of([]byte("what came"))
	fmt.Printf("%s\n", lease.Bytes())
	lease.Release()

	defer func() { fmt.Println("panic:", recover()) }()
	lease.Release()
	// Output:
	// what came
	// panic: buf: lease released twice (buffer 0, generation 0, now 1)
}
