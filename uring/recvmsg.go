package uring

import "encoding/binary"

// RecvmsgHeader is the size of the header, struct io_uring_recvmsg_out, in a buffer of PrepRecvmsgMultishot.
const RecvmsgHeader = 16

// A Message is a message that PrepRecvmsgMultishot has received into one buffer. Its slices refer to the buffer.
//
//	┌────────┬──────────────────┬─────────────────────┬────────────┐
//	│ header │ room for a name  │ room for control    │ Payload    │
//	│   16   │ Name ... unused  │ Control ... unused  │            │
//	└────────┴──────────────────┴─────────────────────┴────────────┘
type Message struct {
	Name    []byte // the sender, a sockaddr; empty if unknown
	Control []byte // control messages
	Payload []byte
	// NameLen is more than len(Name) if there was no room for all of it.
	NameLen int
	// Size is the message's length: more than len(Payload) if MSG_TRUNC was set and the message did not fit.
	Size int
	// Flags are MSG_TRUNC, MSG_CTRUNC and the like.
	Flags uint32
}

// ParseRecvmsg parses the first bytes of a buffer, as many as the CQE's result. nameRoom and controlRoom are the
// lengths in the msghdr of the entry. ok is false if b is invalid: too short, or with lengths beyond its end.
func ParseRecvmsg(b []byte, nameRoom, controlRoom int) (m Message, ok bool) {
	if nameRoom < 0 || controlRoom < 0 || len(b) < RecvmsgHeader || len(b)-RecvmsgHeader < nameRoom ||
		len(b)-RecvmsgHeader-nameRoom < controlRoom {
		return Message{}, false
	}
	field := func(i int) uint64 { return uint64(binary.NativeEndian.Uint32(b[4*i:])) }
	name, control, size := field(0), field(1), field(2)
	payload := b[RecvmsgHeader+nameRoom+controlRoom:]
	if control > uint64(controlRoom) || size < uint64(len(payload)) || size > maxIO || name > maxIO {
		return Message{}, false
	}
	m = Message{NameLen: int(name), Size: int(size), Flags: uint32(field(3)), Payload: payload}
	m.Name = b[RecvmsgHeader:][:min(int(name), nameRoom)]
	m.Control = b[RecvmsgHeader+nameRoom:][:control]
	return m, true
}
