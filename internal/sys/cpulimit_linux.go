//go:build linux

package sys

import (
	"io/fs"
	"math"
	"os"
	"path"
	"strconv"
	"strings"
)

// CPULimit is how much processor time the cgroups of this process allow, in processors; ok is false if they don't say,
// or can't be read.
func CPULimit() (cpus float64, ok bool) { return cpuLimit(os.DirFS("/")) }

// cpuLimit is the smallest quota on the way from the process's cgroup up to the root, of either version. In a
// container without a namespace of cgroups the names in /proc are those of the host, of which only the root is here.
func cpuLimit(root fs.FS) (cpus float64, ok bool) {
	text, err := fs.ReadFile(root, "proc/self/cgroup")
	if err != nil {
		return 0, false
	}
	cpus = math.Inf(1)
	for line := range strings.Lines(string(text)) {
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3) // 0::/a/b, or 4:cpu,cpuacct:/a/b
		if len(parts) < 3 {
			continue
		}
		mount, quota := "sys/fs/cgroup", quotaOf2
		if parts[1] != "" {
			if !hasWord(parts[1], "cpu") {
				continue
			}
			mount, quota = path.Join(mount, "cpu"), quotaOf1
		}
		for dir := path.Clean("/" + parts[2]); ; dir = path.Dir(dir) {
			cpus = min(cpus, quota(root, path.Join(mount, dir)))
			if dir == "/" {
				break
			}
		}
	}
	return cpus, !math.IsInf(cpus, 1)
}

func hasWord(list, word string) bool {
	for w := range strings.SplitSeq(list, ",") {
		if w == word {
			return true
		}
	}
	return false
}

// quotaOf2 reads the quota of a cgroup of version 2: "150000 100000", or "max 100000". Infinite if there is none.
func quotaOf2(root fs.FS, dir string) float64 {
	text, err := fs.ReadFile(root, path.Join(dir, "cpu.max"))
	if err != nil {
		return math.Inf(1)
	}
	quota, period, _ := strings.Cut(strings.TrimSpace(string(text)), " ")
	return share(quota, period)
}

// quotaOf1 is quotaOf2 for version 1, which has a file for each number, and -1 for none.
func quotaOf1(root fs.FS, dir string) float64 {
	quota, err1 := fs.ReadFile(root, path.Join(dir, "cpu.cfs_quota_us"))
	period, err2 := fs.ReadFile(root, path.Join(dir, "cpu.cfs_period_us"))
	if err1 != nil || err2 != nil {
		return math.Inf(1)
	}
	return share(strings.TrimSpace(string(quota)), strings.TrimSpace(string(period)))
}

func share(quota, period string) float64 {
	q, err1 := strconv.ParseFloat(quota, 64)
	p, err2 := strconv.ParseFloat(period, 64)
	if err1 != nil || err2 != nil || q <= 0 || p <= 0 {
		return math.Inf(1)
	}
	return q / p
}
