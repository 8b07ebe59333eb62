package mailbox

import (
	"fmt"
	"slices"
	"sync"
	"testing"

	"ringo/internal/test/alloctest"
	"ringo/internal/test/testmain"
)

func all[T any](b Batch[T]) []T {
	var got []T
	for v, ok := b.Next(); ok; v, ok = b.Next() {
		got = append(got, v)
	}
	return got
}

func TestQueueOrder(t *testing.T) {
	var q Queue[int]
	for round := range 3 {
		if !q.Empty() {
			t.Fatal("not empty at the start of a round")
		}
		want := []int{}
		for i := range 1000 {
			want = append(want, round*1000+i)
			if !q.Push(round*1000 + i) {
				t.Fatal("an open queue refused a value")
			}
		}
		if q.Empty() {
			t.Fatal("empty after pushes")
		}
		if got := all(q.Take()); !slices.Equal(got, want) {
			t.Fatalf("round %d: got %v, want %v", round, got, want)
		}
	}
}

// What is pushed while a batch is read belongs to the next one.
func TestBatchHasAnEnd(t *testing.T) {
	var q Queue[int]
	q.Push(0)
	b := q.Take()
	for v, ok := b.Next(); ok; v, ok = b.Next() {
		q.Push(v + 1)
	}
	if got, want := all(q.Take()), []int{1}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// A batch that is read over several turns keeps its nodes while others are reused.
func TestBatchInPieces(t *testing.T) {
	var q Queue[int]
	for i := range 100 {
		q.Push(i)
	}
	b := q.Take()
	for i := range 100 {
		if v, ok := b.Next(); !ok || v != i {
			t.Fatalf("Next = %d, %v, want %d", v, ok, i)
		}
		q.Push(1000 + i)
		q.Push(2000 + i)
		if i%10 == 0 {
			all(q.Take())
		}
	}
	if !b.Empty() {
		t.Error("the batch is not empty at its end")
	}
}

func TestQueueClose(t *testing.T) {
	var q Queue[string]
	q.Push("a")
	q.Push("b")
	if got, want := all(q.Close()), []string{"a", "b"}; !slices.Equal(got, want) {
		t.Errorf("Close returned %v, want %v", got, want)
	}
	if q.Push("c") {
		t.Error("a closed queue accepted a value")
	}
	if !q.Closed() || !q.Empty() {
		t.Errorf("Closed %v, Empty %v, want both", q.Closed(), q.Empty())
	}
	if got := append(all(q.Take()), all(q.Close())...); got != nil {
		t.Errorf("after Close: %v, want nothing", got)
	}
}

// Values that have been delivered must not be kept alive by the nodes.
func TestQueueDropsValues(t *testing.T) {
	var q Queue[*int]
	for range 10 {
		q.Push(new(int))
	}
	all(q.Take())
	chunk := *q.nodes.chunks[0].Load()
	for i := range chunk {
		if chunk[i].value != nil {
			t.Fatalf("node %d still holds its value", i)
		}
	}
}

func TestLocate(t *testing.T) {
	wantChunk, wantPlace := 0, 0
	for r := ref(1); r < 5000; r++ {
		if chunk, place := locate(r); chunk != wantChunk || place != wantPlace {
			t.Fatalf("locate(%d) = %d, %d, want %d, %d", r, chunk, place, wantChunk, wantPlace)
		}
		if wantPlace++; wantPlace == firstChunk<<wantChunk {
			wantChunk, wantPlace = wantChunk+1, 0
		}
	}
	if chunk, place := locate(undeliveredMax); chunk != chunksMax-1 || place != firstChunk<<chunk-1 {
		t.Errorf("the last reference is at %d, %d", chunk, place)
	}
	if uint64(undeliveredMax) >= uint64(shut) {
		t.Error("a node could have the reference that means closed")
	}
}

func TestQueueNoAllocs(t *testing.T) {
	var q Queue[func()]
	fn := func() {}
	round := func() {
		for range 500 {
			q.Push(fn)
		}
		b := q.Take()
		for f, ok := b.Next(); ok; f, ok = b.Next() {
			f()
		}
	}
	round()
	if got := alloctest.Least(100, 0.1, round); got > 0.1 {
		t.Errorf("%v allocations a round, want 0", got)
	}
}

type message struct{ sender, n int }

// receive checks the order per sender and counts.
type receive struct {
	t    *testing.T
	last []int
	n    int
}

func (r *receive) all(b Batch[message]) {
	for m, ok := b.Next(); ok; m, ok = b.Next() {
		if m.n != r.last[m.sender]+1 {
			r.t.Fatalf("sender %d: message %d after %d", m.sender, m.n, r.last[m.sender])
		}
		r.last[m.sender] = m.n
		r.n++
	}
}

// Senders push until they are refused. What they were told was accepted must be
// exactly what the owner got, and in order.
func TestQueueExactAtClose(t *testing.T) {
	const senders = 4
	rounds := 50
	if !testmain.Long() {
		rounds = 5
	}
	for round := range rounds {
		var (
			q        Queue[message]
			wg       sync.WaitGroup
			accepted [senders]int
		)
		for s := range senders {
			wg.Go(func() {
				for n := 1; q.Push(message{s, n}); n++ {
					accepted[s] = n
				}
			})
		}
		got := &receive{t: t, last: make([]int, senders)}
		for got.n < 50*(round+1) {
			got.all(q.Take())
		}
		got.all(q.Close())
		wg.Wait()
		if want := accepted[:]; !slices.Equal(got.last, want) {
			t.Fatalf("round %d: accepted %v, delivered %v", round, want, got.last)
		}
	}
}

// FuzzQueue runs a program of pushes, takes, partial reads and a close on a
// queue and on a slice.
func FuzzQueue(f *testing.F) {
	f.Add([]byte{0, 0, 0, 4, 6, 6, 0, 4, 7, 0})
	f.Add([]byte{7, 0, 4})
	f.Add([]byte("abcdefghabcdefgh"))
	f.Fuzz(func(t *testing.T, prog []byte) {
		var (
			q             Queue[int]
			b             Batch[int]
			queued, batch []int
			closed        bool
		)
		next := 0
		for i, op := range prog {
			at := fmt.Sprintf("step %d of %v", i, prog)
			switch op % 8 {
			case 0, 1, 2, 3: // push some
				for range int(op)/8 + 1 {
					if ok := q.Push(next); ok == closed {
						t.Fatalf("%s: Push = %v, closed %v", at, ok, closed)
					}
					if !closed {
						queued = append(queued, next)
					}
					next++
				}
			case 4: // take, once the last batch has been read
				for len(batch) > 0 {
					batch = read(t, at, &b, batch)
				}
				b, batch, queued = q.Take(), queued, nil
			case 5, 6: // read some
				for range int(op)/8 + 1 {
					batch = read(t, at, &b, batch)
				}
			case 7:
				for len(batch) > 0 {
					batch = read(t, at, &b, batch)
				}
				b, batch, queued, closed = q.Close(), queued, nil, true
			}
			if q.Empty() != (len(queued) == 0) || b.Empty() != (len(batch) == 0) || q.Closed() != closed {
				t.Fatalf("%s: Empty %v, batch Empty %v, Closed %v, model has %d and %d, %v",
					at, q.Empty(), b.Empty(), q.Closed(), len(queued), len(batch), closed)
			}
		}
	})
}

func read(t *testing.T, at string, b *Batch[int], want []int) []int {
	t.Helper()
	v, ok := b.Next()
	if ok != (len(want) > 0) {
		t.Fatalf("%s: Next ok %v, model has %d", at, ok, len(want))
	}
	if !ok {
		return nil
	}
	if v != want[0] {
		t.Fatalf("%s: Next = %d, want %d", at, v, want[0])
	}
	return want[1:]
}

// CloseEmpty drops nothing: it is refused while there is something to take.
func TestCloseEmpty(t *testing.T) {
	var q Queue[int]
	q.Push(1)
	if q.CloseEmpty() || q.Closed() {
		t.Fatal("closed with a value in it")
	}
	if got := all(q.Take()); !slices.Equal(got, []int{1}) {
		t.Fatalf("got %v, want the value", got)
	}
	if !q.CloseEmpty() || q.Push(2) {
		t.Error("open after CloseEmpty of an empty queue")
	}
	if rest := q.Close(); !rest.Empty() {
		t.Error("something is left")
	}
}
