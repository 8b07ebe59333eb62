package dashtest

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Each planted mistake is found, and said in words that lead to it.
func TestCheck(t *testing.T) {
	const picked = `{job=~"$job", instance=~"$instance"}`
	for _, c := range []struct{ name, expr, shown, fault string }{
		{"right", `sum by (instance, op) (rate(ringo_op_tried_total{op!="nop"}[5m])) > 0`, "op", ""},
		{"right, of a histogram",
			`histogram_quantile(0.9, sum by (le) (rate(ringo_loop_turn_seconds_bucket[$__rate_interval])))`, "", ""},
		{"right, of two", `ringo_lane_running / on (lane, run, job, instance) ringo_lane_slots and up`, "lane", ""},
		{"right, braces in a string", `count(ringo_listener_ahead{address="a{(\"}"})`, "", ""},
		{"no metric", `sum(ringo_loop_task)`, "", "ringo_loop_task is no metric"},
		{"another's", `go_goroutine`, "", "go_goroutine is no metric"},
		{"a histogram without its part", `rate(ringo_loop_turn_seconds[1m])`, "",
			"ringo_loop_turn_seconds is no metric"},
		{"nothing", `vector(1)`, "", "no metric"},
		{"a matcher", `ringo_loop_tasks{lop="0"}`, "", "no label lop"},
		{"a second matcher", `ringo_loop_handles{kind="conn", op="send"}`, "", "no label op"},
		{"a grouping", `sum by (driver) (ringo_loop_tasks)`, "", "no metric has the label driver"},
		{"a grouping behind", `sum(ringo_loop_tasks) by (driver)`, "", "no metric has the label driver"},
		{"a legend", `ringo_loop_tasks`, "kind", "no metric has the label kind"},
		{"a counter as it is", `sum(ringo_loop_parks_total)`, "", "is a counter: true, in rate: false"},
		{"a gauge's rate", `rate(ringo_loop_tasks[1m])`, "", "is a counter: false, in rate: true"},
		{"a parenthesis", `sum(rate(ringo_loop_parks_total[1m])`, "", "( without its other half"},
		{"a brace", `ringo_loop_tasks{loop="0"`, "", "{ without its other half"},
		{"another brace", `sum(ringo_loop_tasks})`, "", "} without its other half"},
	} {
		t.Run(c.name, func(t *testing.T) {
			q := Query{At: c.name, Expr: c.expr}
			if c.shown != "" {
				q.Shown = []string{c.shown}
			}
			faults := Check(q)
			if c.fault == "" {
				if len(faults) > 0 {
					t.Error(faults)
				}
				return
			}
			if len(faults) != 1 || !strings.Contains(faults[0], c.fault) || !strings.HasPrefix(faults[0], c.name+": ") {
				t.Errorf("found %q, want %s", faults, c.fault)
			}
		})
	}
	q := Query{Expr: "ringo_loop_tasks" + picked, Picked: true}
	if faults := Check(q); len(faults) > 0 {
		t.Error(faults)
	}
	q.Expr += ` / ringo_loop_coroutines{job=~"$job"}`
	if faults := Check(q); len(faults) != 1 || !strings.Contains(faults[0], "$instance") {
		t.Errorf("without an instance: %q", faults)
	}
}

// What no query has is missing, and a part of a histogram is that histogram.
func TestMissing(t *testing.T) {
	all := Missing(nil)
	some := Missing([]Query{{Expr: "ringo_loop_tasks"}, {Expr: "rate(ringo_loop_turn_seconds_count[1m])"}, {Expr: "("}})
	if len(all) != len(some)+2 {
		t.Errorf("of %d there are %d missing", len(all), len(some))
	}
	for _, name := range []string{"ringo_loop_tasks", "ringo_loop_turn_seconds"} {
		if !slices.Contains(all, name) || slices.Contains(some, name) {
			t.Errorf("%s is not among %v, or is among %v", name, all, some)
		}
	}
}

// A dashboard's queries are found in rows, too, and what Grafana would not show is an error.
func TestDashboard(t *testing.T) {
	const (
		one = `{"title": "A", "description": "d", "datasource": {"uid": "${datasource}"},
			"targets": [{"refId": "B", "expr": "up", "legendFormat": "{{instance}} x"}]}`
		row    = `{"type": "row", "title": "R", "panels": [` + one + `]}`
		list   = `{"type": "query", "name": "job", "query": {"query": "label_values(up, job)"}}`
		inside = `{"schemaVersion": 38, "panels": [%1, %2], "templating": {"list": [%3]}}`
	)
	read := func(p1, p2, list string) ([]Query, []Query, error) {
		text := strings.NewReplacer("%1", p1, "%2", p2, "%3", list).Replace(inside)
		return Dashboard(written(t, text))
	}
	panels, variables, err := read(one, row, list)
	if err != nil || len(panels) != 2 || len(variables) != 1 {
		t.Fatalf("%v, %v, %v", panels, variables, err)
	}
	for _, q := range panels {
		if q.At != "A B" || q.Expr != "up" || !slices.Equal(q.Shown, []string{"instance"}) || !q.Picked {
			t.Errorf("found %+v", q)
		}
	}
	if q := variables[0]; q.At != "$job" || q.Expr != "up" || !slices.Equal(q.Shown, []string{"job"}) || q.Picked {
		t.Errorf("found %+v", q)
	}
	for name, c := range map[string][3]string{
		"no JSON":        {one, "}", list},
		"no description": {one, strings.Replace(one, `"d"`, `""`, 1), list},
		"a datasource":   {one, strings.Replace(one, "${datasource}", "mine", 1), list},
		"too wide":       {one, strings.Replace(one, `"title"`, `"gridPos": {"x": 20, "w": 8}, "title"`, 1), list},
		"no query":       {one, strings.Replace(one, `"targets"`, `"target"`, 1), list},
		"a variable":     {one, one, strings.Replace(list, "label_values", "labels", 1)},
	} {
		if _, _, err := read(c[0], c[1], c[2]); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if _, _, err := Dashboard(written(t, `{"schemaVersion": 37}`)); err == nil {
		t.Error("an old schema: no error")
	}
}

// Alerts are read with the labels that their texts name.
func TestRules(t *testing.T) {
	const text = "groups:\n  - name: a\n    rules:\n      - alert: A\n        expr: up < 1\n        annotations:\n" +
		"          summary: \"{{ $labels.job }} {{ $value }}\"\n      - alert: B\n        expr: up{job=\"x\"}\n"
	all, err := Rules(written(t, text))
	if err != nil || len(all) != 2 || all[0].At != "A" || all[0].Expr != "up < 1" ||
		!slices.Equal(all[0].Shown, []string{"job"}) || all[1].At != "B" || all[1].Expr != `up{job="x"}` {
		t.Errorf("%+v, %v", all, err)
	}
	for _, other := range []string{"expr: |", `expr: "up < 1"`, "expr: up\n        expr: up"} {
		if _, err := Rules(written(t, strings.Replace(text, "expr: up < 1", other, 1))); err == nil {
			t.Errorf("%s: no error", other)
		}
	}
}

func written(t *testing.T, text string) (path string) {
	path = filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
