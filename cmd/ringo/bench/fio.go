package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"strconv"
	"time"

	"ringo/uring"
)

// errNoEngine is the error of fio where there is no io_uring for it to use.
var errNoEngine = errors.New("no io_uring for it")

// fio runs the program fio with the same job.
func (o *options) fio(ctx context.Context) (result, error) {
	name, err := exec.LookPath("fio")
	if err != nil {
		return result{}, err
	}
	r, err := uring.Open(2, nil)
	if err != nil {
		return result{}, fmt.Errorf("%w: %w", errNoEngine, err)
	}
	r.Close()
	cmd := exec.CommandContext(ctx, name, o.fioArgs()...)
	var out, words bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &words
	if err := cmd.Run(); err != nil {
		return result{}, fmt.Errorf("%w: %s", err, bytes.TrimSpace(words.Bytes()))
	}
	return parseFio(out.Bytes(), o.Write)
}

func (o *options) fioArgs() []string {
	rw := map[bool]string{false: "read", true: "write"}[o.Write]
	if o.Random {
		rw = "rand" + rw
	}
	direct := map[bool]string{false: "0", true: "1"}[o.Direct]
	return []string{
		"--name=ringo", "--filename=" + o.File, "--rw=" + rw, "--bs=" + strconv.FormatInt(int64(o.Block), 10),
		"--size=" + strconv.FormatInt(o.Blocks*int64(o.Block), 10), "--iodepth=" + strconv.Itoa(o.Depth), "--direct=" +
			direct, "--ioengine=io_uring", "--time_based", "--runtime=" + strconv.FormatInt(o.Time.Milliseconds(), 10) +
			"ms", "--norandommap", "--invalidate=0", "--allow_file_create=0", "--output-format=json",
	}
}

// fioReport is what is used of fio's JSON.
type fioReport struct {
	Jobs []struct {
		Error       int     `json:"error"`
		User        float64 `json:"usr_cpu"` // per cent of the runtime
		System      float64 `json:"sys_cpu"`
		Read, Write fioSide
	} `json:"jobs"`
}

type fioSide struct {
	Ops     int64 `json:"total_ios"`
	Runtime int64 `json:"runtime"` // ms
	Latency struct {
		Percentile map[string]int64 `json:"percentile"` // ns
	} `json:"clat_ns"`
}

func parseFio(out []byte, write bool) (r result, err error) {
	var report fioReport
	if i := bytes.IndexByte(out, '{'); i > 0 {
		out = out[i:] // warnings come first
	}
	if err := json.Unmarshal(out, &report); err != nil {
		return r, fmt.Errorf("its report: %w", err)
	}
	if len(report.Jobs) != 1 || report.Jobs[0].Error != 0 {
		return r, fmt.Errorf("its report has %d jobs, want one without an error", len(report.Jobs))
	}
	job := report.Jobs[0]
	side := job.Read
	if write {
		side = job.Write
	}
	if side.Ops == 0 || side.Runtime == 0 {
		return r, fmt.Errorf("its report has no operations")
	}
	elapsed := time.Duration(side.Runtime) * time.Millisecond
	return result{
		Ops: side.Ops, Seconds: elapsed.Seconds(), CPU: time.Duration((job.User + job.System) / 100 * float64(elapsed)),
		P50: time.Duration(side.Latency.Percentile["50.000000"]),
		P99: time.Duration(side.Latency.Percentile["99.000000"]),
	}, nil
}
