package places

import (
	"fmt"
	"slices"
)

// A Policy says how loops share processors.
type Policy int

// The policies, in the order of ringo.Placement.
const (
	Anywhere Policy = iota
	PerCPU
	PerCore
	PerNode
)

// Policies are all of them.
var Policies = []Policy{Anywhere, PerCPU, PerCore, PerNode}

func (p Policy) String() string {
	if p < 0 || int(p) >= len(Policies) {
		return fmt.Sprintf("Placement(%d)", int(p))
	}
	return []string{"Anywhere", "PerCPU", "PerCore", "PerNode"}[p]
}

// MaxLoops bounds the loops of a Run.
const MaxLoops = 1024

// Ask is what a Run wants.
type Ask struct {
	Policy  Policy
	Loops   int   // 0: as many as are good
	CPUs    []int // that loops may be on; nil: all
	Reserve int   // units that are left to what is no loop: cores if loops have those, else CPUs
	Procs   int   // GOMAXPROCS
	Fixed   bool  // somebody has set that, and so it stands whatever the quota is
}

// Binds reports whether loops are bound to CPUs.
func (a *Ask) Binds() bool { return a.Policy != Anywhere || a.CPUs != nil || a.Reserve > 0 }

// A Plan is where its loops go.
type Plan struct {
	Loops int
	Sets  [][]int // the CPUs of each loop, in order of their numbers; nil: all are where the scheduler likes
	Rest  []int   // the CPUs of everything else; nil: anywhere
	Why   string  // there are so many loops, for people
}

// Set is the CPUs of a loop; nil: it is bound to none.
func (p *Plan) Set(loop int) []int {
	if p.Sets == nil {
		return nil
	}
	return p.Sets[loop]
}

// Plan makes a plan. Its errors are mistakes of who asks.
func (m *Machine) Plan(a Ask) (Plan, error) {
	if !a.Binds() {
		p := Plan{}
		p.Loops, p.Why = m.loops(a, MaxLoops, "more are not allowed")
		return p, nil
	}
	free, err := m.free(a)
	if err != nil {
		return Plan{}, err
	}
	sets := a.sets(free)
	room, what := len(free), a.room(len(free), "CPU")
	if a.Policy == PerCore {
		room, what = len(sets), a.room(len(sets), "core")
	}
	var p Plan
	p.Loops, p.Why = m.loops(a, room, what)
	if a.Policy == PerCPU || a.Policy == PerCore {
		if p.Loops > len(sets) {
			return Plan{}, fmt.Errorf("ringo: Config.Place: %d loops, but %v has places for %d: %s", p.Loops, a.Policy,
				len(sets), what)
		}
	}
	for i := range p.Loops {
		p.Sets = append(p.Sets, sets[i%len(sets)])
	}
	if a.Reserve > 0 {
		p.Rest = m.rest(a.Policy, p.Sets)
	}
	return p, nil
}

// room says how many units loops have.
func (a *Ask) room(n int, unit string) string {
	s := plural(n, unit)
	if a.CPUs != nil {
		s += " of Config.CPUs"
	}
	if a.Reserve > 0 {
		s += fmt.Sprintf(" beside %d reserved", a.Reserve)
	}
	return s
}

// loops is how many there are, if not said the least of what bounds them, and why.
func (m *Machine) loops(a Ask, room int, what string) (n int, why string) {
	defer func() { why = plural(n, "loop") + ": " + why }()
	if a.Loops > 0 {
		return a.Loops, "Config.Loops says so"
	}
	n, why = a.Procs, fmt.Sprintf("GOMAXPROCS is %d", a.Procs)
	if room < n {
		n, why = room, what
	}
	if whole := Whole(m.Quota); whole < n {
		quota := fmt.Sprintf("the quota of the cgroups is %.4g CPUs", m.Quota)
		if a.Fixed {
			return n, fmt.Sprintf("%s, though %s, since the environment sets GOMAXPROCS", why, quota)
		}
		return whole, quota
	}
	return n, why
}

