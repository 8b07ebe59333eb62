package sys

// Completed returns a completion's result. Kernels before Linux 6.2 or so may return internal restart codes of a call
// that a signal has interrupted, which no system call returns: they become EINTR.
func Completed(res int32) int32 {
	const restartSys, restartNoIntr, restartNoHand, restartBlock = 512, 513, 514, 516 // see linux/errno.h
	switch res {
	case -restartSys, -restartNoIntr, -restartNoHand, -restartBlock:
		return -EINTR
	}
	return res
}
