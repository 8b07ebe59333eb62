package watch

import (
	"fmt"
	"strings"
	"testing"

	"ringo/internal/loop"
)

// That there are more loops than processors is said once, of all Runs together, with both numbers.
func TestCrowdIsToldOfOnce(t *testing.T) {
	crowd.Lock()
	before := crowd.said
	crowd.said = false
	loops := crowd.loops
	crowd.Unlock()
	defer func() { crowd.said = before }()
	var said []string
	join := func(n int) (leave func()) {
		return countLoops(&loop.Config{
			Loops: n, CPUs: func() int { return loops + 4 }, Complain: func(text string) { said = append(said, text) },
		})
	}
	first := join(3)
	join(1)() // as many as there are CPUs, and gone
	second := join(1)
	if len(said) > 0 {
		t.Fatalf("%d loops of %d CPUs: %q", loops+4, loops+4, said)
	}
	third := join(2)
	if len(said) != 1 {
		t.Fatalf("%d loops of %d CPUs: %q, want one report", loops+6, loops+4, said)
	}
	for _, want := range []string{fmt.Sprintf("%d loops", loops+6), fmt.Sprintf("%d CPUs", loops+4), "Config.Loops",
		"docs/performance.md"} {
		if !strings.Contains(said[0], want) {
			t.Errorf("no %q in %q", want, said[0])
		}
	}
	join(9)()
	third()
	join(9)()
	if len(said) != 1 {
		t.Errorf("said again: %q", said[1:])
	}
	second()
	first()
	if crowd.loops != loops {
		t.Errorf("%d loops are counted at the end, %d before", crowd.loops, loops)
	}
}

// Nobody is told where nobody listens, and then the next one is.
func TestCrowdWithoutComplain(t *testing.T) {
	before := crowd.said
	crowd.said = false
	defer func() { crowd.said = before }()
	countLoops(&loop.Config{Loops: 9, CPUs: func() int { return 1 }})()
	if crowd.said {
		t.Error("said to nobody, and for good")
	}
}
