package uring

import (
	"bytes"
	"encoding/binary"
	"testing"
)

// front is a buffer's header.
func front(name, control, size, flags uint32) (b []byte) {
	for _, v := range []uint32{name, control, size, flags} {
		b = binary.NativeEndian.AppendUint32(b, v)
	}
	return b
}

func TestParseRecvmsg(t *testing.T) {
	whole := append(front(3, 2, 5, 7), "nam.co..hello"...)
	for name, c := range map[string]struct {
		b             []byte
		name, control int
		want          Message
		ok            bool
	}{
		"whole": {whole, 4, 4,
			Message{Name: []byte("nam"), Control: []byte("co"), Payload: []byte("hello"), NameLen: 3,
				Size: 5, Flags: 7}, true},
		"no rooms": {append(front(0, 0, 2, 0), "hi"...), 0, 0, Message{Payload: []byte("hi"), Size: 2},
			true},
		"nothing": {front(0, 0, 0, 0), 0, 0, Message{}, true},
		"name cut": {append(front(9, 0, 1, 0), "namex"...), 4, 0,
			Message{Name: []byte("name"), Payload: []byte("x"), NameLen: 9, Size: 1}, true},
		"message cut": {append(front(0, 0, 100, 0x20), "part"...), 0, 0,
			Message{Payload: []byte("part"), Size: 100, Flags: 0x20}, true},
		"no header":               {whole[:15], 0, 0, Message{}, false},
		"no room for the name":    {whole[:19], 4, 0, Message{}, false},
		"no room for control":     {whole[:23], 4, 4, Message{}, false},
		"more control than room":  {append(front(0, 5, 0, 0), "ctrl"...), 0, 4, Message{}, false},
		"less than there is":      {append(front(0, 0, 1, 0), "hi"...), 0, 0, Message{}, false},
		"endless":                 {front(0, 0, 1<<32-1, 0), 0, 0, Message{}, false},
		"an endless name":         {front(1<<32-1, 0, 0, 0), 0, 0, Message{}, false},
		"a room below zero":       {whole, -1, 4, Message{}, false},
		"rooms that overflow":     {whole, 1<<31 - 1, 1<<31 - 1, Message{}, false},
		"a control of below zero": {whole, 4, -4, Message{}, false},
	} {
		t.Run(name, func(t *testing.T) {
			got, ok := ParseRecvmsg(c.b, c.name, c.control)
			if ok != c.ok || !bytes.Equal(got.Name, c.want.Name) || !bytes.Equal(got.Control, c.want.Control) ||
				!bytes.Equal(got.Payload, c.want.Payload) ||
				got.NameLen != c.want.NameLen || got.Size != c.want.Size || got.Flags != c.want.Flags {
				t.Errorf("%+v, %v, want %+v, %v", got, ok, c.want, c.ok)
			}
		})
	}
}

// FuzzParseRecvmsg: whatever a buffer holds, what is read of it are its own bytes, in their order.
func FuzzParseRecvmsg(f *testing.F) {
	f.Add(append(front(3, 2, 5, 7), "nam.co..hello"...), 4, 4)
	f.Add(front(1<<31, 1<<31, 1<<31, 0), 0, 0)
	f.Add([]byte{}, 1<<31-1, 1<<31-1)
	f.Fuzz(func(t *testing.T, b []byte, name, control int) {
		m, ok := ParseRecvmsg(b, name, control)
		if !ok {
			return
		}
		if len(m.Name) > name || len(m.Control) > control || RecvmsgHeader+name+control+len(m.Payload) != len(b) ||
			m.Size < len(m.Payload) || m.NameLen < len(m.Name) {
			t.Errorf("%d bytes with rooms of %d and %d gave %+v", len(b), name, control, m)
		}
	})
}
