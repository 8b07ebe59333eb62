package uring

import (
	"encoding/binary"
	"testing"
	"unsafe"

	"ringo/internal/abi"
)

// FuzzBufRing adds and commits buffers while a kernel takes some, and compares with a queue. The tail, two bytes that
// share a word with an id, starts anywhere.
func FuzzBufRing(f *testing.F) {
	for _, start := range []uint16{0, 1, 0x7fff, 0xfffd, 0xffff} {
		f.Add(start, uint8(0), []byte{1, 1, 0, 2, 1, 0, 2, 2, 1, 1, 0, 0x1e})
		f.Add(start, uint8(3), []byte("add some, commit, take; add without commit, and so on \x01\x01\x01\x00\xfe"))
	}
	f.Fuzz(func(t *testing.T, start uint16, log2 uint8, script []byte) {
		entries := 2 << (log2 % 5)
		ring := make([]abi.Io_uring_buf, entries)
		b := &BufRing{entries: unsafe.Pointer(&ring[0]), mask: uint32(entries - 1), next: start}
		b.Commit()
		m := bufModel{ring: ring, head: start}
		memory := make([]byte, 1<<16)
		for i, op := range script {
			switch op % 3 {
			case 0:
				b.Commit()
				m.shown += m.hidden
				m.hidden = 0
			case 1:
				if m.shown+m.hidden == entries {
					continue // the caller counts
				}
				mem, id := memory[i&0x7fff:][:int(op)+1], uint16(i*257)
				b.Add(mem, id)
				m.queue = append(m.queue,
					abi.Io_uring_buf{Addr: ptr(unsafe.Pointer(&mem[0])), Len: uint32(len(mem)), Bid: id})
				m.hidden++
			case 2:
				for range min(int(op/3), m.shown) {
					m.take(t)
				}
			}
			if tail := m.tail(); tail != m.head+uint16(m.shown) {
				t.Fatalf("tail %d, want %d and %d", tail, m.head, m.shown)
			}
		}
	})
}

// bufModel is the kernel's side, and what it should find.
type bufModel struct {
	ring          []abi.Io_uring_buf
	head          uint16
	queue         []abi.Io_uring_buf // added and not taken, oldest first
	shown, hidden int                // of those, committed and not
}

// tail reads the last two bytes of the first entry.
func (m *bufModel) tail() uint16 {
	return binary.NativeEndian.Uint16((*[16]byte)(unsafe.Pointer(&m.ring[0]))[14:])
}

func (m *bufModel) take(t *testing.T) {
	t.Helper()
	got := m.ring[int(m.head)&(len(m.ring)-1)]
	got.Resv = 0
	if got != m.queue[0] {
		t.Fatalf("the kernel takes %+v, want %+v", got, m.queue[0])
	}
	m.queue = m.queue[1:]
	m.head++
	m.shown--
}
