//go:build darwin || dragonfly || freebsd || netbsd || openbsd || (linux && portable)

package sys

import (
	"encoding/binary"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A message is a kind of control message that has the same content as on Linux, but another number.
type message struct {
	level, typ             int32 // Linux's
	nativeLevel, nativeTyp int32
	octet                  bool // one byte here when received, an int on Linux
}

// rights are the only messages that all systems have in common.
var rights = message{level: SolSocket, typ: 1, nativeLevel: unix.SOL_SOCKET, nativeTyp: unix.SCM_RIGHTS}

// controlSlack is how much longer the system's control messages may be than Linux's.
const controlSlack = 64

// controlRoom is the room that messages are received with, whatever the caller's room: as much as the systems send in
// one message, a cluster of their mbufs. Darwin opens all descriptors that come, and truncates their list afterwards:
// the ones that were cut off would stay open, and a peer could send hundreds.
const controlRoom = 2048 + controlSlack

var controlRooms = sync.Pool{New: func() any { return new([controlRoom]byte) }}

// linuxWord is the size of the first field of Linux's control messages, their length, and the alignment of each.
const linuxWord = int(unsafe.Sizeof(uintptr(0)))

const linuxHeader = linuxWord + 8

func linuxSpace(n int) int { return (linuxHeader + n + linuxWord - 1) &^ (linuxWord - 1) }

// NativeControl converts Linux's control messages to the system's, for calls that other packages make. -EOPNOTSUPP:
// the system has no such message.
func NativeControl(control []byte) (native []byte, res int32) { return nativeControl(control) }

// LinuxControl converts the system's control messages to Linux's.
func LinuxControl(native []byte) []byte {
	room := make([]byte, len(native)+controlSlack)
	n, _ := linuxControl(room, native)
	return room[:n]
}

// nativeControl converts Linux's control messages to the system's. -EOPNOTSUPP: the system has no such message.
func nativeControl(control []byte) (native []byte, res int32) {
	for len(control) >= linuxHeader {
		var n int
		if linuxWord == 8 {
			n = int(binary.NativeEndian.Uint64(control))
		} else {
			n = int(binary.NativeEndian.Uint32(control))
		}
		if n < linuxHeader || n > len(control) {
			return nil, -EINVAL
		}
		level := int32(binary.NativeEndian.Uint32(control[linuxWord:]))
		typ := int32(binary.NativeEndian.Uint32(control[linuxWord+4:]))
		m, ok := messageOf(func(m *message) bool { return m.level == level && m.typ == typ })
		if !ok || m.octet {
			return nil, -EOPNOTSUPP
		}
		native = appendNative(native, m, control[linuxHeader:n])
		control = control[min(linuxSpace(n-linuxHeader), len(control)):]
	}
	return native, 0
}

func messageOf(is func(m *message) bool) (message, bool) {
	if is(&rights) {
		return rights, true
	}
	for i := range messages {
		if is(&messages[i]) {
			return messages[i], true
		}
	}
	return message{}, false
}

func appendNative(b []byte, m message, data []byte) []byte {
	at := len(b)
	b = append(b, make([]byte, unix.CmsgSpace(len(data)))...)
	h := (*unix.Cmsghdr)(unsafe.Pointer(&b[at]))
	h.Level, h.Type = m.nativeLevel, m.nativeTyp
	h.SetLen(unix.CmsgLen(len(data)))
	copy(b[at+unix.CmsgLen(0):], data)
	return b
}

// linuxControl stores received messages in room, as Linux does. cut reports that something did not fit, or was cut
// before. It makes descriptors close-on-exec, and closes those that don't fit.
func linuxControl(room, native []byte) (written int, cut bool) {
	if len(native) == 0 {
		return 0, false
	}
	got, err := unix.ParseSocketControlMessage(native)
	if err != nil {
		closeCut(native)
		return 0, true
	}
	for _, g := range got {
		m, ok := messageOf(func(m *message) bool {
			return m.nativeLevel == g.Header.Level && m.nativeTyp == g.Header.Type
		})
		if !ok {
			continue // Linux has no such message
		}
		data := g.Data
		if m.octet && len(data) > 0 {
			data = binary.NativeEndian.AppendUint32(nil, uint32(data[0]))
		}
		fits := len(data)
		if m == rights {
			fits = closeOnExec(data, (len(room)-written-linuxHeader)/4*4)
		} else if linuxHeader+fits > len(room)-written {
			fits = 0
		}
		cut = cut || fits < len(data)
		if fits > 0 {
			written += putLinux(room[written:], m, data[:fits])
		}
	}
	return written, cut
}

// closeCut closes the descriptors in messages whose last one states a greater length than it has: on Darwin that is a
// truncated message, and the process has its descriptors.
func closeCut(native []byte) {
	for len(native) >= unix.CmsgLen(0) {
		h := (*unix.Cmsghdr)(unsafe.Pointer(&native[0]))
		n := int(h.Len)
		if n < unix.CmsgLen(0) {
			return
		}
		if h.Level == rights.nativeLevel && h.Type == rights.nativeTyp {
			closeOnExec(native[unix.CmsgLen(0):min(n, len(native))], 0)
		}
		native = native[min(unix.CmsgSpace(n-unix.CmsgLen(0)), len(native)):]
	}
}

// closeOnExec makes descriptors close-on-exec, as many as there is room for, and closes the others.
func closeOnExec(data []byte, room int) (fits int) {
	for at := 0; at+4 <= len(data); at += 4 {
		fd := int(int32(binary.NativeEndian.Uint32(data[at:])))
		if at+4 > room {
			unix.Close(fd)
			continue
		}
		unix.CloseOnExec(fd)
		fits = at + 4
	}
	return fits
}

// putLinux stores a message in room, and returns its size there.
func putLinux(room []byte, m message, data []byte) int {
	if linuxWord == 8 {
		binary.NativeEndian.PutUint64(room, uint64(linuxHeader+len(data)))
	} else {
		binary.NativeEndian.PutUint32(room, uint32(linuxHeader+len(data)))
	}
	binary.NativeEndian.PutUint32(room[linuxWord:], uint32(m.level))
	binary.NativeEndian.PutUint32(room[linuxWord+4:], uint32(m.typ))
	copy(room[linuxHeader:], data)
	return min(linuxSpace(len(data)), len(room))
}
