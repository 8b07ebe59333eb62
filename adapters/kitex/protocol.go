package ringokitex

import (
	"bytes"
	"encoding/binary"
	"reflect"

	"github.com/cloudwego/gopkg/protocol/ttheader"
	"github.com/cloudwego/kitex/pkg/remote"
	"github.com/cloudwego/kitex/pkg/remote/codec"
	"github.com/cloudwego/kitex/pkg/remote/trans/nphttp2"
	"github.com/cloudwego/kitex/pkg/remote/trans/nphttp2/grpc"
	"github.com/cloudwego/kitex/pkg/remote/trans/ttstream"
)

// kind says what a connection carries.
type kind uint8

const (
	unknown  kind = iota
	messages      // one after the other, each with its answer
	streams       // gRPC, or streams by TTHeader
	client        // a connection of kitex's client
)

// headLen is how many bytes of the first message identify its protocol: no message of any protocol is shorter.
const headLen = 8

// kindOf returns the kind that the first bytes identify.
func kindOf(head []byte) kind {
	if bytes.HasPrefix(grpc.ClientPreface, head[:headLen]) || ttheader.IsStreaming(head) {
		return streams
	}
	return messages
}

// lengthOf returns the length of a message from its first bytes, or 0 if they do not have it.
func lengthOf(head []byte) int {
	switch binary.BigEndian.Uint32(head[4:]) & codec.MagicMask {
	case codec.TTHeaderMagic, codec.ThriftV1Magic, codec.ProtobufV1Magic:
		if binary.BigEndian.Uint32(head)&codec.MagicMask != codec.ThriftV1Magic { // ThriftV1Magic here means no frame
			return 4 + int(binary.BigEndian.Uint32(head))
		}
	}
	return 0
}

// streaming are the factories of handlers that serve only streams, and read from the start of the connection.
var streaming = map[reflect.Type]bool{
	reflect.TypeOf(nphttp2.NewSvrTransHandlerFactory()):  true,
	reflect.TypeOf(ttstream.NewSvrTransHandlerFactory()): true,
}

// kindFrom returns the kind of all connections of a server, or unknown if their first bytes identify it.
func kindFrom(f remote.ServerTransHandlerFactory) kind {
	if streaming[reflect.TypeOf(f)] {
		return streams
	}
	return unknown
}
