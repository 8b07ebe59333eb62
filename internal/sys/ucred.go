package sys

// Ucred identifies the process at the other end of a Unix socket: struct ucred of the Linux ABI, see unix(7).
type Ucred struct {
	PID int32
	UID uint32
	GID uint32
}
