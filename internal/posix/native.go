//go:build !linux && !plan9

package posix

import "maps"

// Of is the system's error number for a result of Linux's.
func Of(res int32) Errno {
	n := -Bare(res)
	if n >= foreign {
		return Errno(n - foreign)
	}
	if e, ok := natives[n]; ok {
		return e
	}
	return EIO // a number that only Linux has, and none of those that are made here
}

// Result is the result that stands for one of the system's error numbers.
func Result(e Errno) int32 {
	if n, ok := results[e]; ok {
		return -n
	}
	return -(foreign + int32(e))
}

// results are Linux's numbers by those of the system. Where two of Linux's are one here, the lower is it.
var results = func() map[Errno]int32 {
	m := map[Errno]int32{}
	for n := int32(133); n > 0; n-- {
		if e, ok := natives[n]; ok {
			m[e] = n
		}
	}
	maps.Copy(m, others)
	return m
}()
