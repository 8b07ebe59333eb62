package places

import (
	"slices"
	"testing"
)

func TestQuota(t *testing.T) {
	const v2, v1 = "sys/fs/cgroup/", "sys/fs/cgroup/cpu/"
	for _, c := range []struct {
		name  string
		files map[string]string
		want  float64
	}{
		{"no cgroups", nil, 0},
		{"without a limit", map[string]string{"proc/self/cgroup": "0::/a", v2 + "a/cpu.max": "max 100000"}, 0},
		{"a limit", map[string]string{"proc/self/cgroup": "0::/a/b", v2 + "a/b/cpu.max": "150000 100000"}, 1.5},
		{"a lower one above", map[string]string{"proc/self/cgroup": "0::/a/b", v2 + "a/b/cpu.max": "300000 100000",
			v2 + "a/cpu.max": "50000 100000"}, 0.5},
		{"of the namespace", map[string]string{"proc/self/cgroup": "0::/", v2 + "cpu.max": "200000 50000"}, 4},
		{"named by the host", map[string]string{"proc/self/cgroup": "0::/pods/x", v2 + "cpu.max": "200000 100000"}, 2},
		{"a name with colons", map[string]string{"proc/self/cgroup": "0::/a:b:c",
			v2 + "a:b:c/cpu.max": "50000 100000"}, 0.5},
		{"version 1", map[string]string{"proc/self/cgroup": "5:cpuset:/\n4:cpu,cpuacct:/a",
			v1 + "a/cpu.cfs_quota_us": "250000", v1 + "a/cpu.cfs_period_us": "100000"}, 2.5},
		{"version 1, at a parent", map[string]string{"proc/self/cgroup": "4:cpu,cpuacct:/a/b/c",
			v1 + "a/b/c/cpu.cfs_quota_us": "-1", v1 + "a/b/c/cpu.cfs_period_us": "100000",
			v1 + "a/cpu.cfs_quota_us": "50000", v1 + "a/cpu.cfs_period_us": "100000"}, 0.5},
		{"version 1 without", map[string]string{"proc/self/cgroup": "4:cpu,cpuacct:/a",
			v1 + "a/cpu.cfs_quota_us": "-1", v1 + "a/cpu.cfs_period_us": "100000"}, 0},
		{"both", map[string]string{"proc/self/cgroup": "4:cpu:/\n0::/", v1 + "cpu.cfs_quota_us": "100000",
			v1 + "cpu.cfs_period_us": "100000", v2 + "cpu.max": "300000 100000"}, 1},
		{"of no length", map[string]string{"proc/self/cgroup": "0::/", v2 + "cpu.max": "100000 0"}, 0},
		{"rubbish", map[string]string{"proc/self/cgroup": "x\n0::/", v2 + "cpu.max": "many few"}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := Quota(tree{files: c.files}.root()); got != c.want {
				t.Errorf("%v, want %v", got, c.want)
			}
		})
	}
}

// What is read of a CPU, in trees that say it in different words.
func TestRead(t *testing.T) {
	for _, c := range []struct {
		name         string
		tree         tree
		usable       string
		cpu          CPU
		cores, nodes int
	}{
		{"laptop, a fast one", laptop, "0-15", CPU{ID: 3, Core: 2, Thread: 1, Power: 1024}, 12, 1},
		{"laptop, a slow one", laptop, "0-15", CPU{ID: 9, Core: 9, Power: 512}, 12, 1},
		{"laptop on a newer kernel", newLaptop, "0-15", CPU{ID: 9, Core: 9, Power: 607}, 12, 1},
		{"two sockets", xeons, "0-15", CPU{ID: 13, Node: 1, Core: 5, Cache: 4, Thread: 1, Power: 1024}, 8, 2},
		{"an older kernel", evenOdd, "0-15", CPU{ID: 13, Node: 1, Core: 5, Cache: 1, Thread: 1, Power: 1024}, 8, 2},
		{"four nodes", epyc, "0-31", CPU{ID: 31, Node: 3, Core: 15, Cache: 14, Thread: 1, Power: 1024}, 16, 4},
		{"a second thread without the first", epyc, "31", CPU{ID: 31, Node: 3, Core: 15, Cache: 14, Power: 1024}, 1, 1},
		{"gaps", gaps, "0,2-3,6-7", CPU{ID: 7, Core: 6, Cache: 6, Thread: 1, Power: 1024}, 3, 1},
		{"nothing", bare, "0-3", CPU{ID: 2, Core: 2, Power: 1024}, 4, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := Read(c.tree.root(), parse(c.usable))
			i := slices.IndexFunc(m.CPUs, func(x CPU) bool { return x.ID == c.cpu.ID })
			if i < 0 || m.CPUs[i] != c.cpu || m.Cores() != c.cores || m.Nodes() != c.nodes {
				t.Errorf("%+v, %d cores, %d nodes, want %+v, %d, %d", m.CPUs, m.Cores(), m.Nodes(), c.cpu, c.cores,
					c.nodes)
			}
		})
	}
}

// The kernel's lists are read, what is none of them is not, and they are written as they were.
func TestList(t *testing.T) {
	for _, c := range []struct {
		text string
		want []int
		back string
	}{
		{"", nil, ""},
		{"3", []int{3}, "3"},
		{"0-2,8,10-11", []int{0, 1, 2, 8, 10, 11}, "0-2,8,10-11"},
		{"5-4,x,1-y,-1,7", []int{7}, "7"},
		{"0-4000000000", nil, ""},
		{"2,0,1", []int{2, 0, 1}, "0-2"},
	} {
		if got := parse(c.text); !slices.Equal(got, c.want) || List(got) != c.back {
			t.Errorf("%q is read as %v and written as %q, want %v and %q", c.text, got, List(got), c.want, c.back)
		}
	}
}
