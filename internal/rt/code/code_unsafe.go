package code

import "unsafe"

// Of returns the code of a function. F is a function type.
func Of[F any](fn F) Func {
	p := *(*unsafe.Pointer)(unsafe.Pointer(&fn))
	if p == nil {
		return 0
	}
	return *(*Func)(p)
}
