package mailbox

import "testing"

// A sender that stops between reading the first free node and taking it must not
// succeed when that node has left and come back meanwhile: the successor that it
// read may be in use by now.
func TestSlabTellsReturnedNodes(t *testing.T) {
	var s slab[int]
	a, an := s.get()
	b, bn := s.get()
	s.put(b, bn)
	s.put(a, an) // free: a, b, ...
	before := s.free.Load()
	if ref(before) != a {
		t.Fatalf("the first free node is %d, want %d", ref(before), a)
	}

	// All that follows happens while a sender stands after the load above.
	a, an = s.get()
	if b2, _ := s.get(); b2 != b {
		t.Fatalf("got node %d, want %d", b2, b)
	}
	s.put(a, an) // free: a, ..., and b is in use

	after := s.free.Load()
	if ref(after) != a {
		t.Fatalf("the first free node is %d, want %d", ref(after), a)
	}
	if s.free.CompareAndSwap(before, before) {
		t.Error("the sender would take a and put b, which is in use, on the free list")
	}
}

// Every node is handed out once, over several chunks, and then again.
func TestSlabHandsOutEachNodeOnce(t *testing.T) {
	var s slab[int]
	const n = firstChunk * 7 // three chunks
	for range 2 {
		nodes := map[ref]*node[int]{}
		for range n {
			r, node := s.get()
			if nodes[r] != nil {
				t.Fatalf("node %d is handed out twice", r)
			}
			if s.at(r) != node {
				t.Fatalf("node %d is not where its reference leads", r)
			}
			nodes[r] = node
		}
		for r, node := range nodes {
			s.put(r, node)
		}
	}
	if s.chunks[3].Load() != nil {
		t.Error("nodes that were given back are not handed out again")
	}
}
