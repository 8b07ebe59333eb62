//go:build linux

package sys

import (
	"testing"
	"testing/fstest"
)

func TestCPULimit(t *testing.T) {
	const v2, v1 = "sys/fs/cgroup/", "sys/fs/cgroup/cpu/"
	for _, c := range []struct {
		name  string
		files map[string]string
		want  float64
	}{
		{"no cgroups", nil, 0},
		{"without a limit", map[string]string{"proc/self/cgroup": "0::/a\n", v2 + "a/cpu.max": "max 100000\n"}, 0},
		{"a limit", map[string]string{"proc/self/cgroup": "0::/a/b\n", v2 + "a/b/cpu.max": "150000 100000\n"}, 1.5},
		{"a lower one above", map[string]string{"proc/self/cgroup": "0::/a/b\n", v2 + "a/b/cpu.max": "300000 100000\n",
			v2 + "a/cpu.max": "50000 100000\n"}, 0.5},
		{"of the namespace", map[string]string{"proc/self/cgroup": "0::/\n", v2 + "cpu.max": "200000 50000\n"}, 4},
		{"named by the host", map[string]string{"proc/self/cgroup": "0::/pods/x\n",
			v2 + "cpu.max": "200000 100000\n"}, 2},
		{"version 1", map[string]string{"proc/self/cgroup": "5:cpuset:/\n4:cpu,cpuacct:/a\n",
			v1 + "a/cpu.cfs_quota_us": "250000\n", v1 + "a/cpu.cfs_period_us": "100000\n"}, 2.5},
		{"version 1 without", map[string]string{"proc/self/cgroup": "4:cpu,cpuacct:/a\n",
			v1 + "a/cpu.cfs_quota_us": "-1\n", v1 + "a/cpu.cfs_period_us": "100000\n"}, 0},
		{"both", map[string]string{"proc/self/cgroup": "4:cpu:/\n0::/\n", v1 + "cpu.cfs_quota_us": "100000\n",
			v1 + "cpu.cfs_period_us": "100000\n", v2 + "cpu.max": "300000 100000\n"}, 1},
		{"rubbish", map[string]string{"proc/self/cgroup": "x\n0::/\n", v2 + "cpu.max": "many few\n"}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			root := fstest.MapFS{}
			for name, text := range c.files {
				root[name] = &fstest.MapFile{Data: []byte(text)}
			}
			if got, ok := cpuLimit(root); ok != (c.want > 0) || ok && got != c.want {
				t.Errorf("%v, %v, want %v", got, ok, c.want)
			}
		})
	}
}
