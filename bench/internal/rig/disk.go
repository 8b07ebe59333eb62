//go:build linux

package rig

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"ringo/bench/internal/contest"
	"ringo/bench/internal/sample"
)

// file returns the path of the file that is read.
func (r *Rig) file() string { return cmp.Or(r.File, filepath.Join(r.work, "disk")) }

// makeFile makes the file that is read, unless it exists, and syncs it: dirty pages can't leave the page cache.
func (r *Rig) makeFile() error {
	f, err := os.OpenFile(r.file(), os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if info.Size() == 0 {
		if _, err := io.CopyN(f, rand.Reader, int64(r.FileMiB)<<20); err != nil {
			return err
		}
	}
	return f.Sync()
}

// measureItself runs a program that measures itself. It may use all CPUs, since the kernel works for it on all.
func (r *Rig) measureItself(ctx context.Context, c *command, cell *contest.Cell) (s *sample.Sample, err error) {
	if pkg, ok := strings.CutPrefix(c.argv[0], "{test "); ok {
		if c.argv[0], err = r.test(ctx, strings.TrimSuffix(pkg, "}")); err != nil {
			return nil, err
		}
	}
	p, err := r.start(nil, c)
	if err != nil {
		return nil, err
	}
	if err := p.wait(ctx); err != nil {
		return nil, fmt.Errorf("%w: %s", err, p.said.last())
	}
	f := c.figures(p.said.text())
	if len(f) == 0 {
		return nil, fmt.Errorf("no figures of %s in %q", strings.Join(c.argv, " "), p.said.text())
	}
	return &sample.Sample{Mode: cell.Mode, Size: cell.Size, Depth: cell.Depth, Seconds: r.Seconds * 2, Figures: f,
		PerSecond: f["IOPS"], CPUMicros: cmp.Or(f["CPU µs/op"], f["ns/op"]/1000), P50: f["p50 µs"],
		P99: f["p99 µs"]}, nil
}
