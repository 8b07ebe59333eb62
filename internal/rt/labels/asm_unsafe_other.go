//go:build !amd64 && !arm64 && !386

package labels

import "unsafe"

// readable reports whether read works on this architecture.
const readable = false

func read(uintptr) unsafe.Pointer     { return nil }
func address(uintptr) *unsafe.Pointer { return nil }
