package places

import (
	"fmt"
	"io/fs"
	"strings"
	"testing/fstest"
)

// A tree is what the kernel's files say of a machine, in lists of CPUs as the kernel writes them: a word for each core,
// last cache and node.
type tree struct {
	cores, caches, nodes string
	slow                 string // by cpu_atom, as on x86 before Linux 6.13
	capacity             string // a word for each sort of core, CPUs=capacity
	oldNames             bool   // of before Linux 5.3
	files                map[string]string
}

func (t tree) root() fs.FS {
	root := fstest.MapFS{}
	put := func(name, text string) { root[name] = &fstest.MapFile{Data: []byte(text + "\n")} }
	siblings := "topology/core_cpus_list"
	if t.oldNames {
		siblings = "topology/thread_siblings_list"
	}
	for _, list := range strings.Fields(t.cores) {
		for _, cpu := range parse(list) {
			put(file(cpu, siblings), list)
			put(file(cpu, "cache/index0/level"), "1")
			put(file(cpu, "cache/index0/shared_cpu_list"), list)
		}
	}
	for _, list := range strings.Fields(t.caches) {
		for _, cpu := range parse(list) {
			put(file(cpu, "cache/index1/level"), "3")
			put(file(cpu, "cache/index1/shared_cpu_list"), list)
		}
	}
	for i, list := range strings.Fields(t.nodes) {
		put(fmt.Sprintf("sys/devices/system/node/node%d/cpulist", i), list)
		put("sys/devices/system/node/has_cpu", "0")
	}
	for word := range strings.FieldsSeq(t.capacity) {
		list, capacity, _ := strings.Cut(word, "=")
		for _, cpu := range parse(list) {
			put(file(cpu, "cpu_capacity"), capacity)
		}
	}
	if t.slow != "" {
		put("sys/devices/cpu_atom/cpus", t.slow)
	}
	for name, text := range t.files {
		put(name, text)
	}
	return root
}

// pairs is a word for each core of two CPUs, of which the second is so many behind the first.
func pairs(first, last, behind int) string {
	var words []string
	for cpu := first; cpu <= last; cpu++ {
		words = append(words, fmt.Sprintf("%d,%d", cpu, cpu+behind))
	}
	return strings.Join(words, " ")
}

// single is a word for each CPU.
func single(first, last int) string {
	var words []string
	for cpu := first; cpu <= last; cpu++ {
		words = append(words, fmt.Sprint(cpu))
	}
	return strings.Join(words, " ")
}

// The machines.
var (
	// Core i7-1260P: 4 fast cores of two threads, 8 slow ones in two clusters, one cache.
	laptop = tree{cores: "0-1 2-3 4-5 6-7 " + single(8, 15), caches: "0-15", nodes: "0-15", slow: "8-15"}
	// the same on a newer kernel, which says how fast
	newLaptop = tree{cores: laptop.cores, caches: "0-15", nodes: "0-15", capacity: "0-7=1024 8-15=607"}
	// two Xeons of 4 cores of two threads, whose second threads come behind all cores
	xeons = tree{cores: pairs(0, 7, 8), caches: "0-3,8-11 4-7,12-15", nodes: "0-3,8-11 4-7,12-15"}
	// the same with even CPUs on node 0, as some firmware has it
	evenOdd = tree{cores: pairs(0, 7, 8), caches: "0,2,4,6,8,10,12,14 1,3,5,7,9,11,13,15",
		nodes: "0,2,4,6,8,10,12,14 1,3,5,7,9,11,13,15", oldNames: true}
	// EPYC with four nodes of a socket (NPS4), each with two caches of two cores
	epyc = tree{cores: pairs(0, 15, 16),
		caches: "0-1,16-17 2-3,18-19 4-5,20-21 6-7,22-23 8-9,24-25 10-11,26-27 12-13,28-29 14-15,30-31",
		nodes:  "0-3,16-19 4-7,20-23 8-11,24-27 12-15,28-31"}
	// Graviton: no second threads, one node, no cache above the cores' own that it tells of
	arm = tree{cores: single(0, 7), nodes: "0-7"}
	// big.LITTLE: the slow ones come first
	little = tree{cores: single(0, 7), nodes: "0-7", capacity: "0-3=446 4-7=1024"}
	// a guest of two CPUs, which it takes for cores
	guest = tree{cores: "0 1", caches: "0 1", nodes: "0-1"}
	// 1, 4 and 5 are offline
	gaps = tree{cores: "0 2-3 6-7", caches: "0,2-3 6-7", nodes: "0,2-3,6-7"}
	// a container that sees no /sys
	bare = tree{}
)
