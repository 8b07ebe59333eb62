package debug

import (
	"reflect"
	"ringo/stats"
	"strings"
	"time"
	"unicode"
)

// histogram is a stats.Histogram in the form of the API.
type histogram struct {
	Count   uint64      `json:"count"`
	Sum     int64       `json:"sum"`
	Max     int64       `json:"max"`
	P50     int64       `json:"p50"`
	P90     int64       `json:"p90"`
	P99     int64       `json:"p99"`
	Buckets [][2]uint64 `json:"buckets"` // bound, count
}

func histogramOf(h stats.Histogram) histogram {
	out := histogram{
		Count: h.Count(), Sum: int64(h.Sum()), Max: int64(h.Max()), P50: int64(h.Quantile(0.5)),
		P90: int64(h.Quantile(0.9)), P99: int64(h.Quantile(0.99)), Buckets: [][2]uint64{},
	}
	for bound, n := range h.All() {
		if n > 0 {
			out.Buckets = append(out.Buckets, [2]uint64{uint64(bound), n})
		}
	}
	return out
}

// fields returns a struct of package stats in the form of the API. It uses reflection, so that fields of later releases
// are in it at once.
func fields(v any) any { return encoded(reflect.ValueOf(v)) }

func encoded(v reflect.Value) any {
	switch x := v.Interface().(type) {
	case stats.Histogram:
		return histogramOf(x)
	case time.Time:
		return moment(x)
	}
	switch v.Kind() {
	case reflect.Struct:
		m := map[string]any{}
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() {
				m[nameOf(f.Name)] = encoded(v.Field(i))
			}
		}
		return m
	case reflect.Slice, reflect.Array:
		all := make([]any, v.Len())
		for i := range all {
			all[i] = encoded(v.Index(i))
		}
		return all
	}
	return v.Interface()
}

// moment returns a time in the form of the API, or nil for the zero time.
func moment(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.Format(time.RFC3339Nano)
}

// nameOf returns the API's name of a field: fd for FD, holderID for HolderID, and url2Path for URL2Path.
func nameOf(field string) string {
	upper := strings.IndexFunc(field, func(r rune) bool { return !unicode.IsUpper(r) })
	switch {
	case upper < 0:
		return strings.ToLower(field)
	case upper > 1:
		upper--
	}
	return strings.ToLower(field[:upper]) + field[upper:]
}
