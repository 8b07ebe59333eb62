//go:build !linux && !plan9 && !wasip1 && !windows

package posix

import "syscall"

// more are numbers that all systems of this package have, except wasip1. Keys are Linux's numbers.
var more = map[int32]Errno{
	42:  syscall.ENOMSG,
	43:  syscall.EIDRM,
	61:  noData,
	66:  syscall.EREMOTE,
	71:  syscall.EPROTO,
	74:  syscall.EBADMSG,
	87:  syscall.EUSERS,
	94:  syscall.ESOCKTNOSUPPORT,
	96:  syscall.EPFNOSUPPORT,
	108: syscall.ESHUTDOWN,
	109: syscall.ETOOMANYREFS,
	112: syscall.EHOSTDOWN,
}
