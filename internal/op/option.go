package op

import "ringo/internal/sys"

// The rows with one face: they set a socket up or ask about it, and never wait.

// Bind binds FD to Ext.Addr.
func attemptBind(o *Op) int32 { return sys.Bind(o.FD.Sys(), &o.Ext.Addr) }

// Listen makes FD a listener; Arg is the backlog.
func attemptListen(o *Op) int32 { return sys.Listen(o.FD.Sys(), int(o.Arg)) }

// SetOption sets option Arg2 of level Arg to Off.
func attemptSetOption(o *Op) int32 {
	return sys.SetsockoptInt(o.FD.Sys(), int(o.Arg), int(o.Arg2), int(o.Off))
}

// SetLinger makes Close wait Off seconds for unsent bytes; negative: in the
// background, as it is without the option.
func attemptSetLinger(o *Op) int32 {
	return sys.SetLinger(o.FD.Sys(), o.Off >= 0, int(max(o.Off, 0)))
}

// GetOption gives the value of option Arg2 of level Arg in Off.
func attemptGetOption(o *Op) int32 {
	value, res := sys.GetsockoptInt(o.FD.Sys(), int(o.Arg), int(o.Arg2))
	o.Off = int64(value)
	return res
}

// Dup gives another descriptor of what FD stands for, CLOEXEC, as fcntl(2)'s
// F_DUPFD_CLOEXEC does. It is in blocking mode if FD is.
func attemptDup(o *Op) int32 { return sys.Dup(o.FD.Sys()) }

// Fcntl is fcntl(2) with the command Arg, of those that take a number: Off. The
// status flags that it may set are those of the open file, which others may share.
func attemptFcntl(o *Op) int32 { return sys.Fcntl(o.FD.Sys(), int(o.Arg), int(o.Off)) }

// GetOptionBytes puts option Arg2 of level Arg into Buf; the result is its length,
// as the kernel has it or as there is room for.
func attemptGetOptionBytes(o *Op) int32 {
	return sys.Getsockopt(o.FD.Sys(), int(o.Arg), int(o.Arg2), o.Buf)
}

// SetOptionBytes sets option Arg2 of level Arg to the bytes in Buf.
func attemptSetOptionBytes(o *Op) int32 {
	return sys.Setsockopt(o.FD.Sys(), int(o.Arg), int(o.Arg2), o.Buf)
}

// Resident reports whether all of Arg bytes of FD, a file, from Off on are in memory: 1
// or 0, or that nobody can tell, see sys.Resident.
func attemptResident(o *Op) int32 { return sys.Resident(o.FD.Sys(), o.Off, int64(o.Arg)) }

// SockName and PeerName put FD's own and its peer's address into Ext.Addr.
func attemptSockName(o *Op) int32 { return sys.Getsockname(o.FD.Sys(), &o.Ext.Addr) }

func attemptPeerName(o *Op) int32 { return sys.Getpeername(o.FD.Sys(), &o.Ext.Addr) }
