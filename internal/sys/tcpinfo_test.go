package sys

import "testing"

func TestTCPFieldsSize(t *testing.T) {
	if n := len(new(TCPFields).Bytes()); n != 224 {
		t.Errorf("struct tcp_info is %d bytes, want 224", n)
	}
}
