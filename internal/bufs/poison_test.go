//go:build invariants

package bufs_test

import (
	"bytes"
	"testing"

	"ringo/internal/bufs"
)

// Who reads a buffer after giving it back sees that it is not his any more.
func TestPoison(t *testing.T) {
	p := bufs.NewRingPool(1, 1, 16, nil)
	_, id, _ := p.LendOne()
	b := p.Filled(id, 16)
	mem := b.Mem()
	copy(mem, "somebody's bytes")
	b.Lease(nil).Release()
	p.Available() // released without a mark, it waits to be collected
	if bytes.Contains(mem, []byte("bytes")) {
		t.Errorf("a released buffer still has %q", mem)
	}
}

// So does who reads memory that a connection has given back.
func TestPoisonOfSpare(t *testing.T) {
	var s bufs.Spare
	mem := append(s.Get(16), "somebody's bytes"...)
	if !s.Put(mem) || bytes.Contains(mem, []byte("bytes")) {
		t.Errorf("what was given back still has %q", mem)
	}
}
