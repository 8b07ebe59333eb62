package fd

import "testing"

func TestLife(t *testing.T) {
	var f FD
	f.Init(7)
	f.Ref()
	f.Ref()
	f.Unref()
	if !f.Busy() || f.Sys() != 7 {
		t.Fatalf("busy %v, sys %d, want a busy fd 7", f.Busy(), f.Sys())
	}
	if !f.Seal() || f.Seal() || !f.Sealed() {
		t.Fatal("Seal must succeed exactly once")
	}
	f.Unref()
	if f.Busy() {
		t.Fatal("busy after its last op ended")
	}
	if got := f.Take(); got != 7 || f.Sys() != -1 {
		t.Fatalf("Take() = %d leaving %d, want 7 leaving -1", got, f.Sys())
	}
}

func TestMisuse(t *testing.T) {
	for name, misuse := range map[string]func(f *FD){
		"closed under an op":   func(f *FD) { f.Ref(); f.Take() },
		"op on a closed fd":    func(f *FD) { f.Take(); f.Ref() },
		"more unrefs than ops": func(f *FD) { f.Unref() },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			var f FD
			f.Init(3)
			misuse(&f)
		})
	}
}

func TestTurns(t *testing.T) {
	var f FD
	f.Init(5)
	if !f.Claim(In) || !f.Claim(Out) {
		t.Fatal("a free direction was not given")
	}
	if f.Claim(In) || f.Claim(In) {
		t.Fatal("a direction was given twice")
	}
	if n := f.Unclaim(Out); n != 0 {
		t.Errorf("%d wait for Out, want 0", n)
	}
	if n := f.Unclaim(In); n != 2 {
		t.Errorf("%d wait for In, want 2", n)
	}
	f.Unwait(In)
	if !f.Claim(In) {
		t.Fatal("a direction that was given up is not free")
	}
	if n := f.Unclaim(In); n != 1 {
		t.Errorf("%d wait for In, want 1", n)
	}
}
