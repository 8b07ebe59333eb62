//go:build !portable

#include "textflag.h"

// func enterNow(fd int, submit, flags uint32) (result int)
TEXT ·enterNow(SB), NOSPLIT, $0-24
	MOVQ fd+0(FP), DI
	MOVL submit+8(FP), SI
	MOVL flags+12(FP), R10
	MOVL $426, AX // io_uring_enter
	XORL DX, DX
	XORL R8, R8
	XORL R9, R9
	SYSCALL
	MOVQ AX, result+16(FP)
	RET
