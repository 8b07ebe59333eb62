package plan

import (
	"slices"
	"testing"
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
