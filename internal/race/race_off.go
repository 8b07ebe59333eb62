//go:build !race

package race

// Enabled reports whether this is a build with -race.
const Enabled = false

// ReadLike orders the code after it behind every earlier WriteLike, and every earlier write of package syscall. Any
// goroutine may call it, after a read-like operation of the kernel has succeeded: recv, read, accept, connect's end.
func ReadLike() {}

// WriteLike orders the code before it ahead of every later ReadLike, and every later read of package syscall. Any
// goroutine may call it, before a write-like operation is passed to the kernel: send, write, shutdown, connect.
func WriteLike() {}

// ReadRange tells the detector that the calling goroutine lets the kernel read p.
func ReadRange(p []byte) {}

// WriteRange tells the detector that the kernel has written p for the calling
// goroutine.
func WriteRange(p []byte) {}
