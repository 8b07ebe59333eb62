package op

import "testing"

// When an op was begun is remembered by its slot, also where the slots around it were never begun, and in a chunk that
// was given back and made anew.
func TestBegan(t *testing.T) {
	s := NewSlab(0)
	var ops []*Op
	for range 2*chunkSize + latelyMax {
		ops = append(ops, s.Get(Nop))
	}
	for i, o := range ops {
		if i/chunkSize != 1 {
			s.Begin(o, int64(i)+1)
		}
	}
	for i, o := range ops {
		want := int64(i) + 1
		if i/chunkSize == 1 {
			want = 0
		}
		if at := s.Began(o); at != want {
			t.Fatalf("op %d began at %d, want %d", i, at, want)
		}
		if at := s.Began(o); at != 0 {
			t.Fatalf("op %d began at %d once more", i, at)
		}
	}
	if s.chunks[1].began != nil {
		t.Error("a chunk of which nobody has noted a time has memory for it")
	}
	for _, o := range ops {
		s.Put(o)
	}
	for s.Trim() {
	}
	for i := range s.chunks[1:] {
		if s.chunks[1+i].began != nil {
			t.Errorf("chunk %d was given back without its times", 1+i)
		}
	}
	for i := range ops {
		o := s.Get(Nop)
		if at := s.Began(o); at != 0 {
			t.Fatalf("op %d began at %d before it was", i, at)
		}
		if s.Begin(o, int64(i)+1); s.Began(o) != int64(i)+1 {
			t.Fatalf("op %d lacks its time after a trim", i)
		}
	}
}
