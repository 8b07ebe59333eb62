package raftkv

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"hash/fnv"
	"io"

	"go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"

	"ringo/codec"
)

// Bounds, and what happens beyond them.
const (
	entryMax       = 32 << 10  // bytes of key and values in an entry; more is refused
	messageMax     = 256 << 10 // bytes of entries in one message; the rest goes into the next
	inflightMax    = 4 << 20   // bytes of entries on their way to a peer; the rest stays in the log
	uncommittedMax = 8 << 20   // bytes of entries that are not committed; more writes are refused
	outMax         = 256       // messages queued for a peer; more are dropped, and raft repeats what is needed
	chunkMax       = 64 << 10  // bytes of a snapshot that its sender and its receiver have in memory
	frameMax       = 1 << 20   // bytes of a frame; its connection is closed
	recordMax      = 64 << 20  // bytes of a record; the replica ends with an error
	connsMax       = 1000      // connections of a replica; more are closed
	strangersMax   = 64        // addresses known of replicas that are no members; more get no answers
)

// Kind is what a client asks for.
type Kind string

const (
	Get  Kind = "get"
	Put  Kind = "put"  // sets Value
	Swap Kind = "swap" // sets Value if the key has the value Old

	// Changes of the members; Key is the address. Only one at a time is done: for another meanwhile the client gets
	// ErrUnknown.
	Add     Kind = "add"     // as a learner, which gets the log and has no vote
	Promote Kind = "promote" // gives a vote to a learner that has the log
	Remove  Kind = "remove"
)

// Entry is a client's request, and a write in the log.
type Entry struct {
	Kind            Kind   `json:",omitempty"`
	Key, Value, Old []byte `json:",omitempty"`

	ID uint64 `json:",omitempty"` // by which the replica that proposed it recognises it
}

func (e *Entry) size() int { return len(e.Key) + len(e.Value) + len(e.Old) }

// Reply is an answer. If a replica does not know whether a write was done, it ends the connection instead.
type Reply struct {
	Done    bool   `json:",omitempty"` // the request was done
	Refused bool   `json:",omitempty"` // as it would be again
	Why     string `json:",omitempty"` // why nothing was done
	Leader  string `json:",omitempty"` // the replica that may do it
	Value   []byte `json:",omitempty"` // of a Get; a key that was never put has none
	OK      bool   `json:",omitempty"` // Swap has swapped
}

// frames is the format of everything that is sent, and of snapshot files: a length and a CRC-32, 4 bytes each, then
// what the CRC is of: a byte for the kind, and the body.
var frames = &codec.Prefixed{Size: 4, Adjust: 4, Max: 8 + frameMax}

const (
	frameEntry    = 'e' // a client's request
	frameReply    = 'a'
	frameMessage  = 'm' // of raft
	frameSnapshot = 's' // a message of raft with a snapshot, whose chunks follow
	frameChunk    = 'c' // the last one is empty
	framePair     = 'p' // a key and its value, in a snapshot's file
	frameState    = 't' // the first and the last frame of that file
)

func appendFrame(b []byte, kind byte, body []byte) []byte {
	b, err := frames.AppendLength(b, 5+len(body))
	if err != nil {
		panic(fmt.Sprintf("raftkv: a frame of %d bytes: %v", len(body), err))
	}
	sum := crc32.Update(crc32.ChecksumIEEE([]byte{kind}), crc32.IEEETable, body)
	b = append(binary.BigEndian.AppendUint32(b, sum), kind)
	return append(b, body...)
}

func appendJSON(b []byte, kind byte, v any) []byte {
	text, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("raftkv: %T: %v", v, err))
	}
	return appendFrame(b, kind, text)
}

// readFrame waits for a frame. At the end of src the error is io.EOF, and for a broken frame io.ErrUnexpectedEOF.
func readFrame(src codec.Source) (kind byte, body []byte, err error) {
	s := codec.Scanner{Codec: frames}
	p, err := s.Next(nil, src)
	switch {
	case errors.Is(err, bufio.ErrTooLong), err == nil && len(p) < 5:
		return 0, nil, io.ErrUnexpectedEOF
	case err != nil:
		return 0, nil, err
	case crc32.ChecksumIEEE(p[4:]) != binary.BigEndian.Uint32(p):
		return 0, nil, io.ErrUnexpectedEOF
	}
	return p[4], p[5:], nil
}

// readJSON reads a frame, which has to be of kind want.
func readJSON(src codec.Source, want byte, v any) error {
	kind, body, err := readFrame(src)
	if err == nil && kind != want {
		err = fmt.Errorf("raftkv: a frame of kind %q, want %q", kind, want)
	}
	if err != nil {
		return err
	}
	return json.Unmarshal(body, v)
}

// appendMessage appends a frame with a message of raft. Before the message is the address of its sender, since a
// replica that has just joined does not know it.
func appendMessage(b []byte, kind byte, from string, m *raftpb.Message) []byte {
	body := append(binary.AppendUvarint(nil, uint64(len(from))), from...)
	body, err := proto.MarshalOptions{}.MarshalAppend(body, m)
	if err != nil {
		panic(fmt.Sprintf("raftkv: a message: %v", err))
	}
	return appendFrame(b, kind, body)
}

func parseMessage(body []byte) (from string, m *raftpb.Message, err error) {
	n, at := binary.Uvarint(body)
	if at <= 0 || n > uint64(len(body)-at) {
		return "", nil, io.ErrUnexpectedEOF
	}
	body, m = body[at:], new(raftpb.Message)
	from = string(body[:n])
	if err = proto.Unmarshal(body[n:], m); err == nil && m.GetFrom() != number(from) {
		err = fmt.Errorf("raftkv: a message of %x comes from %s", m.GetFrom(), from)
	}
	return from, m, err
}

// number returns the ID that raft uses for a replica.
func number(addr string) uint64 {
	h := fnv.New64a()
	io.WriteString(h, addr)
	return h.Sum64()
}
