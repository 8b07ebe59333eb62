package places

import (
	"cmp"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
)

// A CPU is what the kernel calls so: a thread of a core.
type CPU struct {
	ID    int
	Node  int // of memory
	Core  int // the first of the core's CPUs
	Cache int // the first of the CPUs that share its last cache
	// Thread is its number among those of the core that the process may use: the first is 0.
	Thread int
	Power  int // how fast it is beside the others, 1024 for the fastest
}

// A Machine is the processors that a process may use, and for how much time.
type Machine struct {
	CPUs  []CPU   // nearest first: node by node, in it the first threads of the fast cores, cache by cache
	Quota float64 // of the cgroups, in processors; 0: none
}

// Read asks the files of root, which is the system's, about the CPUs that the process may use. Of what they don't say a
// CPU is taken for a core of its own, all for those of one node.
func Read(root fs.FS, usable []int) *Machine {
	m := &Machine{Quota: Quota(root)}
	node, slow := nodes(root), parse(read(root, "sys/devices/cpu_atom/cpus"))
	threads := map[int]int{}
	for _, id := range slices.Sorted(slices.Values(usable)) {
		c := CPU{ID: id, Node: node[id], Core: coreOf(root, id), Cache: cacheOf(root, id), Power: fullPower}
		if slices.Contains(slow, id) {
			c.Power = fullPower / 2
		}
		if n, err := strconv.Atoi(read(root, file(id, "cpu_capacity"))); err == nil {
			c.Power = n
		}
		c.Thread = threads[c.Core]
		threads[c.Core]++
		m.CPUs = append(m.CPUs, c)
	}
	slices.SortFunc(m.CPUs, nearer)
	return m
}

// fullPower is the kernel's SCHED_CAPACITY_SCALE. Machines with cores of two sorts have cpu_capacity (ARM, and x86
// since Linux 6.13), or say at least which the slow ones are (x86).
const fullPower = 1024

// nearer orders CPUs as loops get them.
func nearer(a, b CPU) int {
	return cmp.Or(a.Node-b.Node, a.Thread-b.Thread, b.Power-a.Power, a.Cache-b.Cache, a.ID-b.ID)
}

// corewise orders them so that those of a core are beside each other, and those that loops want least come last.
func corewise(a, b CPU) int {
	return cmp.Or(a.Node-b.Node, b.Power-a.Power, a.Cache-b.Cache, a.Core-b.Core, a.ID-b.ID)
}

func file(cpu int, name string) string {
	return fmt.Sprintf("sys/devices/system/cpu/cpu%d/%s", cpu, name)
}

// coreOf names a CPU's core by its first CPU. core_cpus_list is its name since Linux 5.3.
func coreOf(root fs.FS, cpu int) int {
	for _, name := range []string{"topology/core_cpus_list", "topology/thread_siblings_list"} {
		if list := parse(read(root, file(cpu, name))); len(list) > 0 {
			return list[0]
		}
	}
	return cpu
}

// cacheOf names a CPU's last cache by its first CPU: without one that is known all share it.
func cacheOf(root fs.FS, cpu int) (first int) {
	last := 0
	for i := 0; ; i++ {
		dir := file(cpu, fmt.Sprint("cache/index", i))
		level, err := strconv.Atoi(read(root, path.Join(dir, "level")))
		if err != nil {
			return first
		}
		if list := parse(read(root, path.Join(dir, "shared_cpu_list"))); level > last && len(list) > 0 {
			last, first = level, list[0]
		}
	}
}

// nodes is the node of each CPU.
func nodes(root fs.FS) map[int]int {
	of := map[int]int{}
	const dir = "sys/devices/system/node"
	entries, _ := fs.ReadDir(root, dir) // a kernel without NUMA has none
	for _, e := range entries {
		name, ok := strings.CutPrefix(e.Name(), "node")
		n, err := strconv.Atoi(name)
		if !ok || err != nil {
			continue
		}
		for _, cpu := range parse(read(root, path.Join(dir, e.Name(), "cpulist"))) {
			of[cpu] = n
		}
	}
	return of
}

// parse reads a list as the kernel writes it, "0-3,8,10-11".
func parse(list string) (cpus []int) {
	for part := range strings.SplitSeq(list, ",") {
		from, to, isRange := strings.Cut(part, "-")
		first, err := strconv.Atoi(from)
		last := first
		if isRange && err == nil {
			last, err = strconv.Atoi(to)
		}
		if err != nil || first < 0 || last-first >= maxCPUs {
			continue
		}
		for ; first <= last; first++ {
			cpus = append(cpus, first)
		}
	}
	return cpus
}

// maxCPUs bounds a range: Linux knows no machine of more.
const maxCPUs = 8192

// List writes CPUs as the kernel does.
func List(cpus []int) string {
	sorted := slices.Sorted(slices.Values(cpus))
	var b strings.Builder
	for i := 0; i < len(sorted); {
		j := i
		for j+1 < len(sorted) && sorted[j+1] == sorted[j]+1 {
			j++
		}
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprint(&b, sorted[i])
		if j > i {
			fmt.Fprintf(&b, "-%d", sorted[j])
		}
		i = j + 1
	}
	return b.String()
}

// count is how many different values f has.
func count(cpus []CPU, f func(CPU) int) int {
	seen := map[int]bool{}
	for _, c := range cpus {
		seen[f(c)] = true
	}
	return len(seen)
}

// Cores is how many cores have CPUs that the process may use.
func (m *Machine) Cores() int { return count(m.CPUs, core) }

// Nodes is how many nodes have.
func (m *Machine) Nodes() int { return count(m.CPUs, node) }

func id(c CPU) int   { return c.ID }
func core(c CPU) int { return c.Core }
func node(c CPU) int { return c.Node }
