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

// Policies are all policies.
var Policies = []Policy{Anywhere, PerCPU, PerCore, PerNode}

func (p Policy) String() string {
	if p < 0 || int(p) >= len(Policies) {
		return fmt.Sprintf("Placement(%d)", int(p))
	}
	return []string{"Anywhere", "PerCPU", "PerCore", "PerNode"}[p]
}

// MaxLoops bounds the loops of a Run.
const MaxLoops = 1024

// Ask is what a Run asks for.
type Ask struct {
	Policy  Policy
	Loops   int   // 0: Machine.Plan chooses the number
	CPUs    []int // the CPUs that loops may be bound to; nil: all
	Reserve int   // how many units are left to everything but loops: cores with PerCore, otherwise CPUs
	Procs   int   // GOMAXPROCS
	Fixed   bool  // the environment sets GOMAXPROCS, so the quota does not reduce the number of loops
}

// Binds reports whether loops are bound to CPUs.
func (a *Ask) Binds() bool { return a.Policy != Anywhere || a.CPUs != nil || a.Reserve > 0 }

// A Plan says how many loops a Run has, and on which CPUs.
type Plan struct {
	Loops int
	Sets  [][]int // the CPUs of each loop, in ascending order; nil: no loop is bound
	Rest  []int   // the CPUs of all other threads; nil: anywhere
	Why   string  // why there are so many loops, for people to read
}

// Set returns the CPUs of a loop; nil if loops are not bound.
func (p *Plan) Set(loop int) []int {
	if p.Sets == nil {
		return nil
	}
	return p.Sets[loop]
}

// Plan makes a plan. Its errors are mistakes in the configuration, which they name.
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

// room describes, for Plan.Why and errors, how many units there are for loops.
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

// loops returns how many loops there are, and why: as many as were asked for, or else the lowest of the bounds. These
// are GOMAXPROCS, room, which what explains, and the quota, unless a is Fixed.
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

// free returns the CPUs that loops may have, nearest first. These are the CPUs in Ask.CPUs, without as many units as
// have to be added to the CPUs outside that list to make up the reserve.
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

// last returns the CPU that loops want least. If even is true it is one of the node that has the most CPUs left, so
// that the nodes keep equal numbers.
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

// sets returns the sets of CPUs to bind loops to, in the order in which loops get them.
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

// rest returns the CPUs for all threads but those of loops: the CPUs that no loop is bound to. With PerCore it leaves
// out all CPUs of a loop's core.
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

// ids returns the CPUs' numbers, in ascending order.
func ids(cpus []CPU) (list []int) {
	for _, c := range cpus {
		list = append(list, c.ID)
	}
	slices.Sort(list)
	return list
}
