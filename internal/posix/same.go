//go:build linux || plan9

package posix

// Of returns the error number of a result.
func Of(res int32) Errno { return Errno(-Bare(res)) }

// Result returns the result for an error number.
func Result(e Errno) int32 { return -int32(e) }
