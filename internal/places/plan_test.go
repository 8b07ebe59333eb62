package places

import (
	"slices"
	"strings"
	"testing"
)

// shown is the CPUs of each loop.
func shown(sets [][]int) string {
	var words []string
	for _, set := range sets {
		words = append(words, List(set))
	}
	return strings.Join(words, " ")
}

// On machines as there are: how many loops, where they are, where the rest is, and why.
func TestPlan(t *testing.T) {
	const all = 64 // GOMAXPROCS that bounds nothing
	for _, c := range []struct {
		name   string
		tree   tree
		usable string
		ask    Ask
		loops  int
		sets   string
		rest   string
		why    string
	}{
		{"anywhere", xeons, "0-15", Ask{Procs: 16}, 16, "", "", "16 loops: GOMAXPROCS is 16"},
		{"as many as asked for", guest, "0-1", Ask{Procs: 2, Loops: 5}, 5, "", "", "5 loops: Config.Loops says so"},
		{"not more than there may be", guest, "0-1", Ask{Procs: 4000}, 1024, "", "",
			"1024 loops: more are not allowed"},
		{"some CPUs", guest, "0-1", Ask{Procs: 2, CPUs: []int{1}}, 1, "1", "", "1 loop: 1 CPU of Config.CPUs"},
		{"a reserve", guest, "0-1", Ask{Procs: 2, Reserve: 1}, 1, "0", "1", "1 loop: 1 CPU beside 1 reserved"},

		{"fast cores first", laptop, "0-15", Ask{Policy: PerCPU, Procs: all}, 16,
			"0 2 4 6 8 9 10 11 12 13 14 15 1 3 5 7",
			"", "16 loops: 16 CPUs"},
		{"slow cores are reserved", laptop, "0-15", Ask{Policy: PerCore, Procs: all, Reserve: 8}, 4, "0 2 4 6", "8-15",
			"4 loops: 4 cores beside 8 reserved"},
		{"fast ones by their capacity", newLaptop, "0-15", Ask{Policy: PerCore, Procs: all, Loops: 5}, 5, "0 2 4 6 8",
			"",
			"5 loops: Config.Loops says so"},
		{"big before little", little, "0-7", Ask{Policy: PerCPU, Procs: all, Reserve: 4}, 4, "4 5 6 7", "0-3", ""},

		{"node by node", xeons, "0-15", Ask{Policy: PerCPU, Procs: all}, 16, "0 1 2 3 8 9 10 11 4 5 6 7 12 13 14 15",
			"",
			""},
		{"a core each", xeons, "0-15", Ask{Policy: PerCore, Procs: all}, 8, "0 1 2 3 4 5 6 7", "", "8 loops: 8 cores"},
		{"few share a node", evenOdd, "0-15", Ask{Policy: PerCore, Procs: all, Loops: 4}, 4, "0 2 4 6", "", ""},
		{"whole cores are reserved", xeons, "0-15", Ask{Policy: PerCore, Procs: all, Reserve: 2}, 6, "0 1 2 3 4 5",
			"6-7,14-15", "6 loops: 6 cores beside 2 reserved"},
		{"and of CPUs those of a core", xeons, "0-15", Ask{Policy: PerCPU, Procs: all, Reserve: 2}, 14,
			"0 1 2 3 8 9 10 11 4 5 6 12 13 14", "7,15", ""},
		{"the rest has what no loop has", xeons, "0-15", Ask{Policy: PerCPU, Procs: all, Reserve: 1, Loops: 2}, 2,
			"0 1",
			"2-15", ""},
		{"but no thread beside a loop's", xeons, "0-15", Ask{Policy: PerCore, Procs: all, Reserve: 1, Loops: 2}, 2,
			"0 1",
			"2-7,10-15", ""},
		{"dealt over nodes", xeons, "0-15", Ask{Policy: PerNode, Procs: 4}, 4, "0-3,8-11 4-7,12-15 0-3,8-11 4-7,12-15",
			"",
			"4 loops: GOMAXPROCS is 4"},
		{"reserved of each node", xeons, "0-15", Ask{Policy: PerNode, Procs: all, Reserve: 4}, 12,
			strings.TrimSpace(strings.Repeat("0-2,8-10 4-6,12-14 ", 6)), "3,7,11,15",
			"12 loops: 12 CPUs beside 4 reserved"},
		{"more loops than a node's CPUs", xeons, "0-15", Ask{Policy: PerNode, Procs: all, Loops: 17, CPUs: []int{0, 4}},
			17,
			"0 4 0 4 0 4 0 4 0 4 0 4 0 4 0 4 0", "", ""},

		{"cache by cache", epyc, "0-31", Ask{Policy: PerCPU, Procs: all, Loops: 9}, 9, "0 1 2 3 16 17 18 19 4", "", ""},
		{"four nodes", epyc, "0-31", Ask{Policy: PerNode, Procs: all, Loops: 5}, 5,
			"0-3,16-19 4-7,20-23 8-11,24-27 12-15,28-31 0-3,16-19", "", ""},
		{"half of a node by cpuset", epyc, "2-3,18-19", Ask{Policy: PerCore, Procs: all}, 2, "2 3", "",
			"2 loops: 2 cores"},
		{"second threads only", epyc, "16-17", Ask{Policy: PerCore, Procs: all}, 2, "16 17", "", ""},
		{"a cpuset over nodes", epyc, "3-4", Ask{Policy: PerNode, Procs: all}, 2, "3 4", "", "2 loops: 2 CPUs"},

		{"no second threads", arm, "0-7", Ask{Policy: PerCore, Procs: all, Reserve: 1}, 7, "0 1 2 3 4 5 6", "7", ""},
		{"a guest", guest, "0-1", Ask{Policy: PerCPU, Procs: all, Reserve: 1}, 1, "0", "1", ""},
		{"offline CPUs", gaps, "0,2-3,6-7", Ask{Policy: PerCPU, Procs: all}, 5, "0 2 6 3 7", "", ""},
		{"offline CPUs, a core each", gaps, "0,2-3,6-7", Ask{Policy: PerCore, Procs: all}, 3, "0 2 6", "", ""},
		{"nothing is known", bare, "0-3", Ask{Policy: PerCore, Procs: all, Reserve: 1}, 3, "0 1 2", "3", ""},
		{"no nodes are known", bare, "0-3", Ask{Policy: PerNode, Procs: all, Loops: 1}, 1, "0-3", "", ""},

		{"some CPUs, the others count for the reserve", xeons, "0-15",
			Ask{Policy: PerCPU, Procs: all, Reserve: 4, CPUs: []int{0, 1, 2}}, 3, "0 1 2", "3-15",
			"3 loops: 3 CPUs of Config.CPUs beside 4 reserved"},
		{"and for a part of it", guest, "0-1", Ask{Policy: PerCore, Procs: all, Reserve: 1, CPUs: []int{1, 0}}, 1, "0",
			"1",
			""},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, err := Read(c.tree.root(), parse(c.usable)).Plan(c.ask)
			if err != nil {
				t.Fatal(err)
			}
			if p.Loops != c.loops || shown(p.Sets) != c.sets || List(p.Rest) != c.rest {
				t.Errorf("%d loops on %q, the rest on %q, want %d, %q, %q", p.Loops, shown(p.Sets), List(p.Rest),
					c.loops, c.sets, c.rest)
			}
			if c.why != "" && p.Why != c.why {
				t.Errorf("%q, want %q", p.Why, c.why)
			}
			for _, set := range append(p.Sets, p.Rest) {
				if !slices.IsSorted(set) {
					t.Errorf("%v is not in order", set)
				}
			}
			for i := range p.Loops {
				if p.Sets == nil && p.Set(i) != nil || p.Sets != nil && !slices.Equal(p.Set(i), p.Sets[i]) {
					t.Errorf("loop %d has %v", i, p.Set(i))
				}
			}
		})
	}
}

