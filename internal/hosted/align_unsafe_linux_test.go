//go:build linux

package hosted

import "unsafe"

// aligned is n bytes that O_DIRECT takes.
func aligned(n int) []byte {
	p := make([]byte, n+block)
	skip := -int(uintptr(unsafe.Pointer(unsafe.SliceData(p)))) & (block - 1)
	return p[skip : skip+n : skip+n]
}
