package sys

import "encoding/binary"

// AFVsock is the address family of sockets between virtual machines and their host, see vsock(7). Only Linux has it.
const AFVsock = 40

// Offsets and the size of sockaddr_vm, see vsock(7).
const (
	vmSize      = 16
	offVMPort   = 4
	offVMNumber = 8
)

// SetVsock encodes a context identifier and a port.
func (sa *Sockaddr) SetVsock(cid, port uint32) {
	*sa = Sockaddr{}
	b := sa.bytes()
	binary.NativeEndian.PutUint16(b[:], AFVsock)
	binary.NativeEndian.PutUint32(b[offVMPort:], port)
	binary.NativeEndian.PutUint32(b[offVMNumber:], cid)
	sa.len = vmSize
}

// Vsock decodes what SetVsock has encoded; zeros for any other family.
func (sa *Sockaddr) Vsock() (cid, port uint32) {
	if sa.Family() != AFVsock || sa.len < vmSize {
		return 0, 0
	}
	b := sa.bytes()
	return binary.NativeEndian.Uint32(b[offVMNumber:]), binary.NativeEndian.Uint32(b[offVMPort:])
}
