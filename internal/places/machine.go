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

// A CPU is one in the kernel's sense: a hardware thread of a core.
type CPU struct {
	ID    int
	Node  int // the memory node
	Core  int // the lowest CPU of its core, which names the core
	Cache int // the lowest of the CPUs that share its last cache, which names the cache
	// Thread counts the CPUs of the core that the process may use and that come before this one: 0 for the first.
	Thread int
	Power  int // its speed relative to the others, 1024 for the fastest
}

// A Machine is the processors that a process may use, and how much time of them.
type Machine struct {
	CPUs  []CPU   // in the order in which loops get them, see nearer
	Quota float64 // of the cgroups, in processors; 0: none
}

// Read describes the CPUs in usable by the files of root, which is the system's root directory. Without files that say
// otherwise, each CPU is a core of its own, and all are in one node and share one cache.
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

// fullPower is the kernel's SCHED_CAPACITY_SCALE. Machines with cores of two kinds have files cpu_capacity (ARM, and
// x86 since Linux 6.13), or at least list the slow cores (x86).
const fullPower = 1024

// nearer orders CPUs as loops get them, so that few loops are near each other: node by node; in a node the first
// threads of all cores before the second ones, fast cores before slow ones, and cache by cache.
func nearer(a, b CPU) int {
	return cmp.Or(a.Node-b.Node, a.Thread-b.Thread, b.Power-a.Power, a.Cache-b.Cache, a.ID-b.ID)
}

// corewise orders CPUs so that those of one core are neighbours, and those that loops want least come last.
func corewise(a, b CPU) int {
	return cmp.Or(a.Node-b.Node, b.Power-a.Power, a.Cache-b.Cache, a.Core-b.Core, a.ID-b.ID)
}

func file(cpu int, name string) string {
	return fmt.Sprintf("sys/devices/system/cpu/cpu%d/%s", cpu, name)
}

// coreOf returns the lowest CPU of a CPU's core, which names the core. The file is core_cpus_list since Linux 5.3.
func coreOf(root fs.FS, cpu int) int {
	for _, name := range []string{"topology/core_cpus_list", "topology/thread_siblings_list"} {
		if list := parse(read(root, file(cpu, name))); len(list) > 0 {
			return list[0]
		}
	}
	return cpu
}

// cacheOf returns the lowest CPU that shares a CPU's last cache, which names the cache. If no cache is known it returns
// 0 for every CPU, so that all count as sharing one.
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

// nodes returns the memory node of each CPU.
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

// parse returns the CPUs in a list as the kernel writes it, "0-3,8,10-11". It skips the parts that it can't read.
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

// maxCPUs bounds a range in a list. Linux supports no machine with more CPUs.
const maxCPUs = 8192

// List formats CPUs as the kernel does, "0-3,8,10-11".
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

// count returns the number of different values of f for the CPUs.
func count(cpus []CPU, f func(CPU) int) int {
	seen := map[int]bool{}
	for _, c := range cpus {
		seen[f(c)] = true
	}
	return len(seen)
}

// Cores returns how many cores have CPUs that the process may use.
func (m *Machine) Cores() int { return count(m.CPUs, core) }

// Nodes returns how many memory nodes have CPUs that the process may use.
func (m *Machine) Nodes() int { return count(m.CPUs, node) }

func id(c CPU) int   { return c.ID }
func core(c CPU) int { return c.Core }
func node(c CPU) int { return c.Node }
