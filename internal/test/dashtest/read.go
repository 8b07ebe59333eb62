// Package dashtest reads the queries of a Grafana dashboard and of Prometheus' rules, and reports what is wrong with
// them: names that are no metric, and labels that a metric does not have. It parses expressions only as far as that
// requires. Whether Prometheus accepts an expression, and finds anything, is for a test that asks Prometheus.
package dashtest

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"strings"
)

// A Query is an expression of a panel, a variable or an alert.
type Query struct {
	At     string   // the panel's title and the query's letter, or the name of the variable or alert
	Expr   string   // as written, with Grafana's variables
	Shown  []string // labels that legends or annotations name
	Picked bool     // it belongs to a dashboard, whose variables select job and instance
}

// panel has the parts of a panel that matter here. A collapsed row contains its panels.
type panel struct {
	Title       string
	Type        string
	Description string
	Datasource  struct{ UID string }
	GridPos     struct{ X, W int }
	Targets     []struct{ RefID, Expr, LegendFormat string }
	Panels      []panel
}

// Dashboard reads the queries of a dashboard's panels, then those of its variables.
func Dashboard(path string) (panels, variables []Query, err error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, nil, err
	}
	var d struct {
		SchemaVersion int
		Panels        []panel
		Templating    struct{ List []variable }
	}
	if err := json.Unmarshal(text, &d); err != nil {
		return nil, nil, fmt.Errorf("%s: %w", path, err)
	}
	if d.SchemaVersion < 38 {
		return nil, nil, fmt.Errorf("%s: schemaVersion %d, want 38, of Grafana 10", path, d.SchemaVersion)
	}
	for _, p := range d.Panels {
		for _, p := range append(p.Panels, p) {
			of, err := p.queries()
			if err != nil {
				return nil, nil, fmt.Errorf("%s: %w", path, err)
			}
			panels = append(panels, of...)
		}
	}
	for _, v := range d.Templating.List {
		if v.Type != "query" {
			continue
		}
		q, err := v.query()
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", path, err)
		}
		variables = append(variables, q)
	}
	return panels, variables, nil
}

func (p *panel) queries() (all []Query, err error) {
	if p.Type == "row" {
		return nil, nil
	}
	switch {
	case p.Description == "":
		return nil, fmt.Errorf("%s: no description", p.Title)
	case p.Datasource.UID != "${datasource}":
		return nil, fmt.Errorf("%s: the datasource %q, want ${datasource}", p.Title, p.Datasource.UID)
	case p.GridPos.X+p.GridPos.W > 24:
		return nil, fmt.Errorf("%s: further right than column 24", p.Title)
	case len(p.Targets) == 0:
		return nil, fmt.Errorf("%s: no query", p.Title)
	}
	for _, target := range p.Targets {
		all = append(all, Query{At: p.Title + " " + target.RefID, Expr: target.Expr,
			Shown: shown(target.LegendFormat), Picked: true})
	}
	return all, nil
}

// variable is a variable of the dashboard. Its query takes its values from the labels of a metric, which may have
// matchers.
type variable struct {
	Name, Type string
	Query      any
}

var labelValues = regexp.MustCompile(`^label_values\((.*), *([a-z]+)\)$`)

func (v *variable) query() (Query, error) {
	object, _ := v.Query.(map[string]any)
	text, _ := object["query"].(string)
	m := labelValues.FindStringSubmatch(text)
	if m == nil {
		return Query{}, fmt.Errorf("variable %s: %q is not label_values(METRIC, LABEL)", v.Name, text)
	}
	return Query{At: "$" + v.Name, Expr: m[1], Shown: m[2:]}, nil
}

// Rules reads the alerts of a file of rules. The file must be simple: each expression on one line.
func Rules(path string) (all []Query, err error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	for n, line := range strings.Split(string(text), "\n") {
		line = strings.TrimSpace(line)
		if name, ok := strings.CutPrefix(line, "- alert: "); ok {
			all = append(all, Query{At: name})
			continue
		}
		if len(all) == 0 {
			continue
		}
		q := &all[len(all)-1]
		if expr, ok := strings.CutPrefix(line, "expr: "); ok && expr != "" {
			if q.Expr != "" || strings.ContainsRune(`|>"`, rune(expr[0])) {
				return nil, fmt.Errorf("%s:%d: want one expression, on one line and without quotes", path, n+1)
			}
			q.Expr = expr
			continue
		}
		q.Shown = append(q.Shown, shown(line)...)
	}
	return all, nil
}

// legendLabel matches a label in a Grafana legend, or in an alert's annotation.
var legendLabel = regexp.MustCompile(`{{ *(?:\$labels\.)?([a-z_]+) *}}`)

func shown(text string) (labels []string) {
	for _, m := range legendLabel.FindAllStringSubmatch(text, -1) {
		labels = append(labels, m[1])
	}
	return labels
}
