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

// kind is what a connection carries.
type kind uint8

const (
	unknown  kind = iota
	messages      // one after the other, each with its answer
	streams       // gRPC, or streams by TTHeader
	client        // what kitex's client makes of it
)

// headLen is how much of the first message tells its protocol: no message of any is shorter.
const headLen = 8

// kindOf tells the kind by the first bytes.
func kindOf(head []byte) kind {
	if bytes.HasPrefix(grpc.ClientPreface, head[:headLen]) || ttheader.IsStreaming(head) {
		return streams
	}
	return messages
}

// lengthOf is the length of a message by its first bytes, 0 if these do not tell.
func lengthOf(head []byte) int {
	switch binary.BigEndian.Uint32(head[4:]) & codec.MagicMask {
	case codec.TTHeaderMagic, codec.ThriftV1Magic, codec.ProtobufV1Magic:
		if binary.BigEndian.Uint32(head)&codec.MagicMask != codec.ThriftV1Magic { // which has no frame
			return 4 + int(binary.BigEndian.Uint32(head))
		}
	}
	return 0
}

// streaming are the factories of handlers that know nothing but streams, and read from the connection's begin on.
var streaming = map[reflect.Type]bool{
	reflect.TypeOf(nphttp2.NewSvrTransHandlerFactory()):  true,
	reflect.TypeOf(ttstream.NewSvrTransHandlerFactory()): true,
}

// kindFrom is the kind of all connections of a server, unknown if their first bytes tell.
func kindFrom(f remote.ServerTransHandlerFactory) kind {
	if streaming[reflect.TypeOf(f)] {
		return streams
	}
	return unknown
}
