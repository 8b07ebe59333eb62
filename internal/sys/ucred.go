package sys

// Ucred is who the process at the other end of a Unix socket is: struct ucred of the
// Linux ABI, see unix(7).
type Ucred struct {
	PID int32
	UID uint32
	GID uint32
}