// What can't be is refused, with what there is.
func TestPlanRefuses(t *testing.T) {
	for _, c := range []struct {
		name   string
		tree   tree
		usable string
		ask    Ask
		want   string
	}{
		{"more loops than CPUs", guest, "0-1", Ask{Policy: PerCPU, Loops: 3},
			"Config.Place: 3 loops, but PerCPU has places for 2: 2 CPUs"},
		{"more loops than are left", guest, "0-1", Ask{Policy: PerCPU, Loops: 2, Reserve: 1},
			"Config.Place: 2 loops, but PerCPU has places for 1: 1 CPU beside 1 reserved"},
		{"more loops than cores", xeons, "0-15", Ask{Policy: PerCore, Loops: 9},
			"Config.Place: 9 loops, but PerCore has places for 8: 8 cores"},
		{"a CPU of others", epyc, "2-3,18-19", Ask{CPUs: []int{2, 4}, Procs: 1},
			"Config.CPUs: the process may not use CPU 4: its CPUs are 2-3,18-19"},
		{"all is reserved", guest, "0-1", Ask{Reserve: 2, Procs: 1},
			"Config.Reserve: 2 CPUs of the 2 CPUs that the process may use: none is left for loops"},
		{"all cores are", xeons, "0-3,8-11", Ask{Policy: PerCore, Reserve: 4, Procs: 1},
			"Config.Reserve: 4 cores of the 4 cores that the process may use: none is left for loops"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, err := Read(c.tree.root(), parse(c.usable)).Plan(c.ask)
			if err == nil || err.Error() != "ringo: "+c.want {
				t.Errorf("%+v, %v, want %s", p, err, c.want)
			}
		})
	}
}

