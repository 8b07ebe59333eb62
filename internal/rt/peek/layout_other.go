//go:build !linux || (!amd64 && !arm64)

package peek

// framePointers says whether the compiler keeps them on this architecture.
const framePointers = false

// linkRegister has a meaning where there are frame pointers.
const linkRegister = false
