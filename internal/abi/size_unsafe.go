package abi

import "unsafe"

var _ [16]byte = [unsafe.Sizeof(Kernel_timespec{})]byte{}
