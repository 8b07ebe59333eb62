package main

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
)

var (
	failure = regexp.MustCompile(`× \d+: (.*)`)
	counts  = regexp.MustCompile(`\d+ tests, \d+ passed.*`)
)

// compare returns an error for each failed case that is not a line of the file accepted. Lines with # there say why.
func compare(way, out, accepted string) error {
	text, err := os.ReadFile(accepted)
	if err != nil {
		return err
	}
	sum := counts.FindString(out)
	if sum == "" {
		return fmt.Errorf("h2spec has no sum:\n%s", out)
	}
	fmt.Println(way+":", sum)
	_, list, _ := strings.Cut(out, "Failures:")
	lines := strings.Split(string(text), "\n")
	for _, m := range failure.FindAllStringSubmatch(list, -1) {
		if !slices.Contains(lines, m[1]) {
			err = errors.Join(err, fmt.Errorf("%s: failed: %s", way, m[1]))
		}
	}
	return err
}
