//go:build linux || plan9

package posix

// Of is the error number that a result stands for.
func Of(res int32) Errno { return Errno(-Bare(res)) }

// Result is the result that stands for an error number.
func Result(e Errno) int32 { return -int32(e) }
