package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"ringo/internal/test/patience"
)

// A monitor is a Prometheus that scrapes servers.
type monitor struct {
	t     testing.TB
	url   string
	begun time.Time
}

const configuration = `
global: {scrape_interval: 500ms, scrape_timeout: 500ms, evaluation_interval: 500ms}
rule_files: [%s]
scrape_configs:
  - job_name: ringo
    static_configs: [{targets: [%s]}]
`

var listens = regexp.MustCompile(`msg="Listening on" address=(\S+)`)

// startMonitor starts Prometheus with a file of rules. The test ends it.
func startMonitor(t testing.TB, rules string, targets ...string) *monitor {
	t.Helper()
	dir := t.TempDir()
	config := filepath.Join(dir, "prometheus.yml")
	text := fmt.Sprintf(configuration, rules, strings.Join(targets, ", "))
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("prometheus", "--config.file="+config, "--storage.tsdb.path="+filepath.Join(dir, "data"),
		"--web.listen-address=127.0.0.1:0", "--web.console.templates=", "--web.console.libraries=")
	out, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		http.DefaultClient.CloseIdleConnections()
		cmd.Process.Signal(syscall.SIGTERM)
		io.Copy(io.Discard, out)
		cmd.Wait()
	})
	address := make(chan string, 1)
	said := bufio.NewScanner(out)
	go func() {
		defer close(address)
		for said.Scan() {
			if m := listens.FindStringSubmatch(said.Text()); m != nil {
				address <- m[1]
			} else if strings.Contains(said.Text(), "level=error") {
				t.Log(said.Text())
			}
		}
	}()
	m := &monitor{t: t, url: "http://" + patience.Recv(t, "Prometheus' address", address), begun: time.Now()}
	patience.Until(t, "Prometheus", func() bool {
		answer, err := http.Get(m.url + "/-/ready")
		if err != nil {
			return false
		}
		answer.Body.Close()
		return answer.StatusCode == http.StatusOK
	})
	return m
}

// ask asks the API, and gives its data, or the error that it has answered with.
func (m *monitor) ask(data any, path string, arguments url.Values) error {
	answer, err := http.Get(m.url + "/api/v1/" + path + "?" + arguments.Encode())
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	var all struct {
		Status, Error string
		Data          any
	}
	all.Data = data
	if err := json.NewDecoder(answer.Body).Decode(&all); err != nil {
		return err
	}
	if all.Status != "success" {
		return fmt.Errorf("%s", all.Error)
	}
	return nil
}

// A line is a series of a query's results.
type line struct {
	Metric map[string]string
	Values [][2]any // time and value
}

// most is the largest of the values, NaN left out; ok is whether there are any.
func (l *line) most() (most float64, ok bool) {
	for _, v := range l.Values {
		f, err := strconv.ParseFloat(v[1].(string), 64)
		if err == nil && f == f && (!ok || f > most) {
			most, ok = f, true
		}
	}
	return most, ok
}

// lines is what a query has given since Prometheus began, twice a second.
func (m *monitor) lines(expr string) ([]line, error) {
	var data struct{ Result []line }
	at := func(t time.Time) string { return strconv.FormatFloat(float64(t.UnixMilli())/1000, 'f', 3, 64) }
	err := m.ask(&data, "query_range", url.Values{"query": {expr}, "start": {at(m.begun)}, "end": {at(time.Now())},
		"step": {"0.5"}})
	return data.Result, err
}

// alerts are those that fire, with the instances for which they do.
func (m *monitor) alerts() map[string]map[string]bool {
	var data struct {
		Alerts []struct {
			State  string
			Labels map[string]string
		}
	}
	if err := m.ask(&data, "alerts", nil); err != nil {
		m.t.Fatal(err)
	}
	all := map[string]map[string]bool{}
	for _, a := range data.Alerts {
		name := a.Labels["alertname"]
		if all[name] == nil {
			all[name] = map[string]bool{}
		}
		if a.State == "firing" {
			all[name][a.Labels["instance"]] = true
		}
	}
	return all
}
