//go:build linux && (amd64 || arm64)

package peek

import "runtime"

// framePointers says whether the compiler keeps them on this architecture.
const framePointers = true

// linkRegister says whether a call leaves the address to return to in a register, and not on the stack.
const linkRegister = runtime.GOARCH == "arm64"
