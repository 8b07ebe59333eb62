//go:build armbe || arm64be || m68k || mips || mips64 || mips64p32 || ppc || ppc64 || s390 || s390x || shbe || sparc || sparc64

package abi

// BigEndian says how this machine orders the bytes of a word; the kernel's ABI follows it.
const BigEndian = true
