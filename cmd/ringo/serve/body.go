package serve

import (
	"errors"
	"io"
)

// errShorter is of a file that has become shorter than was said.
var errShorter = errors.New("the file was cut while it was sent")

// sendSpan sends bytes of a file. head goes before them. The client was told how many they are: if
// they can't be had, the connection is to be closed.
func (a *answer) sendSpan(head []byte, o *servedFile, s byteRange) error {
	h, room, before := a.h, int64(pieceMax), int64(0)
	for s.n > 0 {
		h.touch(a.c)
		var n int
		var err error
		now := h.now()
		if may := o.sendable(h, s.off, min(s.n, room)); may > 0 {
			a.out = true
			n, err = a.c.SendFile(head, o.file, s.off, may)
			o.passed(s.off, int64(n), before, now)
			room = roomAfter(int64(n), may)
			switch {
			case errors.Is(err, io.ErrUnexpectedEOF):
				err = errShorter
			case errors.Is(err, errors.ErrUnsupported):
				o.noSend, err = true, nil
			}
		} else {
			n, err = a.sendRead(head, o, s)
		}
		if err != nil {
			return err
		}
		head, before = nil, now
		s.off += int64(n)
		s.n -= int64(n)
	}
	if len(head) > 0 {
		return a.write(head)
	}
	return nil
}

// roomAfter guesses for how much there will be room, after n bytes of so many were sent: what is not
// sent was looked at in vain.
func roomAfter(n, of int64) int64 {
	if n == of {
		return pieceMax
	}
	return min(max(2*n, pieceMin), pieceMax)
}

// sendRead sends the head and the file's next bytes, up to a chunk's end, from memory of the
// loop's.
func (a *answer) sendRead(head []byte, o *servedFile, s byteRange) (int, error) {
	h := a.h
	b := h.getMem(len(head) + chunkBytes)
	defer h.putMem(b)
	number := s.off / chunkBytes
	n := int(min(s.n, (number+1)*chunkBytes-s.off))
	b = append(b, head...)
	switch _, err := o.file.ReadAt(b[len(head):len(head)+n], s.off); {
	case err == io.EOF:
		return 0, errShorter
	case err != nil:
		return 0, err
	case s.off == number*chunkBytes && (n == chunkBytes || s.off+int64(n) == o.size):
		o.warmed(number, h.now())
	}
	return n, a.write(b[:len(head)+n])
}

// The sizes of buffers that are kept, and how many of each.
const (
	smallBytes = 6 << 10
	largeBytes = chunkBytes + 2<<10
	keptMax    = 32
)

// getMem gives an empty buffer with room for n bytes.
func (h *handler) getMem(n int) []byte {
	list, size := &h.small, smallBytes
	if n > smallBytes {
		list, size = &h.large, max(n, largeBytes)
	}
	if k := len(*list); k > 0 && cap((*list)[k-1]) >= n {
		b := (*list)[k-1]
		*list = (*list)[:k-1]
		return b
	}
	return make([]byte, 0, size)
}

// putMem takes a buffer back.
func (h *handler) putMem(b []byte) {
	switch {
	case cap(b) == smallBytes && len(h.small) < keptMax:
		h.small = append(h.small, b[:0])
	case cap(b) == largeBytes && len(h.large) < keptMax:
		h.large = append(h.large, b[:0])
	}
}
