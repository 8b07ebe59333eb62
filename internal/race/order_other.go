//go:build race && !unix

package race

// ReadLike does nothing here: on this system nothing bypasses package syscall.
func ReadLike() {}

// WriteLike does nothing here: on this system nothing bypasses package syscall.
func WriteLike() {}