func plural(n int, unit string) string {
	if n == 1 {
		return "1 " + unit
	}
	return fmt.Sprintf("%d %ss", n, unit)
}

// free are the CPUs that loops may have, nearest first: those of Ask.CPUs, less as many as the rest lacks for its
// reserve.
func (m *Machine) free(a Ask) ([]CPU, error) {
	free := m.CPUs
	if a.CPUs != nil {
		for _, cpu := range a.CPUs {
			if !slices.ContainsFunc(m.CPUs, func(c CPU) bool { return c.ID == cpu }) {
				return nil, fmt.Errorf("ringo: Config.CPUs: the process may not use CPU %d: its CPUs are %s", cpu,
					List(ids(m.CPUs)))
			}
		}
		free = slices.DeleteFunc(slices.Clone(free), func(c CPU) bool { return !slices.Contains(a.CPUs, c.ID) })
	}
	unit, name := id, "CPU"
	if a.Policy == PerCore {
		unit, name = core, "core"
	}
	outside := slices.DeleteFunc(slices.Clone(m.CPUs), func(c CPU) bool {
		return slices.ContainsFunc(free, func(f CPU) bool { return unit(f) == unit(c) })
	})
	need := a.Reserve - count(outside, unit)
	if have := count(free, unit); have == 0 || need >= have {
		return nil, fmt.Errorf("ringo: Config.Reserve: %s of the %s that the process may use: none is left for loops",
			plural(a.Reserve, name), plural(count(m.CPUs, unit), name))
	}
	for range need {
		gone := unit(last(free, a.Policy == PerNode))
		free = slices.DeleteFunc(slices.Clone(free), func(c CPU) bool { return unit(c) == gone })
	}
	return free, nil
}

// last is the CPU that loops want least. If they are dealt over the nodes it is one of the node that has the most left,
// so that each goes on having as much as the others.
func last(free []CPU, even bool) CPU {
	size := map[int]int{}
	for _, c := range free {
		size[c.Node]++
	}
	return slices.MaxFunc(free, func(a, b CPU) int {
		if even && size[a.Node] != size[b.Node] {
			return size[a.Node] - size[b.Node]
		}
		return corewise(a, b)
	})
}

// sets are the places for loops, in the order in which these get them.
func (a *Ask) sets(free []CPU) (sets [][]int) {
	switch a.Policy {
	case PerCPU:
		for _, c := range free {
			sets = append(sets, []int{c.ID})
		}
	case PerCore:
		seen := map[int]bool{}
		for _, c := range free {
			if !seen[c.Core] {
				seen[c.Core] = true
				sets = append(sets, []int{c.ID})
			}
		}
	case PerNode:
		at := map[int]int{}
		for _, c := range free {
			i, ok := at[c.Node]
			if !ok {
				i = len(sets)
				at[c.Node], sets = i, append(sets, nil)
			}
			sets[i] = append(sets[i], c.ID)
		}
		for _, set := range sets {
			slices.Sort(set)
		}
	default:
		sets = [][]int{ids(free)}
	}
	return sets
}

// rest are the CPUs of all but the loops: those that these are not bound to. Where each loop has a core, its other
// CPUs are left free.
func (m *Machine) rest(p Policy, sets [][]int) []int {
	unit := id
	if p == PerCore {
		unit = core
	}
	bound, taken := map[int]bool{}, map[int]bool{}
	for _, set := range sets {
		for _, cpu := range set {
			bound[cpu] = true
		}
	}
	for _, c := range m.CPUs {
		taken[unit(c)] = taken[unit(c)] || bound[c.ID]
	}
	return ids(slices.DeleteFunc(slices.Clone(m.CPUs), func(c CPU) bool { return taken[unit(c)] }))
}

// ids are the CPUs' numbers, in order.
func ids(cpus []CPU) (list []int) {
	for _, c := range cpus {
		list = append(list, c.ID)
	}
	slices.Sort(list)
	return list
}
