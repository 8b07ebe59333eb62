//go:build !linux && !plan9

package posix

import "maps"

// Of returns the system's error number for a result, which has Linux's numbers.
func Of(res int32) Errno {
	n := -Bare(res)
	if n >= foreign {
		return Errno(n - foreign)
	}
	if e, ok := natives[n]; ok {
		return e
	}
	return EIO // only Linux has this number, and no code for this system makes it
}

// Result returns the result for one of the system's error numbers. A number that Linux has no name for is kept, from
// foreign on, so that Of returns it again.
func Result(e Errno) int32 {
	if n, ok := results[e]; ok {
		return -n
	}
	return -(foreign + int32(e))
}

// results maps the system's numbers to Linux's. If two of Linux's numbers are one number here, it is the lower one.
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
