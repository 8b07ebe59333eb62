#include "textflag.h"

// func read(place uintptr) unsafe.Pointer
TEXT ·read(SB), NOSPLIT, $0-8
	MOVL place+0(FP), CX
	XORL AX, AX
	TESTL CX, CX
	JEQ  none
	MOVL (TLS), AX
	MOVL (AX)(CX*1), AX
none:
	MOVL AX, ret+4(FP)
	RET

// func address(place uintptr) *unsafe.Pointer
TEXT ·address(SB), NOSPLIT, $0-8
	MOVL place+0(FP), CX
	XORL AX, AX
	TESTL CX, CX
	JEQ  none
	MOVL (TLS), AX
	ADDL CX, AX
none:
	MOVL AX, ret+4(FP)
	RET
