#include "textflag.h"

// func read(place uintptr) unsafe.Pointer
TEXT ·read(SB), NOSPLIT, $0-16
	MOVQ place+0(FP), CX
	XORL AX, AX
	TESTQ CX, CX
	JEQ  none
	MOVQ (TLS), AX
	MOVQ (AX)(CX*1), AX
none:
	MOVQ AX, ret+8(FP)
	RET

// func address(place uintptr) *unsafe.Pointer
TEXT ·address(SB), NOSPLIT, $0-16
	MOVQ place+0(FP), CX
	XORL AX, AX
	TESTQ CX, CX
	JEQ  none
	MOVQ (TLS), AX
	ADDQ CX, AX
none:
	MOVQ AX, ret+8(FP)
	RET