// The quota bounds the loops, rounded down to one at least, unless somebody has set GOMAXPROCS.
func TestPlanQuota(t *testing.T) {
	for _, c := range []struct {
		quota string // of v2
		ask   Ask
		loops int
		why   string
	}{
		{"50000 100000", Ask{Procs: 2}, 1, "1 loop: the quota of the cgroups is 0.5 CPUs"},
		{"150000 100000", Ask{Procs: 2}, 1, "1 loop: the quota of the cgroups is 1.5 CPUs"},
		{"200000 100000", Ask{Procs: 2}, 2, "2 loops: GOMAXPROCS is 2"},
		{"290000 100000", Ask{Procs: 8}, 2, "2 loops: the quota of the cgroups is 2.9 CPUs"},
		{"max 100000", Ask{Procs: 8}, 8, "8 loops: GOMAXPROCS is 8"},
		{"50000 100000", Ask{Procs: 3, Fixed: true}, 3,
			"3 loops: GOMAXPROCS is 3, though the quota of the cgroups is 0.5 CPUs, since the environment sets " +
				"GOMAXPROCS"},
		{"150000 100000", Ask{Procs: 16, Fixed: true, Policy: PerCore}, 8,
			"8 loops: 8 cores, though the quota of the cgroups is 1.5 CPUs, since the environment sets GOMAXPROCS"},
		{"50000 100000", Ask{Procs: 1, Fixed: true}, 1, "1 loop: GOMAXPROCS is 1"},
		{"50000 100000", Ask{Procs: 2, Loops: 2}, 2, "2 loops: Config.Loops says so"},
		{"300000 100000", Ask{Procs: 16, Policy: PerCore}, 3, "3 loops: the quota of the cgroups is 3 CPUs"},
		{"99999999999999 1", Ask{Procs: 2}, 2, "2 loops: GOMAXPROCS is 2"},
	} {
		tree := xeons
		tree.files = map[string]string{"proc/self/cgroup": "0::/pod/box",
			"sys/fs/cgroup/pod/cpu.max": c.quota, "sys/fs/cgroup/pod/box/cpu.max": "max 100000"}
		p, err := Read(tree.root(), parse("0-15")).Plan(c.ask)
		if err != nil || p.Loops != c.loops || p.Why != c.why {
			t.Errorf("%s, %+v: %d %q %v, want %d %q", c.quota, c.ask, p.Loops, p.Why, err, c.loops, c.why)
		}
	}
}
