package buf_test

import (
	"fmt"
	"reflect"

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

// Direct I/O wants memory at an address that is a multiple of the block size: see file.File.DirectAlign.
func ExampleAligned() {
	block := buf.Aligned(8192, 4096)
	fmt.Println(len(block), reflect.ValueOf(block).Pointer()%4096)
	// Output: 8192 0
}
