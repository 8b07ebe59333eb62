package differ

import (
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"slices"
	"strings"
)

// A Program is bytes: a head that says who the actors are, and records, each of which is a wish. Any bytes are a
// program.
type Program []byte

const (
	headSize   = 8 // bytes: how many actors there are, and their kinds and loops
	recordSize = 5
	actorsMax  = 5
	recordsMax = 400
)

// A record is a wish: which call, by which actor, on which object, and two numbers for the rest.
type record struct{ call, actor, object, x, y byte }

// Random returns the program of a seed, always the same one.
func Random(seed uint64) Program {
	r := rand.New(rand.NewPCG(seed, 0x70726f6772616d73))
	p := make(Program, headSize+recordSize*(4+r.IntN(60)))
	for i := 0; i < len(p); i += 8 {
		var word [8]byte
		binary.LittleEndian.PutUint64(word[:], r.Uint64())
		copy(p[i:], word[:])
	}
	for i := headSize; i < len(p); i += recordSize {
		p[i] = wish(r)
	}
	return p
}

// callers returns the actors' callers, of the allowed kinds. Callbacks have bits of their own in the head, so that
// programs from before package event keep their meaning.
func (p Program) callers(allowed []Kind) []Caller {
	var head [headSize]byte
	copy(head[:], p)
	all := make([]Caller, 2+int(head[0])%(actorsMax-1))
	others := slices.DeleteFunc(slices.Clone(allowed), func(k Kind) bool { return k == Callback })
	for i := range all {
		b := int(head[1+i])
		if all[i] = (Caller{others[b>>1%len(others)], b & 1}); b>>3&5 == 4 && len(others) < len(allowed) {
			all[i].Kind = Callback
		}
	}
	return all
}

// seed returns a number derived from the program.
func (p Program) seed() uint64 {
	h := fnv.New64a()
	h.Write(p)
	return h.Sum64()
}

// stops reports whether loops with callbacks are stopped at the end.
func (p Program) stops() bool { return len(p) >= headSize && p[headSize-2]%4 == 3 }

func (p Program) disk() bool { return len(p) >= headSize && p[headSize-1]%64 == 63 }

func (p Program) records() (all []record) {
	for p = p[min(len(p), headSize):]; len(p) > 0 && len(all) < recordsMax; p = p[min(len(p), recordSize):] {
		var b [recordSize]byte
		copy(b[:], p)
		all = append(all, record{b[0], b[1], b[2], b[3], b[4]})
	}
	return all
}

// withoutRecords returns the program without n of its records.
func (p Program) withoutRecords(from, n int) Program {
	at := headSize + from*recordSize
	end := min(len(p), at+n*recordSize)
	return append(append(Program{}, p[:at]...), p[end:]...)
}

// Corpus returns the program as a file for testdata/fuzz.
func (p Program) Corpus() string { return fmt.Sprintf("go test fuzz v1\n[]byte(%q)\n", []byte(p)) }

// A Plan is a program that can run: the calls of each actor, and the order in which they were planned.
type Plan struct {
	Callers  []Caller
	Actors   [][]Step
	order    []planned
	meetings []meeting
	objects  int
	streams  int
	disk     bool   // the files are on a disk, in one plan of 64
	seed     uint64 // decides everything else
	beside   bool   // there may be goroutines beside the loops
}

type planned struct{ actor, step int }

// A Step is one call with its arguments.
type Step struct {
	*verb
	O, P int // numbers of objects
	N, M int // sizes and counts
	Name string
	How  int
	Segs []segment // what is read or written
	// Scope is the scope in which the call is made, which never ends it.
	Scope int
	Objs  []int // more objects
}

// Scopes.
const (
	noScope = iota
	inTimeout
	inContext
	inBoth
	scopes
)

var scopeNames = [...]string{"", "WithTimeout(hour): ", "WithContext: ", "WithContext, WithTimeout(hour): "}

// A segment is a piece of a direction's stream.
type segment struct{ Stream, At, N int }

func total(segs []segment) (n int) {
	for _, s := range segs {
		n += s.N
	}
	return n
}

// A verb is a kind of call: text is its format, and run makes the call and returns what was seen.
type verb struct {
	text string
	run  func(x *actor, s *Step) string
}

func (s *Step) String() string {
	return scopeNames[s.Scope] + fmt.Sprintf(s.text, s.O, s.P, s.N, s.M, s.Name, s.How, total(s.Segs))
}

// String returns the plan as text that reads like Go, in the order in which it was planned.
func (p *Plan) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "files in %s\n", p.folder())
	for i, c := range p.Callers {
		fmt.Fprintf(&b, "a%d := a %v of loop %d\n", i, c.Kind, c.Loop)
	}
	for _, at := range p.order {
		fmt.Fprintf(&b, "a%d.%d: %s\n", at.actor, at.step, &p.Actors[at.actor][at.step])
	}
	return b.String()
}
