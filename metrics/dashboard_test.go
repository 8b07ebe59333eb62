package metrics_test

import (
	"testing"

	"ringo/internal/test/dashtest"
)

// The dashboard and the alerts name metrics and labels that there are, and each metric is on a panel. That Prometheus
// understands them, and finds something, is tested against a server, in examples/programs/observed.
func TestDashboard(t *testing.T) {
	panels, variables, err := dashtest.Dashboard("grafana.json")
	if err != nil {
		t.Fatal(err)
	}
	alerts, err := dashtest.Rules("ringo.rules.yml")
	if err != nil {
		t.Fatal(err)
	}
	if len(panels) < 50 || len(variables) != 2 || len(alerts) < 10 {
		t.Errorf("%d queries of panels, %d of variables, %d alerts", len(panels), len(variables), len(alerts))
	}
	for _, queries := range [][]dashtest.Query{panels, variables, alerts} {
		for _, q := range queries {
			for _, fault := range dashtest.Check(q) {
				t.Error(fault)
			}
		}
	}
	for _, name := range dashtest.Missing(panels) {
		t.Errorf("%s is on no panel of the dashboard", name)
	}
}
