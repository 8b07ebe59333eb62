package metrics

import (
	"expvar"
	"strconv"
)

// Publish publishes all metrics in package expvar under this name. The variable is an object that has, for each metric,
// an array of its samples: each with its labels, and "value" or, for a histogram, "count", "sum" and "buckets", by
// bound. Like expvar.Publish, it panics if the name is taken.
func Publish(name string) { expvar.Publish(name, expvar.Func(func() any { return variables() })) }

func variables() map[string][]map[string]any {
	all := map[string][]map[string]any{}
	Each(func(s Sample) {
		o := map[string]any{}
		for i, label := range s.Metric.Labels {
			o[label] = s.Labels[i]
		}
		if s.Metric.Kind != Histogram {
			o["value"] = s.Value
		} else {
			buckets := map[string]uint64{}
			for i, n := range s.Buckets {
				buckets[number(s.Metric.Bounds[i])] = n
			}
			o["count"], o["sum"], o["buckets"] = s.Count, s.Sum, buckets
		}
		all[s.Metric.Name] = append(all[s.Metric.Name], o)
	})
	return all
}

func number(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }
