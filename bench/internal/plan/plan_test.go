package plan

import (
	"slices"
	"testing"
	"time"
)

var cells = []Cell{
	{Name: "a", Servers: []string{"x", "y", "z", "w"}},
	{Name: "b", Servers: []string{"x", "y"}},
}

func TestRoundsInterleave(t *testing.T) {
	const rounds = 8
	steps := Steps(cells, rounds)
	if want := rounds * 6; len(steps) != want {
		t.Fatalf("%d steps, want %d", len(steps), want)
	}
	at := 0
	orders := map[string]bool{}
	followers := map[string]bool{}
	for round := 1; round <= rounds; round++ {
		for _, c := range cells {
			var order []string
			for _, s := range steps[at : at+len(c.Servers)] {
				if s.Round != round || s.Cell != c.Name {
					t.Fatalf("step %d is %+v, want round %d of cell %s", at, s, round, c.Name)
				}
				order = append(order, s.Server)
			}
			at += len(c.Servers)
			if got := slices.Sorted(slices.Values(order)); !slices.Equal(got, slices.Sorted(slices.Values(c.Servers))) {
				t.Fatalf("round %d of %s measures %q, want each of %q once", round, c.Name, order, c.Servers)
			}
			if c.Name == "a" {
				orders[order[0]] = true
				for i := range order[1:] {
					followers[order[i]+order[i+1]] = true
				}
			}
		}
	}
	if len(orders) != len(cells[0].Servers) || len(followers) < 8 {
		t.Errorf("in %d rounds %d servers went first and %d pairs followed each other: no interleaving", rounds,
			len(orders), len(followers))
	}
	if first := steps[0:4]; first[0].Server != "x" || first[1].Server != "y" || first[3].Server != "w" {
		t.Errorf("the first round is %v, want it as the servers are given", first)
	}
	limited := Steps([]Cell{{Name: "a", Servers: []string{"x"}, Rounds: 3}, {Name: "b", Servers: []string{"y"}}}, 5)
	if n := len(limited); n != 3+5 {
		t.Errorf("%d steps where one cell has three of five rounds, want 8", n)
	}
	if !slices.Equal(steps, Steps(cells, rounds)) {
		t.Error("a second call gives other steps")
	}
}

func TestTimeLeft(t *testing.T) {
	c := NewClock(time.Second)
	steps := []Step{{1, "a", "x"}, {1, "a", "y"}, {1, "b", "x"}}
	if got := c.Left(steps); got != 3*time.Second {
		t.Errorf("before the first step %v left, want the guess, 3s", got)
	}
	c.Took(steps[0], 2*time.Second)
	c.Took(steps[1], 4*time.Second)
	if got := c.Left(steps); got != 9*time.Second {
		t.Errorf("%v left, want 9s: cell b is unknown and costs the mean of all", got)
	}
	c.Took(steps[2], 12*time.Second)
	if got := c.Left(steps); got != 18*time.Second {
		t.Errorf("%v left, want 3+3+12 s", got)
	}
	if got := c.Left(nil); got != 0 {
		t.Errorf("%v left of nothing", got)
	}
}
