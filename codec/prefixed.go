package codec

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// Prefixed is the Codec of frames, which consist of a length and the bytes that it counts. A token is the bytes after
// the length, or with Whole the entire frame. In the zero value lengths are varints, as in streams of protocol buffers.
//
//	&codec.Prefixed{Size: 4, Max: 1 << 20}                 // 4 bytes of length, big-endian
//	&codec.Prefixed{Size: 2, Adjust: -2}                   // a length that counts its own 2 bytes
//	&codec.Prefixed{Offset: 1, Size: 4, Adjust: -4, Whole: true} // PostgreSQL's: a type, and such a length
type Prefixed struct {
	Size   int              // bytes of the length, 8 at most; 0 if it is a varint, as in binary.AppendUvarint
	Order  binary.ByteOrder // of those bytes; nil: binary.BigEndian
	Offset int              // bytes before the length
	Adjust int              // the length plus Adjust is the number of bytes that follow the length
	Whole  bool             // tokens include the length and the bytes before it
	Max    int              // bytes of a whole frame; 0: 65536
}

var _ Codec = (*Prefixed)(nil)

// Errors of invalid lengths.
var (
	errVarint = errors.New("codec: the length is a varint of more than 64 bits")
	errShort  = errors.New("codec: the length is less than what it has to count")
)

// AppendLength appends to dst the length of a frame with n bytes after the length; dst must end with the Offset bytes
// before it. If it fails it returns dst as it was: the error matches bufio.ErrTooLong if the frame would have more than
// Max bytes, or if its length does not fit Size bytes. It panics if n is negative or less than Adjust. Any goroutine
// may call it.
func (p *Prefixed) AppendLength(dst []byte, n int) ([]byte, error) {
	bound := p.bound()
	if n < max(0, p.Adjust) {
		panic(fmt.Sprintf("codec: AppendLength of %d bytes, and %d at least come behind the length", n,
			max(0, p.Adjust)))
	}
	v := uint64(n) - uint64(p.Adjust)
	all, size := dst, p.Size
	if size == 0 {
		all = binary.AppendUvarint(dst, v)
		size = len(all) - len(dst)
	}
	head := p.Offset + size
	if most := uint64(math.MaxUint64) >> (64 - 8*p.Size); p.Size > 0 && v > most {
		bound = head + p.Adjust + int(most) // which is less than n
	}
	if n > bound-head {
		return dst, &tooLong{uint64(head) + uint64(n), bound}
	}
	for i := range p.Size {
		if !p.little() {
			i = p.Size - 1 - i
		}
		all = append(all, byte(v>>(8*i)))
	}
	return all, nil
}

func (p *Prefixed) find(data []byte, _, bound int) (t found, err error) {
	if len(data) < p.Offset {
		return t, nil
	}
	v, size, err := p.length(data[p.Offset:])
	head, behind := p.Offset+size, v+uint64(p.Adjust)
	switch {
	case head > bound: // in pieces it was so before the length, which may be wrong as well, was there
		return t, &tooLong{uint64(head), bound}
	case size == 0 || err != nil:
		return t, err
	case p.Adjust < 0 && v < -uint64(p.Adjust):
		return t, errShort
	case p.Adjust > 0 && behind < v, behind > math.MaxUint64-uint64(head):
		return t, &tooLong{math.MaxUint64, bound}
	case behind+uint64(head) > uint64(bound):
		return t, &tooLong{behind + uint64(head), bound}
	}
	if end := head + int(behind); end <= len(data) {
		t = found{head, end, end}
		if p.Whole {
			t.from = 0
		}
	}
	return t, nil
}

// length reads a length, and returns how many bytes it takes; 0 if not all of them are there.
func (p *Prefixed) length(b []byte) (v uint64, size int, err error) {
	if p.Size == 0 {
		v, size = binary.Uvarint(b)
		if size < 0 || size == 0 && len(b) >= binary.MaxVarintLen64 {
			return 0, binary.MaxVarintLen64, errVarint
		}
		return v, size, nil
	}
	if len(b) < p.Size {
		return 0, 0, nil
	}
	little := p.little()
	for i := range p.Size {
		if little {
			i = p.Size - 1 - i
		}
		v = v<<8 | uint64(b[i])
	}
	return v, p.Size, nil
}

// one is the number 1 in little-endian order.
var one = []byte{1, 0}

func (p *Prefixed) little() bool { return p.Order != nil && p.Order.Uint16(one) == 1 }

func (p *Prefixed) bound() int {
	if p.Size < 0 || p.Size > 8 || p.Offset < 0 || p.Max < 0 {
		panic(fmt.Sprintf("codec: Prefixed with a Size of %d, an Offset of %d and a Max of %d", p.Size, p.Offset,
			p.Max))
	}
	return cmp.Or(p.Max, maxDefault)
}
