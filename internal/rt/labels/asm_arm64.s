#include "textflag.h"

// func read(place uintptr) unsafe.Pointer
TEXT ·read(SB), NOSPLIT, $0-16
	MOVD place+0(FP), R0
	MOVD ZR, R1
	CBZ  R0, none
	MOVD (g)(R0), R1
none:
	MOVD R1, ret+8(FP)
	RET

// func address(place uintptr) *unsafe.Pointer
TEXT ·address(SB), NOSPLIT, $0-16
	MOVD place+0(FP), R0
	MOVD ZR, R1
	CBZ  R0, none
	ADD  g, R0, R1
none:
	MOVD R1, ret+8(FP)
	RET
