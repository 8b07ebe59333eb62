// Package contest says which servers compete under which load, and evaluates their samples: ratios taken within
// rounds, with intervals, and verdicts.
package contest
