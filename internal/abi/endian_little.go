//go:build !(armbe || arm64be || m68k || mips || mips64 || mips64p32 || ppc || ppc64 || s390 || s390x || shbe || sparc || sparc64)

package abi

// BigEndian reports whether this machine, and with it the kernel's ABI, puts a word's most significant byte first.
const BigEndian = false
