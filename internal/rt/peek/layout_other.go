//go:build !linux || (!amd64 && !arm64)

package peek

// framePointers says whether the compiler keeps frame pointers on this architecture.
const framePointers = false

// linkRegister is used only with frame pointers.
const linkRegister = false
