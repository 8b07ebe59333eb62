package bench

import (
	"testing"
	"time"
)

func TestByteSize(t *testing.T) {
	for text, want := range map[string]byteSize{"1": 1, "4096": 4096, "4K": 4096, "256M": 256 << 20,
		"3G": 3 << 30, "1048576G": 1 << 50} {
		var s byteSize
		if err := s.Set(text); err != nil || s != want {
			t.Errorf("Set(%q) gives %d, %v, want %d", text, s, err, want)
		}
	}
	for n, want := range map[byteSize]string{1: "1", 4096: "4K", 5000: "5000", 1 << 20: "1M", 3 << 30: "3G"} {
		if got := n.String(); got != want {
			t.Errorf("%d is written %q, want %q", int64(n), got, want)
		}
	}
}

// fio's report, cut to what is read of it.
const fioJSON = `note: both iodepth >= 1 and synchronous I/O engine are selected
{"jobs": [{"error": 0, "usr_cpu": 10.5, "sys_cpu": 39.5,
 "read": {"total_ios": 2000, "runtime": 100, "clat_ns": {"percentile": {"50.000000": 86528, "99.000000": 11599872}}},
 "write": {"total_ios": 0, "runtime": 0, "clat_ns": {}}}]}`

func TestParseFio(t *testing.T) {
	r, err := parseFio([]byte(fioJSON), false)
	want := result{Ops: 2000, Seconds: 0.1, CPU: 50 * time.Millisecond, P50: 86528, P99: 11599872}
	if err != nil || r != want {
		t.Errorf("got %+v, %v, want %+v", r, err, want)
	}
	for _, out := range []string{"", "no JSON", "{}", `{"jobs": [{"error": 5}]}`, `{"jobs": [{"error": "x"}]}`} {
		if r, err := parseFio([]byte(out), false); err == nil {
			t.Errorf("%q gives %+v", out, r)
		}
	}
	if r, err := parseFio([]byte(fioJSON), true); err == nil {
		t.Errorf("a report of reads, asked for writes, gives %+v", r)
	}
}
