//go:build !linux && !plan9 && !wasip1 && !windows

package posix

import "syscall"

// more are the entries of natives that wasip1 lacks. Windows has a table of its own.
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
