package main

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestParsePlan(t *testing.T) {
	steps, err := parsePlan("# nothing yet\n\nrun  a  20s  /bin/a -x 'two words'\n\t show b/c 1m30s with A='' 'it " +
		"is'\t'RE: .*'$\nrun c 5s c.test -test.v\n")
	if err != nil {
		t.Fatal(err)
	}
	want := []step{
		{"a", false, 20 * time.Second, []string{"/bin/a", "-x", "two words"}},
		{"b/c", true, 90 * time.Second, []string{"with", "A=", "it is", "RE: .*$"}},
		{"c", false, 5 * time.Second, []string{"c.test", "-test.v", "-test.timeout=25s"}},
	}
	if !reflect.DeepEqual(steps, want) {
		t.Errorf("got %+v\nwant %+v", steps, want)
	}
}

func TestParsePlanErrors(t *testing.T) {
	for plan, want := range map[string]string{
		"run a 20s":            "line 1 has 3 words",
		"\nrum a 20s b":        `line 2: the verb is "rum"`,
		"run a 20 b":           `line 1: the limit is "20"`,
		"run a 0s b":           `line 1: the limit is "0s"`,
		"run a 20s 'b":         "line 1: a quote has no end",
		"run a 1s b\nshow it ": "line 2 has 2 words",
	} {
		if _, err := parsePlan(plan); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %s", plan, err, want)
		}
	}
}

func TestExpand(t *testing.T) {
	steps, err := parsePlan(`
run  probe      1s  probe
run  {driver}/a 1s  with D={driver} a
run  {driver}/b 1s  b {driver}{driver}
run  {uring}/c  1s  c
run  {select}/c 1s  c
run  x/{epoll}  1s  d {driver}
run  {driver}/e 1s  e`)
	if err != nil {
		t.Fatal(err)
	}
	if !aboutDrivers(steps) || aboutDrivers(steps[:1]) {
		t.Error("it is not known which steps are about drivers")
	}
	var got []string
	for _, s := range expand(steps, []string{"uring", "epoll"}) {
		got = append(got, fmt.Sprint(s.name, " ", s.args))
	}
	want := []string{
		"probe [probe]",
		"uring/a [with D=uring a]", "uring/b [b uringuring]", "epoll/a [with D=epoll a]", "epoll/b [b epollepoll]",
		"uring/c [c]", "x/epoll [d {driver}]",
		"uring/e [e]", "epoll/e [e]",
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %q\nwant %q", got, want)
	}
}
