//go:build linux && (amd64 || arm64)

package peek

import "runtime"

// framePointers says whether the compiler keeps frame pointers on this architecture.
const framePointers = true

// linkRegister says whether a call leaves its return address in a register, and not on the stack.
const linkRegister = runtime.GOARCH == "arm64"
