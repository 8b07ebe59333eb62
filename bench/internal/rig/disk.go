//go:build linux

package rig

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"ringo/bench/internal/contest"
	"ringo/bench/internal/report"
	"ringo/bench/internal/sample"
)

// fileSize is that of the file that is read.
const fileSize = 256 << 20

// disk makes the file that all read, once.
func (r *Rig) disk() (string, error) {
	name := filepath.Join(r.work, "disk")
	if info, err := os.Stat(name); err == nil && info.Size() == fileSize {
		return name, nil
	}
	f, err := os.Create(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	if _, err := io.CopyN(f, rand.Reader, fileSize); err != nil {
		return "", err
	}
	return name, f.Sync()
}

// measureDisk has the tool of the main module read from a file, by itself or by fio. It may use all CPUs, as the kernel
// does for it.
func (r *Rig) measureDisk(ctx context.Context, server string, cell *contest.Cell) (*sample.Sample, error) {
	file, err := r.disk()
	if err != nil {
		return nil, err
	}
	path := strings.TrimPrefix(server, "disk-")
	argv := []string{r.bin + "/ringo", "bench", "file", "-quiet", "-direct", "-file", file, "-block",
		strconv.Itoa(cell.Size), "-depth", strconv.Itoa(cell.Depth), "-time",
		time.Duration(r.Seconds * 2 * float64(time.Second)).String(), "-paths", path}
	var out bytes.Buffer
	p, err := r.start(anyCPU, argv, &out)
	if err != nil {
		return nil, err
	}
	if err := p.wait(ctx); err != nil {
		return nil, fmt.Errorf("%w: %s", err, p.said.last())
	}
	row := report.Row(out.String(), "path", path)
	if row["IOPS"] == 0 || row["CPU µs/op"] == 0 {
		return nil, fmt.Errorf("no figures of %q in %q", path, out.String())
	}
	return &sample.Sample{Mode: cell.Mode, Size: cell.Size, Depth: cell.Depth, Seconds: r.Seconds * 2,
		PerSecond: row["IOPS"], CPUMicros: row["CPU µs/op"], P50: row["p50 µs"], P99: row["p99 µs"]}, nil
}
