package raftkv

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
)

// A frame is how messages travel and how records stand in the journal:
//
//	length of the JSON, 4 bytes | its CRC-32C, 4 bytes | JSON
const (
	frameHead = 8
	frameMax  = 1 << 20
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// errTorn is for a frame that was not written as a whole.
var errTorn = errors.New("raftkv: a frame is torn")

func appendFrame(b []byte, v any) []byte {
	text, err := json.Marshal(v)
	if err != nil || len(text) > frameMax {
		panic(fmt.Sprintf("raftkv: a frame of %d bytes: %v", len(text), err)) // entryMax and batchMax keep it from that
	}
	b = binary.BigEndian.AppendUint32(b, uint32(len(text)))
	b = binary.BigEndian.AppendUint32(b, crc32.Checksum(text, castagnoli))
	return append(b, text...)
}

// readFrame reads a frame into v and says how many bytes that was. Where r ends it is io.EOF or io.ErrUnexpectedEOF.
func readFrame(r io.Reader, v any) (n int, err error) {
	var head [frameHead]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return 0, err
	}
	size := binary.BigEndian.Uint32(head[:])
	if size == 0 || size > frameMax {
		return 0, errTorn
	}
	text := make([]byte, size)
	if _, err := io.ReadFull(r, text); err != nil {
		return 0, err
	}
	if crc32.Checksum(text, castagnoli) != binary.BigEndian.Uint32(head[4:]) {
		return 0, errTorn
	}
	return frameHead + len(text), json.Unmarshal(text, v)
}
