package sys

import (
	"encoding/binary"
	"testing"
)

func TestTCPFieldsSize(t *testing.T) {
	if n := binary.Size(TCPFields{}); n != TCPFieldsSize {
		t.Errorf("struct tcp_info is %d bytes, want %d", n, TCPFieldsSize)
	}
}
