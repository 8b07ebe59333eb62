package places

import (
	"io/fs"
	"math"
	"path"
	"slices"
	"strconv"
	"strings"
)

// Quota returns how much processor time the cgroups of this process allow, in processors; 0 if they set no limit, or
// can't be read. It is the smallest limit on the way from the process's cgroup up to the root, of either version of
// cgroups, because the limit of a parent holds for its children. In a container without a cgroup namespace, /proc has
// the names of the host, and of those directories the container has only the root.
func Quota(root fs.FS) (cpus float64) {
	text, err := fs.ReadFile(root, "proc/self/cgroup")
	if err != nil {
		return 0
	}
	cpus = math.Inf(1)
	for line := range strings.Lines(string(text)) {
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3) // 0::/a/b, or 4:cpu,cpuacct:/a/b
		if len(parts) < 3 {
			continue
		}
		mount, quota := "sys/fs/cgroup", quotaOf2
		if parts[1] != "" {
			if !slices.Contains(strings.Split(parts[1], ","), "cpu") {
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
	if math.IsInf(cpus, 1) {
		return 0
	}
	return cpus
}

// Whole returns how many loops a quota is enough for: one for each whole processor, and at least one. If there were
// more, some would be stopped until the next period while holding what others need.
func Whole(quota float64) int {
	if quota == 0 {
		return math.MaxInt
	}
	return int(max(1, math.Floor(min(quota, MaxLoops))))
}

// quotaOf2 returns the quota of a cgroup of version 2, from "150000 100000", or "max 100000". It is infinite if there
// is none.
func quotaOf2(root fs.FS, dir string) float64 {
	quota, period, _ := strings.Cut(read(root, path.Join(dir, "cpu.max")), " ")
	return share(quota, period)
}

// quotaOf1 is quotaOf2 for version 1, which has a file for each of the two numbers, and -1 for no quota.
func quotaOf1(root fs.FS, dir string) float64 {
	return share(read(root, path.Join(dir, "cpu.cfs_quota_us")), read(root, path.Join(dir, "cpu.cfs_period_us")))
}

func share(quota, period string) float64 {
	q, err1 := strconv.ParseFloat(quota, 64)
	p, err2 := strconv.ParseFloat(period, 64)
	if err1 != nil || err2 != nil || q <= 0 || p <= 0 {
		return math.Inf(1)
	}
	return q / p
}

// read returns a file's text without the newline, or "" if the file can't be read.
func read(root fs.FS, name string) string {
	text, _ := fs.ReadFile(root, name)
	return strings.TrimSpace(string(text))
}
