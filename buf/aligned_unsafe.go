package buf

import (
	"fmt"
	"unsafe"
)

// Aligned returns n bytes of Go memory at an address that is a multiple of align, a power of two, as direct I/O needs
// it (see file.File.DirectAlign). It is zeroed, and garbage-collected like other memory. Go's heap doesn't move, so the
// address stays.
func Aligned(n, align int) []byte {
	if n < 0 || align <= 0 || align&(align-1) != 0 {
		panic(fmt.Sprintf("buf: Aligned of %d bytes at a multiple of %d", n, align))
	}
	p := make([]byte, n+align-1)
	skip := -int(uintptr(unsafe.Pointer(unsafe.SliceData(p)))) & (align - 1)
	return p[skip : skip+n : skip+n]
}
